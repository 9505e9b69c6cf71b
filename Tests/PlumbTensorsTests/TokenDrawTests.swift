import CKernels
import Foundation
import PlumbTensors
import PlumbTestSupport
import Testing

/// Drawing a token, on every instruction set, against the distribution by its definition.
@Suite struct TokenDrawTests {
  private func logits(_ count: Int, spread: Float) -> [Float] {
    var stream = RandomStream(seed: UInt64(count), purpose: "logits")
    return (0..<count).map { _ in spread * stream.normal() }
  }

  private func options(
    temperature: Float = 1, topK: Int? = nil, topP: Float? = nil, minP: Float? = nil,
    penalty: Float = 1
  ) -> DrawOptions {
    var options = DrawOptions()
    options.temperature = temperature
    options.topK = topK
    options.topP = topP
    options.minP = minP
    options.repetitionPenalty = penalty
    return options
  }

  private func draw(
    _ set: plumb_instructions, _ logits: [Float], _ options: DrawOptions, _ uniform: Double,
    _ seen: Set<Int32>
  ) -> TokenDraw? {
    var words = [UInt64](repeating: 0, count: logits.count / 64 + 1)
    for id in seen where Int(id) < logits.count { words[Int(id) / 64] |= 1 << UInt64(id % 64) }
    var scratch = [Float](repeating: .nan, count: plumb_draw_scratch(logits.count))
    var view = plumb_draw_options(
      temperature: options.temperature, top_k: options.topK ?? 0, top_p: options.topP ?? 1,
      min_p: options.minP ?? 0, repetition_penalty: options.repetitionPenalty)
    var logprob: Float = .nan
    let token = plumb_draw_on(
      set, logits, logits.count, &view, uniform, words, &scratch, &logprob)
    return token < 0 ? nil : TokenDraw(token: token, logprob: logprob)
  }

  /// In the middle of a token's share of [0, 1) that token is drawn, and no other anywhere.
  private func check(_ logits: [Float], _ options: DrawOptions, seen: Set<Int32> = [])
    throws
  {
    let expected = try #require(plainDistribution(logits, options, seen: seen))
    var plain = DrawOptions()
    plain.temperature = options.temperature
    let whole = try #require(plainDistribution(logits, plain))
    for set in instructionSets {
      var mass = 0.0
      for (token, share) in expected.enumerated() {
        if share > 1e-4 {
          let found = draw(set, logits, options, mass + share / 2, seen)
          #expect(found?.token == Int32(token), "\(options), share \(share), \(set)")
          expectClose(
            Double(found?.logprob ?? .nan), log(whole[token]), absolute: 1e-5, relative: 1e-5)
        }
        mass += share
      }
      for place in 0..<50 {
        let found = draw(set, logits, options, Double(place) / 50, seen)
        #expect(expected[Int(found?.token ?? 0)] > 0)
      }
    }
  }

  @Test(arguments: [1, 2, 7, 50, 127, 128, 129, 1000])
  func unfiltered(count: Int) throws {
    for spread: Float in [0, 0.1, 1, 5] {
      try check(logits(count, spread: spread), options())
      try check(logits(count, spread: spread), options(temperature: 0.7))
    }
  }

  @Test(arguments: [1, 2, 7, 50, 129, 1000])
  func filters(count: Int) throws {
    let seen: Set<Int32> = [0, 3, 5, 48, 128, 999]
    for spread: Float in [0, 0.1, 1, 5] {
      let values = logits(count, spread: spread)
      for topP: Float in [0.01, 0.3, 0.8, 0.95, 0.999] { try check(values, options(topP: topP)) }
      for topK in [1, 2, 5, 49, 50, 2000] { try check(values, options(topK: topK)) }
      for minP: Float in [0.01, 0.3, 1] { try check(values, options(minP: minP)) }
      try check(values, options(penalty: 1.3), seen: seen)
      try check(
        values, options(temperature: 0.8, topK: 40, topP: 0.9, minP: 0.02, penalty: 1.2),
        seen: seen)
    }
  }

  @Test func ties() throws {
    // Top-k keeps all that equal the k-th; of equals top-p drops higher ids first.
    let values: [Float] = [1, 3, 2, 2, 0, 2]
    try check(values, options(topK: 2))
    try check(values, options(topP: 0.7))
    let equal = [Float](repeating: 1, count: 64)
    try check(equal, options(topP: 0.5))
    for set in instructionSets {
      let last = draw(set, equal, options(topP: 0.5), 0.999_999, [])
      #expect(last?.token == 32 || last?.token == 31)
    }
  }

  @Test func greedyTakesTheFirstLargest() {
    for set in instructionSets {
      for count in 1...67 {
        var values = logits(count, spread: 1)
        values[count / 2] = 9
        values[count - 1] = 9
        let found = draw(set, values, options(temperature: 0), 0.3, [])
        #expect(found?.token == Int32(count / 2))
      }
      let penalized = draw(set, [5, 4, 3], options(temperature: 0, penalty: 10), 0, [0])
      #expect(penalized?.token == 1)
      expectClose(
        penalized?.logprob ?? .nan, Float(4 - 5 - log(1 + exp(-1.0) + exp(-2.0))), absolute: 1e-6)
    }
  }

  @Test func hostileLogits() {
    let bad: [[Float]] = [
      [], [.nan], [.nan, 1], [1, .nan], [-.infinity, -.infinity], [.infinity, 1],
      [.infinity, .nan], [Float](repeating: 0, count: 200) + [.nan],
    ]
    for set in instructionSets {
      for values in bad {
        for choice in [options(), options(temperature: 0), options(topK: 1), options(topP: 0.5)] {
          #expect(draw(set, values, choice, 0.5, []) == nil)
        }
      }
      #expect(draw(set, [-.infinity, 0], options(), 0, [])?.token == 1)
      #expect(draw(set, [0, -.infinity], options(), 0.999_999, [])?.token == 0)
      // Logits that underflow are never drawn; denormal ones are logits like any other.
      let far = draw(set, [200, 1, .leastNonzeroMagnitude], options(), 0.999_999_999, [])
      #expect(far == TokenDraw(token: 0, logprob: 0))
      // A token that the penalty makes likely though its own weight underflows.
      let likely = draw(set, [200, 1], options(temperature: 0, penalty: 1000), 0, [0])
      #expect(likely == TokenDraw(token: 1, logprob: -199))
    }
  }
}
