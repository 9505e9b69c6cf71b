import CKernels

/// Keys and values of the tokens so far, for sequences that are decoded side by side.
///
/// A row is one sequence: a prompt, which several rows may share, and the tokens after it. Rows join
/// and leave at any time. A value: a copy shares its memory until one of the two is written to.
///
/// ```swift
/// var prompts = KeyValueCache.Prompts(lengths: [5, 9], layerCount: 2, width: 64, headDimension: 16)
/// // for every layer: prompts.store(layer: l, key: k, value: v)        k, v: [14, 64]
/// var cache = KeyValueCache()
/// cache.append(prompts, copies: [4, 1])                                // five rows
/// // for every layer: cache.decodeAttention(layer: l, query: q, key: k, value: v)   q: [5, H*hd]
/// cache.advance()
/// ```
public struct KeyValueCache: Sendable {
  private struct Row: Sendable {
    let prompt: CachedTokens
    var own: CachedTokens
    /// Tokens after the prompt that every layer has seen.
    var ownCount = 0

    var length: Int { prompt.capacity + ownCount }

    /// Makes `own` writable at `ownCount`: with room, and held by this row alone.
    mutating func prepareToWrite() {
      if ownCount == own.capacity {
        own = own.copy(capacity: max(16, 2 * ownCount))
      } else if !isKnownUniquelyReferenced(&own) {
        own = own.copy(capacity: own.capacity)
      }
    }
  }

  private var rows: [Row] = []

  /// A cache without rows.
  public init() {}

  /// The number of sequences, B.
  public var rowCount: Int { rows.count }

  /// The number of tokens in each row, prompt included, [B].
  public var lengths: [Int] { rows.map(\.length) }

  /// Adds rows behind the others: `copies[i]` rows that share prompt i.
  public mutating func append(_ prompts: consuming Prompts, copies: [Int]) {
    let segments = prompts.segments
    precondition(
      copies.count == segments.count,
      "KeyValueCache.append: expected copies for \(segments.count) prompts, found \(copies.count)")
    for (prompt, count) in zip(segments, copies) {
      for _ in 0..<count { rows.append(Row(prompt: prompt, own: prompt.copy(capacity: 0))) }
    }
  }

  /// Keeps only these rows, in this order; a row named twice goes on as two.
  public mutating func keep(rows kept: [Int]) {
    rows = kept.map { index in
      precondition(
        rows.indices.contains(index),
        "KeyValueCache.keep: expected rows below \(rows.count), found \(index)")
      return rows[index]
    }
  }

  /// Attention of one new token per row over its row, itself included; no gradient.
  ///
  /// The new key and value are added to the cache. Call it once for every layer, then `advance()`.
  /// - Parameters:
  ///   - layer: counted from 0.
  ///   - query: [B, H*hd]; H is a multiple of the number of key-value heads.
  ///   - key: [B, KV*hd], rotated.
  ///   - value: [B, KV*hd].
  /// - Returns: [B, H*hd].
  public mutating func decodeAttention(
    layer: Int, query: Tensor, key: Tensor, value: Tensor
  ) -> Tensor {
    guard let shape = rows.first?.prompt else {
      preconditionFailure("decodeAttention: expected at least one row, found none")
    }
    let (width, headDimension) = (shape.width, shape.headDimension)
    precondition(
      key.shape == [rows.count, width] && value.shape == key.shape,
      "decodeAttention: expected keys and values [\(rows.count), \(width)], "
        + "found \(key.shape), \(value.shape)")
    precondition(
      query.shape.rank == 2 && query.shape[0] == rows.count && query.shape[1] % width == 0,
      "decodeAttention: expected queries [\(rows.count), a multiple of \(width)], "
        + "found \(query.shape)")
    for row in rows.indices {
      rows[row].prepareToWrite()
      rows[row].own.put(layer: layer, at: rows[row].ownCount, token: row, key, value)
    }
    return attend(
      layer, query, heads: width / headDimension, group: query.shape[1] / width, headDimension)
  }

  /// The attention itself, divided over the threads by (row, key-value head).
  private func attend(
    _ layer: Int, _ query: Tensor, heads: Int, group: Int, _ headDimension: Int
  ) -> Tensor {
    let longest = (rows.map(\.length).max() ?? 0) + 1
    let grain = max(1, 1 << 14 / (longest * group * headDimension))
    return Tensor.make(query.shape) { result in
      Threads.split(rows.count * heads, grain: grain) { items in
        let scores = Storage(count: longest)
        defer { withExtendedLifetime(scores) {} }
        for item in items {
          let (row, head) = (rows[item / heads], item % heads)
          let parts = [
            row.prompt.head(head, layer, count: row.prompt.capacity),
            row.own.head(head, layer, count: row.ownCount + 1),
          ]
          let offset = item * group * headDimension
          plumb_cached_attention(
            query.base + offset, Int32(group), Int32(headDimension),
            1 / Float(headDimension).squareRoot(), parts, Int32(parts.count), scores.base,
            result.baseAddress.map { $0 + offset })
        }
      }
    }
  }

  /// Counts the tokens that every layer has seen by `decodeAttention`.
  public mutating func advance() {
    for row in rows.indices { rows[row].ownCount += 1 }
  }
}
