import Foundation
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbRollouts

@Suite struct TokenSamplerTests {
  private func logits(_ count: Int, seed: UInt64, spread: Float = 3) -> [Float] {
    var stream = RandomStream(seed: seed, purpose: "logits")
    return (0..<count).map { _ in spread * stream.normal() }
  }

  @Test func samplerDrawsTheDistribution() throws {
    let values = logits(12, seed: 4, spread: 1)
    let options = SamplingOptions(temperature: 0.8, seed: 9)
    var counts = [Double](repeating: 0, count: 12)
    var sampler = TokenSampler(options: options, prompt: [], step: 0, row: 0)
    let expected = try #require(plainDistribution(values, options.draws))
    for _ in 0..<20_000 {
      let next = sampler.next(values)
      let draw = try #require(next)
      counts[Int(draw.token)] += 1
      expectClose(draw.logprob, Float(log(expected[Int(draw.token)])), absolute: 1e-5)
    }
    // Five standard deviations of a binomial share.
    for (count, p) in zip(counts, expected) {
      #expect(abs(count / 20_000 - Double(p)) < 5 * (Double(p) / 20_000).squareRoot())
    }
  }

  @Test func randomNumbersAreKeyedByRowStepAndSeed() {
    let values = [Float](repeating: 0, count: 1000)
    func draws(seed: UInt64, step: Int, row: Int) -> [Int32] {
      var sampler = TokenSampler(
        options: SamplingOptions(seed: seed), prompt: [], step: step, row: row)
      return (0..<5).compactMap { _ in sampler.next(values)?.token }
    }
    let base = draws(seed: 1, step: 2, row: 3)
    #expect(base == draws(seed: 1, step: 2, row: 3))
    #expect(base != draws(seed: 2, step: 2, row: 3))
    #expect(base != draws(seed: 1, step: 3, row: 3))
    #expect(base != draws(seed: 1, step: 2, row: 4))
  }

  @Test func greedyTakesTheFirstLargest() throws {
    var sampler = TokenSampler(
      options: SamplingOptions(temperature: 0), prompt: [], step: 0, row: 0)
    let next = sampler.next([0, 2, 1, 2])
    let draw = try #require(next)
    #expect(draw.token == 1)
    let sum = 2 * exp(2.0) + exp(1.0) + 1
    expectClose(Double(draw.logprob), 2 - log(sum), absolute: 1e-6)
  }

  @Test func repetitionPenaltyCountsDrawnTokens() {
    var sampler = TokenSampler(
      options: SamplingOptions(temperature: 0, repetitionPenalty: 10), prompt: [0], step: 0, row: 0)
    let values: [Float] = [5, 4, 3, -1]
    let drawn = (0..<3).compactMap { _ in sampler.next(values)?.token }
    #expect(drawn == [1, 2, 0])
  }

  @Test func logprobOfATokenThatUnderflowsIsFinite() throws {
    var sampler = TokenSampler(
      options: SamplingOptions(temperature: 0, repetitionPenalty: 1000), prompt: [0], step: 0,
      row: 0)
    let next = sampler.next([200, 1])
    let draw = try #require(next)
    #expect(draw == TokenDraw(token: 1, logprob: -199))
  }

  @Test func logitsThatGiveNoDistribution() {
    for values: [Float] in [[.nan, 1], [1, .nan], [-.infinity, -.infinity], [.infinity, 1], []] {
      for temperature: Float in [0, 1] {
        var sampler = TokenSampler(
          options: SamplingOptions(temperature: temperature), prompt: [], step: 0, row: 0)
        let draw = sampler.next(values)
        #expect(draw == nil)
      }
    }
    var forbidden = TokenSampler(options: SamplingOptions(), prompt: [], step: 0, row: 0)
    let only = forbidden.next([-.infinity, 0])
    #expect(only?.token == 1)
  }

  @Test func badOptionsAreNamed() {
    let bad: [SamplingOptions] = [
      SamplingOptions(temperature: -1), SamplingOptions(temperature: .nan),
      SamplingOptions(topK: 0), SamplingOptions(topP: 0), SamplingOptions(topP: 1.5),
      SamplingOptions(minP: -0.1), SamplingOptions(repetitionPenalty: 0),
      SamplingOptions(maximumNewTokens: 0),
    ]
    for options in bad { #expect(throws: RolloutError.self) { try options.validate() } }
    #expect(throws: Never.self) { try SamplingOptions().validate() }
  }
}
