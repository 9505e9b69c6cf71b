import Foundation
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct LogitFilterTests {
  private func logits(_ count: Int, seed: UInt64, spread: Float = 3) -> [Float] {
    var stream = RandomStream(seed: seed, purpose: "logits")
    return (0..<count).map { _ in spread * stream.normal() }
  }

  private func kept(_ filters: LogitFilters) -> [Int] {
    filters.logits.indices.filter { filters.logits[$0] > -.infinity }
  }

  /// The definition: sort everything, drop the ascending tail whose mass is at most 1 - p.
  private func nucleus(_ logits: [Float], _ mass: Double) -> [Int] {
    let largest = logits.max() ?? 0
    let weights = logits.map { exp(Double($0 - largest)) }
    let total = weights.reduce(0, +)
    let ascending = logits.indices.sorted { logits[$0] < logits[$1] }
    var sum = 0.0
    var result: [Int] = []
    for (place, index) in ascending.enumerated() {
      sum += weights[index]
      if sum > (1 - mass) * total || place == ascending.count - 1 { result.append(index) }
    }
    return result.sorted()
  }

  @Test func nucleusEqualsItsDefinition() {
    withEvery("vocabulary", in: [1, 2, 7, 50, 1000]) { count in
      withEvery("p", in: [Float(0.01), 0.3, 0.8, 0.95, 0.999]) { mass in
        withEvery("spread", in: [Float(0.1), 1, 5]) { spread in
          let values = logits(count, seed: UInt64(count), spread: spread)
          var filters = LogitFilters(values)
          filters.keepNucleus(mass)
          #expect(kept(filters) == nucleus(values, Double(mass)))
        }
      }
    }
  }

  @Test func topKEqualsItsDefinition() {
    withEvery("vocabulary", in: [1, 2, 7, 50, 1000]) { count in
      withEvery("k", in: [1, 2, 5, 49, 50, 2000]) { k in
        let values = logits(count, seed: UInt64(k))
        var filters = LogitFilters(values)
        filters.keepLargest(k)
        let expected = values.indices.sorted { values[$0] > values[$1] }.prefix(k).sorted()
        #expect(kept(filters) == expected)
      }
    }
    var ties = LogitFilters([1, 3, 2, 2, 0])
    ties.keepLargest(2)
    #expect(kept(ties) == [1, 2, 3])
  }

  @Test func samplerDrawsTheDistribution() throws {
    let values = logits(12, seed: 4, spread: 1)
    let options = SamplingOptions(temperature: 0.8, seed: 9)
    var counts = [Double](repeating: 0, count: 12)
    var sampler = TokenSampler(options: options, prompt: [], step: 0, row: 0)
    var filters = LogitFilters(values)
    filters.apply(options, seen: [])
    let expected = try #require(filters.probabilities)
    for _ in 0..<20_000 {
      let next = sampler.next(values)
      let draw = try #require(next)
      counts[Int(draw.token)] += 1
      expectClose(draw.logprob, log(expected[Int(draw.token)]), absolute: 1e-5)
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
    #expect(draw == TokenSampler.Draw(token: 1, logprob: -199))
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
