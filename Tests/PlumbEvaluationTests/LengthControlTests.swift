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
    #expect(found.comparisons == 12 && !found.isSeparated && found.isIdentified)
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
    // Two runs at 0.449 and close to 0: Student's half width is 12.7 times their standard error.
    #expect(crossed.interval.lower < 0.02 && together.interval.lower > 0.02)
    let same = LengthControlledWinRate(byRun: [Self.prompts, Self.prompts], seed: 3)
    #expect(abs(same.rate - 0.4491407622782035) < 1e-7)
    // Runs that agree to the last outcome add nothing to the prompts' interval.
    let single = LengthControlledWinRate(byPrompt: Self.prompts, seed: 3)
    #expect(abs(same.interval.lower - single.interval.lower) < 1e-6)
    #expect(abs(same.interval.upper - single.interval.upper) < 1e-6)
  }

  /// Where all lengths are equal the rate is the plain one, and so are the intervals over prompts and runs.
  @Test func theIntervalIsThatOfTheCrossedMean() {
    let runs: [[Outcome]] = [
      [.win, .loss, .win, .tie, .win, .loss], [.win, .win, .win, .loss, .win, .loss],
      [.loss, .win, .win, .win, .win, .tie], [.win, .loss, .win, .win, .tie, .tie],
      [.win, .win, .loss, .win, .win, .loss], [.win, .tie, .win, .loss, .win, .loss],
    ]
    let sides = [[0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1]]
    let plain = CrossedMean(
      runs.map { $0.map(\.points) }, sides: sides, within: 0...1, resamples: 200, seed: 3)
    let found = LengthControlledWinRate(
      byRun: runs.map { $0.map { [Comparison(outcome: $0, lengthDifference: 0)] } }, sides: sides,
      seed: 3)
    // Up to the ridge.
    #expect(abs(found.rate - plain.value) < 1e-3)
    #expect(abs(found.interval.lower - plain.interval.lower) < 0.01)
    #expect(abs(found.interval.upper - plain.interval.upper) < 0.01)
    #expect(plain.interval.lower > 0 && plain.interval.upper < 1)
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
    let prompts = Self.outcomes.map { [Comparison(outcome: $0, lengthDifference: 0)] }
    let found = LengthControlledWinRate(byPrompt: prompts)
    // Up to the ridge.
    #expect(abs(found.rate - 7.0 / 12) < 1e-4)
    #expect(found.lengthWeight == 0 && found.isIdentified)
  }

  /// Ten of a hundred are lost, five at either of two differences: length has no effect at all.
  private func balanced(_ differences: (Double, Double)) -> [[Comparison]] {
    (0..<100).map { row in
      [
        Comparison(
          outcome: row % 20 < 2 ? .loss : .win,
          lengthDifference: row.isMultiple(of: 2) ? differences.0 : differences.1)
      ]
    }
  }

  private func expectUnknown(_ found: LengthControlledWinRate) {
    #expect(!found.isIdentified && found.rate == 0.5 && found.lengthWeight == 0, "\(found)")
    #expect(found.interval == Interval(lower: 0, upper: 1), "\(found)")
  }

  /// 40 ± 5 tokens longer throughout: the column is tanh 7 or tanh 9, 1 to six digits, and the ridge would give
  /// either weight half of the log-odds: 0.75 for 0.9.
  @Test func oneSideMuchLongerThroughoutIsNotIdentified() {
    let prompts = balanced((35, 45))
    let plain = WinRate(byPrompt: prompts.map { $0.map(\.outcome) })
    #expect(plain.rate == 0.9 && plain.isAboveHalf)
    let found = LengthControlledWinRate(byPrompt: prompts)
    expectUnknown(found)
    expectUnknown(found.exchanged)
    #expect(!found.isSeparated && found.comparisons == 100)
    // One amount everywhere is as bad, in either direction and without rounding.
    expectUnknown(LengthControlledWinRate(byPrompt: balanced((3, 3))))
    expectUnknown(LengthControlledWinRate(byPrompt: balanced((-0.1, -0.1))))
  }

  /// tanh 1 = 0.762 and tanh 3 = 0.995: deviation 0.117, mean 0.878, more than a tenth.
  ///
  /// tanh 1.5 = 0.905 and
  /// tanh 3.5 = 0.998: 0.047 of 0.952 is less.
  @Test func theLimitIsATenthOfTheMean() {
    let near = LengthControlledWinRate(byPrompt: balanced((1, 3)))
    // The ridge takes a little off 0.9.
    #expect(near.isIdentified && abs(near.rate - 0.9) < 0.02, "\(near)")
    #expect(near.interval.contains(0.9))
    expectUnknown(LengthControlledWinRate(byPrompt: balanced((3, 7))))
    // A few that differ among many of equal length: those show the rate at equal length themselves.
    let rare = balanced((0, 0)) + [[Comparison(outcome: .win, lengthDifference: 9)]]
    let found = LengthControlledWinRate(byPrompt: rare)
    #expect(found.isIdentified && abs(found.rate - 0.9) < 0.01, "\(found)")
  }

  /// One prompt alone tells what length does: a third of all resamples, (11/12)¹², are without it.
  @Test func resamplesThatDoNotTellHaveAnyRate() {
    let prompts = (0..<12).map { row in
      [Comparison(outcome: row < 4 ? .loss : .win, lengthDifference: row == 0 ? -10 : 10)]
    }
    let found = LengthControlledWinRate(byPrompt: prompts, seed: 3)
    #expect(found.isIdentified && found.interval == Interval(lower: 0, upper: 1), "\(found)")
  }

  /// Two runs, of which one alone tells what length does: without it the rate is not identified.
  @Test func aRateThatHangsOnOneRunIsNotIdentified() {
    let longer = Self.prompts.map { prompt in
      prompt.map { Comparison(outcome: $0.outcome, lengthDifference: 10) }
    }
    expectUnknown(LengthControlledWinRate(byRun: [Self.prompts, longer]))
    // As answers of one run they are fitted together.
    let together = LengthControlledWinRate(byRun: [Self.prompts, longer], sides: [[0, 0]])
    #expect(together.isIdentified && together.comparisons == 24)
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
