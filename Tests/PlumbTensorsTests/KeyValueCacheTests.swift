import CKernels
import PlumbTensors
import PlumbTestSupport
import Testing

/// Attention against cached keys and values: the kernel, and the cache against the packed operation.
@Suite struct KeyValueCacheTests {
  private func random(_ count: Int, _ purpose: String, _ step: Int = 0) -> [Float] {
    var stream = RandomStream(seed: 11, purpose: purpose, step: step)
    return (0..<count).map { _ in stream.normal() }
  }

  @Test func kernelEqualsNaive() {
    withEvery("prompt", in: [0, 1, 31, 32, 33, 67]) { prompt in
      withEvery("own", in: [1, 2, 40]) { own in
        withEvery("head dimension", in: [1, 2, 6, 16, 33]) { dimension in
          let (group, capacity) = (3, own + 5)
          let query = random(group * dimension, "query")
          let promptKeys = random(max(1, prompt) * dimension, "prompt keys")
          let promptValues = random(max(1, prompt) * dimension, "prompt values")
          let ownKeys = random(capacity * dimension, "keys")
          let ownValues = random(capacity * dimension, "values")
          var scores = [Float](repeating: .nan, count: prompt + own)
          var fast = [Float](repeating: .nan, count: group * dimension)
          var naive = fast
          promptKeys.withUnsafeBufferPointer { promptKeys in
            promptValues.withUnsafeBufferPointer { promptValues in
              ownKeys.withUnsafeBufferPointer { ownKeys in
                ownValues.withUnsafeBufferPointer { ownValues in
                  let parts = [
                    plumb_cached_head(
                      keys: promptKeys.baseAddress, values: promptValues.baseAddress,
                      count: Int32(prompt), stride: Int32(prompt)),
                    plumb_cached_head(
                      keys: ownKeys.baseAddress, values: ownValues.baseAddress, count: Int32(own),
                      stride: Int32(capacity)),
                  ]
                  plumb_cached_attention(
                    query, Int32(group), Int32(dimension), 0.7, parts, 2, &scores, &fast)
                  plumb_cached_attention_naive(
                    query, Int32(group), Int32(dimension), 0.7, parts, 2, &scores, &naive)
                }
              }
            }
          }
          expectClose(fast, naive, absolute: 1e-5, relative: 1e-5)
        }
      }
    }
  }

  /// Tokens that come one by one see what they see in the packed operation.
  @Test func cacheEqualsPackedAttention() {
    let (heads, keyValueHeads, dimension, layers) = (4, 2, 6, 3)
    let (prompts, copies, steps) = ([5, 2], [2, 1], 20)
    let width = keyValueHeads * dimension
    let rowPrompts = zip(prompts, copies).flatMap { Array(repeating: $0, count: $1) }
    for layer in 0..<layers {
      // Each prompt has its own keys; copies of it share them and then differ.
      let promptKeys = prompts.indices.map { random(prompts[$0] * width, "pk\($0)", layer) }
      let promptValues = prompts.indices.map { random(prompts[$0] * width, "pv\($0)", layer) }
      let owner = [0, 0, 1]
      var keys = owner.map { promptKeys[$0] }
      var values = owner.map { promptValues[$0] }

      var cached = KeyValueCache.Prompts(
        lengths: prompts, layerCount: layers, width: width, headDimension: dimension)
      cached.store(
        layer: layer, key: Tensor(promptKeys.flatMap { $0 }, shape: [prompts.reduce(0, +), width]),
        value: Tensor(promptValues.flatMap { $0 }, shape: [prompts.reduce(0, +), width]))
      var cache = KeyValueCache()
      cache.append(cached, copies: copies)
      #expect(cache.lengths == rowPrompts)

      for step in 0..<steps {
        let query = random(3 * heads * dimension, "query", step)
        let key = random(3 * width, "key", step)
        let value = random(3 * width, "value", step)
        let found = cache.decodeAttention(
          layer: layer, query: Tensor(query, shape: [3, heads * dimension]),
          key: Tensor(key, shape: [3, width]), value: Tensor(value, shape: [3, width]))
        cache.advance()
        for row in 0..<3 {
          keys[row] += key[row * width..<(row + 1) * width]
          values[row] += value[row * width..<(row + 1) * width]
          let length = keys[row].count / width
          #expect(cache.lengths[row] == length)
          var queries = [Float](repeating: 0, count: (length - 1) * heads * dimension)
          queries += query[row * heads * dimension..<(row + 1) * heads * dimension]
          let packed = causalAttention(
            query: Tensor(queries, shape: [length, heads * dimension]),
            key: Tensor(keys[row], shape: [length, width]),
            value: Tensor(values[row], shape: [length, width]),
            layout: PackedLayout(lengths: [length]), headDimension: dimension)
          expectClose(
            found.rows(at: [row]).scalars, packed.rows(at: [length - 1]).scalars, absolute: 1e-5,
            relative: 1e-5, "layer \(layer), step \(step), row \(row)")
        }
      }
    }
  }

  @Test func wrongShapesTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = KeyValueCache.Prompts(lengths: [2], layerCount: 1, width: 5, headDimension: 2)
    }
    await #expect(processExitsWith: .failure) {
      _ = KeyValueCache.Prompts(lengths: [0], layerCount: 1, width: 4, headDimension: 2)
    }
    await #expect(processExitsWith: .failure) {
      var prompts = KeyValueCache.Prompts(
        lengths: [2], layerCount: 1, width: 4, headDimension: 2)
      prompts.store(layer: 0, key: .zeros([3, 4]), value: .zeros([3, 4]))
    }
    await #expect(processExitsWith: .failure) {
      var cache = KeyValueCache()
      cache.append(
        KeyValueCache.Prompts(lengths: [2], layerCount: 1, width: 4, headDimension: 2),
        copies: [1])
      _ = cache.decodeAttention(
        layer: 0, query: .zeros([1, 6]), key: .zeros([1, 4]), value: .zeros([1, 4]))
    }
    await #expect(processExitsWith: .failure) {
      var cache = KeyValueCache()
      cache.keep(rows: [0])
    }
  }
}
