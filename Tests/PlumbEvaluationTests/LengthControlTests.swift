import Foundation
import PlumbEvaluation
import PlumbTensors
import Testing

@Suite struct LengthControlTests {
  typealias Comparison = LengthControlledWinRate.Comparison

  static let outcomes: [Outcome] = [
    .win, .loss, .win, .tie, .win, .loss, .win, .win, .loss, .tie, .win, .loss,
  ]
  static let differences: [Double] = [12, -5, 30, 0, 8, -20, -3, 25, -14, 4, 18, 6]
  static let prompts = zip(outcomes, differences).map {
    [Comparison(outcome: $0, lengthDifference: $1)]
  }

  /// θ = -0.20414297, φ = 3.25775491 by scipy's BFGS and Nelder-Mead on the same objective (soft labels
  /// ½ for ties, tanh of the differences over their standard deviation, ridge 1e-4).
  @Test func theFitIsThatOfScipy() {
    let found = LengthControlledWinRate(byPrompt: Self.prompts)
    #expect(abs(found.rate - 0.4491407622782035) < 1e-7)
    #expect(abs(found.lengthWeight - 3.25775491) < 1e-6)
    #expect(found.comparisons == 12 && !found.isSeparated)
    #expect(found.interval.contains(found.rate))
    // The plain rate is 7/12: half of the wins were won by length.
    #expect(WinRate(Self.outcomes).rate == 7.0 / 12)
  }

  /// Two runs that disagree: the rate is that of all comparisons, the interval knows that a third run may do either.
  @Test func runsAreDrawnToo() {
    let lost = Self.prompts.map { prompt in
      prompt.map { Comparison(outcome: .loss, lengthDifference: $0.lengthDifference) }
    }
    let together = LengthControlledWinRate(
      byPrompt: zip(Self.prompts, lost).map { $0 + $1 }, seed: 3)
    let crossed = LengthControlledWinRate(byRun: [Self.prompts, lost], seed: 3)
    #expect(abs(crossed.rate - together.rate) < 1e-9 && crossed.comparisons == 24)
    #expect(abs(crossed.lengthWeight - together.lengthWeight) < 1e-9)
    // A resample in four holds the lost run alone, whose rate is close to 0.
    #expect(crossed.interval.lower < 0.02 && together.interval.lower > 0.02)
    let same = LengthControlledWinRate(byRun: [Self.prompts, Self.prompts], seed: 3)
    #expect(abs(same.rate - 0.4491407622782035) < 1e-7)
  }

  @Test func theOtherSideHasTheRest() {
    let own = LengthControlledWinRate(byPrompt: Self.prompts, seed: 3)
    let other = LengthControlledWinRate(
      byPrompt: Self.prompts.map { prompt in
        prompt.map {
          Comparison(
            outcome: $0.outcome == .tie ? .tie : $0.outcome == .win ? .loss : .win,
            lengthDifference: -$0.lengthDifference)
        }
      }, seed: 3)
    #expect(abs(own.exchanged.rate - other.rate) < 1e-12)
    #expect(abs(own.exchanged.interval.lower - other.interval.lower) < 1e-12)
    #expect(abs(own.exchanged.interval.upper - other.interval.upper) < 1e-12)
    #expect(abs(own.lengthWeight - other.lengthWeight) < 1e-9)
  }

  /// A prompt that is answered four times alike is one prompt: its comparisons are drawn together, and the
  /// interval is that of one answer.
  @Test func comparisonsOfAPromptAreDrawnTogether() {
    let prompts = (0..<5).flatMap { _ in Self.prompts }
    let once = LengthControlledWinRate(byPrompt: prompts, seed: 3)
    let often = LengthControlledWinRate(
      byPrompt: prompts.map { Array(repeating: $0[0], count: 4) }, seed: 3)
    #expect(often.comparisons == 4 * once.comparisons && abs(often.rate - once.rate) < 1e-4)
    #expect(abs(often.interval.lower - once.interval.lower) < 1e-3)
    #expect(abs(often.interval.upper - once.interval.upper) < 1e-3)
    #expect(once.interval.upper - once.interval.lower > 0.1)
  }

  /// A judge that pays for length alone sees no better side once lengths are equal.
  @Test func aWinByLengthAloneIsNone() {
    let prompts = (0..<400).map { row in
      var stream = RandomStream(seed: 5, purpose: "length judge", row: row)
      let difference = 6 + 10 * Double(stream.normal())
      let wins = Double(stream.uniform()) < 1 / (1 + exp(-difference / 4))
      return [Comparison(outcome: wins ? .win : .loss, lengthDifference: difference)]
    }
    let plain = WinRate(prompts.map { $0[0].outcome })
    let controlled = LengthControlledWinRate(byPrompt: prompts)
    #expect(plain.rate > 0.6 && plain.isAboveHalf)
    #expect(controlled.interval.contains(0.5), "\(controlled)")
    #expect(controlled.lengthWeight > 1.5)
  }

  @Test func equalLengthsGiveTheWinRate() {
    let prompts = Self.outcomes.map { [Comparison(outcome: $0, lengthDifference: 3)] }
    let found = LengthControlledWinRate(byPrompt: prompts)
    // Up to the ridge.
    #expect(abs(found.rate - 7.0 / 12) < 1e-4)
    #expect(found.lengthWeight == 0)
  }

  @Test func outcomesThatAreAllAlikeAreSaidToBeSeparated() {
    let wins = (0..<6).map { [Comparison(outcome: .win, lengthDifference: Double($0))] }
    let found = LengthControlledWinRate(byPrompt: wins)
    #expect(found.isSeparated && found.rate > 0.95 && found.rate < 1)
    let ties = (0..<6).map { [Comparison(outcome: .tie, lengthDifference: Double($0))] }
    let even = LengthControlledWinRate(byPrompt: ties)
    #expect(!even.isSeparated && abs(even.rate - 0.5) < 1e-9)
  }
}
