import PlumbTestSupport
import Testing

@testable import PlumbTensors

@Suite struct RandomStreamTests {
  struct KnownAnswer: Sendable {
    let counter: SIMD4<UInt32>
    let key: SIMD2<UInt32>
    let words: SIMD4<UInt32>
  }

  /// Random123's `kat_vectors`, lines `philox4x32 10`; the third takes the digits of pi.
  static let knownAnswers = [
    KnownAnswer(
      counter: .zero, key: .zero,
      words: [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
    KnownAnswer(
      counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max),
      words: [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
    KnownAnswer(
      counter: [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
      key: [0xa409_3822, 0x299f_31d0],
      words: [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
  ]

  @Test(arguments: knownAnswers)
  func philoxGivesThePublishedWords(_ answer: KnownAnswer) {
    #expect(RandomStream.philox(counter: answer.counter, key: answer.key) == answer.words)
  }

  @Test func theSameAddressGivesTheSameNumbers() {
    var first = RandomStream(seed: 7, purpose: "rollout", step: 3, row: 5)
    var second = RandomStream(seed: 7, purpose: "rollout", step: 3, row: 5)
    #expect((0..<9).map { _ in first.next() } == (0..<9).map { _ in second.next() })
  }

  /// Pinned, so that a run of today can be repeated by a later version.
  @Test func theKeyingIsPinned() {
    var stream = RandomStream(seed: 7, purpose: "rollout", step: 3, row: 5)
    #expect(stream.next() == 9_287_022_699_243_402_893)
  }

  @Test func everyPartOfTheAddressMatters() {
    var streams = [
      RandomStream(seed: 7, purpose: "rollout", step: 3, row: 5),
      RandomStream(seed: 8, purpose: "rollout", step: 3, row: 5),
      RandomStream(seed: 7, purpose: "shuffle", step: 3, row: 5),
      RandomStream(seed: 7, purpose: "rollout", step: 5, row: 3),
      RandomStream(seed: 7, purpose: "rollout", step: 3, row: 6),
      RandomStream(seed: 7, purpose: "rollout", step: 3, row: 4),
    ]
    let draws = streams.indices.map { streams[$0].next() }
    #expect(Set(draws).count == streams.count)
  }

  @Test func uniformFillsTheUnitIntervalEvenly() {
    var stream = RandomStream(seed: 1, purpose: "uniform")
    let count = 40_000
    var tenths = [Int](repeating: 0, count: 10)
    for _ in 0..<count {
      let value = stream.uniform()
      #expect(value >= 0 && value < 1)
      tenths[Int(value * 10)] += 1
    }
    // Chi-squared with 9 degrees of freedom exceeds 27.9 once in a thousand.
    let expected = Double(count) / 10
    let chiSquared = tenths.reduce(0) {
      $0 + (Double($1) - expected) * (Double($1) - expected) / expected
    }
    #expect(chiSquared < 27.9)
  }

  @Test func normalHasTheMomentsOfANormal() {
    var stream = RandomStream(seed: 2, purpose: "normal")
    let count = 100_000
    let values = (0..<count).map { _ in Double(stream.normal()) }
    func moment(_ power: Int) -> Double {
      values.reduce(0) { sum, x in sum + (0..<power).reduce(1.0) { product, _ in product * x } }
        / Double(count)
    }
    // Four standard errors: sqrt(1/n), sqrt(2/n), sqrt(15/n), sqrt(96/n).
    #expect(isClose(moment(1), 0, absolute: 0.013))
    #expect(isClose(moment(2), 1, absolute: 0.018))
    #expect(isClose(moment(3), 0, absolute: 0.049))
    #expect(isClose(moment(4), 3, absolute: 0.124))
    #expect(values.allSatisfy { $0.isFinite })
  }

  @Test func uniformBelowStaysBelow() {
    var stream = RandomStream(seed: 3, purpose: "below")
    withEvery("bound", in: [1, 2, 3, 1000, Int.max]) { bound in
      for _ in 0..<50 { #expect((0..<bound).contains(stream.uniform(below: bound))) }
    }
  }

  @Test func everyPermutationOfThreeIsEquallyLikely() {
    var stream = RandomStream(seed: 4, purpose: "permutation")
    var seen: [[Int]: Int] = [:]
    for _ in 0..<6000 { seen[stream.permutation(3), default: 0] += 1 }
    #expect(seen.count == 6)
    // 1000 each with a standard deviation of 29.
    #expect(seen.values.allSatisfy { abs($0 - 1000) < 120 })
  }

  @Test func aPermutationHoldsEveryNumberOnce() {
    var stream = RandomStream(seed: 5, purpose: "permutation")
    withEvery("count", in: [0, 1, 2, 100]) { count in
      #expect(stream.permutation(count).sorted() == Array(0..<count))
    }
  }

  @Test func badArgumentsTrap() async {
    await #expect(processExitsWith: .failure) { _ = RandomStream(seed: 0, purpose: "", step: -1) }
    await #expect(processExitsWith: .failure) {
      _ = RandomStream(seed: 0, purpose: "", row: 1 << 32)
    }
    await #expect(processExitsWith: .failure) {
      var stream = RandomStream(seed: 0, purpose: "")
      _ = stream.uniform(below: 0)
    }
    await #expect(processExitsWith: .failure) {
      var stream = RandomStream(seed: 0, purpose: "")
      _ = stream.permutation(-1)
    }
  }
}
