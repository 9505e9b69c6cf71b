import CKernels

/// Causal self-attention over packed sequences, with grouped queries.
///
/// Grouped queries: Ainslie et al. 2023. Each token attends to its segment up to itself, and to all of the segment's prefix:
/// `softmax(q k^T / sqrt(hd)) v`. Scores exist only in tiles; backward computes them again from the
/// logarithms of the softmax sums (as Dao et al. 2022 do).
/// - Parameters:
///   - query: [N, H * hd].
///   - key: [N, KV * hd]; H must be a multiple of KV, and head h reads key head h / (H / KV).
///   - value: [N, KV * hd].
///   - layout: the segments, N tokens in all.
///   - headDimension: hd.
/// - Returns: [N, H * hd].
public func causalAttention(
  query: Tensor, key: Tensor, value: Tensor, layout: PackedLayout, headDimension: Int
) -> Tensor {
  let count = layout.tokenCount
  precondition(
    query.shape.rank == 2 && key.shape.rank == 2 && query.shape[0] == count
      && key.shape[0] == count && value.shape == key.shape,
    "causalAttention: expected \(count) rows of query, key and value, found \(query.shape), "
      + "\(key.shape) and \(value.shape)")
  let (queryWidth, keyWidth) = (query.shape[1], key.shape[1])
  precondition(
    headDimension > 0 && keyWidth > 0 && keyWidth % headDimension == 0
      && queryWidth % keyWidth == 0,
    "causalAttention: expected widths H * \(headDimension) and KV * \(headDimension) with H a "
      + "multiple of KV, found \(queryWidth) and \(keyWidth)")
  let attention = AttentionKernel(
    layout: layout, headDimension: headDimension, headCount: queryWidth / headDimension,
    keyValueHeadCount: keyWidth / headDimension)
  let logsumexps = Storage(count: count * attention.headCount)
  let storage = Storage(count: query.count)
  attention.forward(
    AttentionKernel.Operands(query: query, key: key, value: value), into: storage.base,
    logsumexps: logsumexps)
  let node = Node.recorded(query.shape, inputs: [query, key, value]) { gradient, cotangents in
    var dQuery = cotangents.open(query)
    var dKey = cotangents.open(key)
    var dValue = cotangents.open(value)
    for share in [dKey, dValue] {
      if let share, share.isFresh { share.buffer.update(repeating: 0) }
    }
    attention.backward(
      AttentionKernel.Operands(query: query, key: key, value: value), result: storage,
      logsumexps: logsumexps, gradient: gradient,
      to: AttentionKernel.Shares(query: dQuery, key: dKey, value: dValue))
    cotangents.close(&dQuery)
    cotangents.close(&dKey)
    cotangents.close(&dValue)
  }
  return Tensor(shape: query.shape, storage: storage, node: node)
}

/// The loops of attention over groups of segments, heads and blocks of query rows.
struct AttentionKernel: Sendable {
  struct Operands {
    let query: Tensor
    let key: Tensor
    let value: Tensor
  }

  struct Shares {
    let query: Cotangents.Share?
    let key: Cotangents.Share?
    let value: Cotangents.Share?
  }

  let layout: PackedLayout
  let headDimension: Int
  let headCount: Int
  let keyValueHeadCount: Int

  /// Query rows per tile: small enough that little is computed above the diagonal.
  static let blockRows = 64

  var queryWidth: Int { headCount * headDimension }
  var keyWidth: Int { keyValueHeadCount * headDimension }
  var headsPerKey: Int { headCount / keyValueHeadCount }
  var scale: Float { 1 / Float(headDimension).squareRoot() }

  /// One tile of scores: some query rows of a segment against all keys they may see.
  struct Tile {
    /// The first query row among all tokens, and the number of rows.
    let row: Int
    let rows: Int
    /// Where the prefix starts among all tokens, and its length, 0 without a prefix.
    let prefixStart: Int
    let prefixCount: Int
    /// Where the segment starts, and how many of its own keys the last row sees.
    let ownStart: Int
    let ownCount: Int

    /// All keys that the last row sees.
    var width: Int { prefixCount + ownCount }
    /// The keys that the first row sees.
    var visible: Int { width - rows + 1 }
  }

  func tiles(of segment: PackedLayout.Segment) -> [Tile] {
    let prefix = segment.prefix.map { layout.segments[$0] }
    return stride(from: 0, to: segment.count, by: Self.blockRows).map { start in
      let end = min(segment.count, start + Self.blockRows)
      return Tile(
        row: segment.start + start, rows: end - start, prefixStart: prefix?.start ?? 0,
        prefixCount: prefix?.count ?? 0, ownStart: segment.start, ownCount: end)
    }
  }

  func forward(
    _ operands: Operands, into result: UnsafeMutablePointer<Float>, logsumexps: Storage
  ) {
    let segments = layout.segments
    Threads.each(segments.count * headCount) { index in
      let head = index % headCount
      let tiles = tiles(of: segments[index / headCount])
      guard let last = tiles.last else { return }
      let sums = Storage(count: Self.blockRows)
      let scores = Storage(count: Self.blockRows * last.width)
      defer { withExtendedLifetime((sums, scores)) {} }
      for tile in tiles {
        let y = result + tile.row * queryWidth + head * headDimension
        computeScores(tile, head, operands, into: scores.base)
        plumb_causal_exponentials(
          tile.rows, tile.width, tile.visible, scores.base, sums.base,
          logsumexps.base + tile.row * headCount + head, headCount)
        let weights = MatrixView(scores.base, tile.rows, tile.width)
        var beta: Float = 0
        for part in keyParts(tile, operands.value, head) {
          multiplyHere(
            weights.columns(part.columns), part.matrix, into: y, stride: queryWidth, beta: beta)
          beta = 1
        }
        plumb_divide_rows(tile.rows, headDimension, queryWidth, y, sums.base)
      }
    }
  }

  func backward(
    _ operands: Operands, result: Storage, logsumexps: Storage, gradient: Tensor, to shares: Shares
  ) {
    // All segments that touch the same keys form a group, and all heads that do so go together:
    // no two threads ever add to the same place, and the order of additions is fixed.
    var groups: [[PackedLayout.Segment]] = []
    var groupOfSegment: [Int] = []
    for segment in layout.segments {
      if let prefix = segment.prefix {
        groupOfSegment.append(groupOfSegment[prefix])
        groups[groupOfSegment[prefix]].append(segment)
      } else {
        groupOfSegment.append(groups.count)
        groups.append([segment])
      }
    }
    Threads.each(groups.count * keyValueHeadCount) { index in
      let keyHead = index % keyValueHeadCount
      let tiles = groups[index / keyValueHeadCount].flatMap(tiles(of:))
      let widest = tiles.lazy.map(\.width).max() ?? 0
      let scores = Storage(count: Self.blockRows * widest)
      let slopes = Storage(count: Self.blockRows * widest)
      let deltas = Storage(count: Self.blockRows)
      defer { withExtendedLifetime((scores, slopes, deltas)) {} }
      for head in (keyHead * headsPerKey)..<((keyHead + 1) * headsPerKey) {
        for tile in tiles {
          let at = tile.row * queryWidth + head * headDimension
          let g = MatrixView(gradient.base + at, tile.rows, headDimension, stride: queryWidth)
          plumb_row_dots(
            tile.rows, headDimension, queryWidth, g.base, result.base + at, deltas.base)
          computeScores(tile, head, operands, into: scores.base)
          for part in keyParts(tile, operands.value, head) {
            multiplyHere(
              g, part.matrix.transposed, into: slopes.base + part.columns.lowerBound,
              stride: tile.width)
          }
          plumb_causal_backward(
            tile.rows, tile.width, tile.visible, scale,
            logsumexps.base + tile.row * headCount + head, headCount, deltas.base, scores.base,
            slopes.base)
          addGradients(tile, head, operands, g, scores.base, slopes.base, to: shares)
        }
      }
    }
  }

  /// dV += P^T G, dK += dS^T Q, dQ += dS K for one tile.
  private func addGradients(
    _ tile: Tile, _ head: Int, _ operands: Operands, _ g: MatrixView,
    _ probabilities: UnsafePointer<Float>, _ slopes: UnsafePointer<Float>, to shares: Shares
  ) {
    let p = MatrixView(probabilities, tile.rows, tile.width)
    let ds = MatrixView(slopes, tile.rows, tile.width)
    let at = tile.row * queryWidth + head * headDimension
    let q = MatrixView(operands.query.base + at, tile.rows, headDimension, stride: queryWidth)
    var beta: Float = shares.query?.isFresh == true ? 0 : 1
    for part in keyParts(tile, operands.key, head) {
      if let dv = shares.value {
        multiplyHere(
          p.columns(part.columns).transposed, g, into: dv.base(at: part.offset), stride: keyWidth,
          beta: 1)
      }
      if let dk = shares.key {
        multiplyHere(
          ds.columns(part.columns).transposed, q, into: dk.base(at: part.offset),
          stride: keyWidth, beta: 1)
      }
      if let dq = shares.query {
        multiplyHere(
          ds.columns(part.columns), part.matrix, into: dq.base(at: at), stride: queryWidth,
          beta: beta)
        beta = 1
      }
    }
  }

  /// The scaled scores of a tile, [rows, width]; entries above the diagonal are filled too.
  private func computeScores(
    _ tile: Tile, _ head: Int, _ operands: Operands, into scores: UnsafeMutablePointer<Float>
  ) {
    let q = MatrixView(
      operands.query.base + tile.row * queryWidth + head * headDimension, tile.rows,
      headDimension, stride: queryWidth)
    for part in keyParts(tile, operands.key, head) {
      multiplyHere(
        q, part.matrix.transposed, into: scores + part.columns.lowerBound, stride: tile.width,
        alpha: scale)
    }
  }

  /// The keys or values that a tile sees: those of the prefix, if any, then its own.
  private func keyParts(
    _ tile: Tile, _ x: Tensor, _ head: Int
  ) -> [(columns: Range<Int>, offset: Int, matrix: MatrixView)] {
    let column = head / headsPerKey * headDimension
    func part(_ columns: Range<Int>, _ row: Int) -> (Range<Int>, Int, MatrixView) {
      let offset = row * keyWidth + column
      return (
        columns, offset,
        MatrixView(x.base + offset, columns.count, headDimension, stride: keyWidth)
      )
    }
    let own = part(tile.prefixCount..<tile.width, tile.ownStart)
    return tile.prefixCount > 0 ? [part(0..<tile.prefixCount, tile.prefixStart), own] : [own]
  }
}
