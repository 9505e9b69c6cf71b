import CKernels
import PlumbTensors
import PlumbTestSupport
import Testing

/// Attention to keys and values in pages, on every instruction set.
@Suite struct PagedAttentionTests {
  private func numbers(_ count: Int, _ purpose: String) -> [Float] {
    var stream = RandomStream(seed: 5, purpose: purpose)
    return (0..<count).map { _ in stream.normal() }
  }

  /// The result of each set and of the plain kernel; `edit` may spoil queries and pages.
  private func results(
    group: Int, dimension: Int, count: Int, scale: Float = 0.7,
    edit: (_ query: inout [Float], _ pages: inout [[Float]]) -> Void = { _, _ in }
  ) -> (fast: [[Float]], plain: [Float]) {
    let tokens = Int(PLUMB_PAGE_TOKENS)
    let offset = 7
    var query = numbers(group * dimension, "query")
    var pages = (0..<(count + tokens - 1) / tokens).map { page in
      numbers(offset + 2 * tokens * dimension, "page \(page)")
    }
    // What lies behind the last token may be anything.
    for t in count..<pages.count * tokens {
      for d in 0..<dimension {
        pages[t / tokens][offset + d * tokens + t % tokens] = .nan
        pages[t / tokens][offset + (tokens + t % tokens) * dimension + d] = .nan
      }
    }
    edit(&query, &pages)
    let buffers = pages.map { page in
      let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: page.count)
      _ = buffer.initialize(from: page)
      return buffer
    }
    defer { for buffer in buffers { buffer.deallocate() } }
    let addresses = buffers.map(\.baseAddress)
    var scores = [Float](repeating: .nan, count: group * pages.count * tokens)
    func run(_ kernel: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void)
      -> [Float]
    {
      var out = [Float](repeating: 7, count: group * dimension)
      kernel(&scores, &out)
      return out
    }
    let plain = run { scores, out in
      plumb_paged_attention_naive(
        query, group, dimension, scale, addresses, offset, count, scores, out)
    }
    let fast = instructionSets.map { set in
      run { scores, out in
        plumb_paged_attention_on(
          set, query, group, dimension, scale, addresses, offset, count, scores, out)
      }
    }
    return (fast, plain)
  }

  private func check(group: Int, dimension: Int, count: Int) {
    let (fast, plain) = results(group: group, dimension: dimension, count: count)
    for (set, result) in zip(instructionSets, fast) {
      expectClose(result, plain, absolute: 1e-5, relative: 1e-5, "\(set)")
    }
  }

  @Test func everyNumberOfTokens() {
    withEvery("tokens", in: 1...67) { count in
      withEvery("group", in: [1, 2, 3, 4, 7]) { group in
        check(group: group, dimension: 16, count: count)
      }
    }
  }

  @Test func everyHeadDimension() {
    withEvery("head dimension", in: 1...67) { dimension in
      withEvery("group", in: [1, 2, 5]) { group in
        check(group: group, dimension: dimension, count: 37)
      }
    }
    check(group: 4, dimension: 128, count: 200)
  }

  @Test func hostileNumbers() {
    let tokens = Int(PLUMB_PAGE_TOKENS)
    for bad in [Float.nan, .infinity, -.infinity] {
      withEvery("head dimension", in: [6, 32]) { dimension in
        let spoiledKey = results(group: 2, dimension: dimension, count: 20) { _, pages in
          pages[1][7 + 3 * tokens + 2] = bad
        }
        let spoiledQuery = results(group: 2, dimension: dimension, count: 20) { query, _ in
          query[dimension + 1] = bad
        }
        for (fast, plain) in [spoiledKey, spoiledQuery] {
          for result in fast { expectClose(result, plain, absolute: 1e-5, relative: 1e-5) }
        }
        // The other head does not notice.
        #expect(spoiledQuery.plain.prefix(dimension).allSatisfy { $0.isFinite })
        #expect(spoiledQuery.plain.suffix(dimension).contains { !$0.isFinite })
      }
    }
    // Denormals, and scores so far apart that all but one weight vanish.
    let small = results(group: 1, dimension: 9, count: 33) { query, pages in
      for i in query.indices { query[i] *= 1e-38 }
      for i in pages[0].indices { pages[0][i] *= 1e-30 }
    }
    let large = results(group: 1, dimension: 9, count: 33, scale: 1e4)
    for (fast, plain) in [small, large] {
      for result in fast { expectClose(result, plain, absolute: 1e-5, relative: 1e-5) }
    }
  }
}
