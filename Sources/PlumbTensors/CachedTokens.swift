import CKernels

extension KeyValueCache {
  /// Keys and values of prompts on their way into a cache.
  public struct Prompts: ~Copyable, Sendable {
    let segments: [CachedTokens]

    /// Room for prompts.
    /// - Parameters:
    ///   - lengths: tokens of each prompt, at least 1; they lie end to end in `store`.
    ///   - layerCount: L.
    ///   - width: KV*hd.
    ///   - headDimension: hd.
    public init(lengths: [Int], layerCount: Int, width: Int, headDimension: Int) {
      segments = lengths.map { length in
        precondition(length > 0, "KeyValueCache.Prompts: expected no empty prompt, found one")
        return CachedTokens(
          layerCount: layerCount, width: width, headDimension: headDimension, capacity: length)
      }
    }

    /// Takes the keys (rotated) and values of one layer, [sum of lengths, KV*hd].
    public mutating func store(layer: Int, key: Tensor, value: Tensor) {
      let tokens = segments.reduce(0) { $0 + $1.capacity }
      let width = segments.first?.width ?? 0
      precondition(
        key.shape == [tokens, width] && value.shape == key.shape,
        "KeyValueCache.Prompts: expected keys and values [\(tokens), \(width)], "
          + "found \(key.shape), \(value.shape)")
      var token = 0
      for segment in segments {
        for position in 0..<segment.capacity {
          segment.put(layer: layer, at: position, token: token, key, value)
          token += 1
        }
      }
    }
  }
}

/// Keys and values of one run of tokens in every layer.
///
/// Keys are [L, KV, hd, capacity], values [L, KV, capacity, hd]: both inner loops of attention run
/// along memory. Written only while a single row, or a `Prompts` under construction, holds it; that
/// rule, kept by the cache, makes it sendable.
final class CachedTokens: @unchecked Sendable {
  let layerCount: Int
  let width: Int
  let headDimension: Int
  let capacity: Int
  private let keys: Storage
  private let values: Storage

  init(layerCount: Int, width: Int, headDimension: Int, capacity: Int) {
    precondition(
      headDimension > 0 && width > 0 && width % headDimension == 0,
      "KeyValueCache: expected a width that is a multiple of \(headDimension), found \(width)")
    self.layerCount = layerCount
    self.width = width
    self.headDimension = headDimension
    self.capacity = capacity
    keys = Storage(count: layerCount * width * capacity)
    values = Storage(count: layerCount * width * capacity)
  }

  /// A copy with another capacity; tokens beyond it are left out.
  func copy(capacity: Int) -> CachedTokens {
    let result = CachedTokens(
      layerCount: layerCount, width: width, headDimension: headDimension, capacity: capacity)
    let count = min(capacity, self.capacity)
    for line in 0..<layerCount * width {
      (result.keys.base + line * capacity).update(
        from: keys.base + line * self.capacity, count: count)
    }
    for head in 0..<layerCount * width / headDimension {
      (result.values.base + head * capacity * headDimension).update(
        from: values.base + head * self.capacity * headDimension, count: count * headDimension)
    }
    return result
  }

  /// Writes row `token` of `key` and `value` as the token at `position`.
  func put(layer: Int, at position: Int, token: Int, _ key: Tensor, _ value: Tensor) {
    precondition(
      layer >= 0 && layer < layerCount,
      "KeyValueCache: expected a layer below \(layerCount), found \(layer)")
    let (newKey, newValue) = (key.base + token * width, value.base + token * width)
    let lines = keys.base + layer * width * capacity + position
    for i in 0..<width { lines[i * capacity] = newKey[i] }
    let heads = values.base + layer * width * capacity + position * headDimension
    for head in 0..<width / headDimension {
      (heads + head * capacity * headDimension).update(
        from: newValue + head * headDimension, count: headDimension)
    }
  }

  /// What the kernel reads for one head of one layer.
  func head(_ head: Int, _ layer: Int, count: Int) -> plumb_cached_head {
    let offset = (layer * width + head * headDimension) * capacity
    return plumb_cached_head(
      keys: keys.base + offset, values: values.base + offset, count: Int32(count),
      stride: Int32(capacity))
  }
}
