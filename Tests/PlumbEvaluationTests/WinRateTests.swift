import PlumbEvaluation
import PlumbTestSupport
import Testing

struct WinRateTests {
  @Test func tiesCountHalf() {
    let rate = WinRate(scores: [1, 2, 3, 4], against: [0, 2, 5, 1])
    #expect((rate.wins, rate.ties, rate.losses) == (2, 1, 1))
    #expect(rate.rate == 0.625)
    #expect(rate.interval == .wilson(successes: 2.5, trials: 4))
    #expect(!rate.isAboveHalf)
    let mirrored = WinRate(scores: [0, 2, 5, 1], against: [1, 2, 3, 4])
    #expect(mirrored.rate == 1 - rate.rate)
  }

  @Test func tieWidth() {
    let rate = WinRate(scores: [1, 1, 1], against: [1.05, 0.95, 0.5], tieWidth: 0.1)
    #expect((rate.wins, rate.ties, rate.losses) == (1, 2, 0))
  }

  @Test func allTiesAreChance() {
    let rate = WinRate([Outcome](repeating: .tie, count: 100))
    #expect(rate.rate == 0.5)
    #expect(rate.interval.contains(0.5) && !rate.isAboveHalf)
  }

  @Test func enoughWinsAreBeyondChance() {
    let outcomes = (0..<100).map { $0 < 61 ? Outcome.win : .loss }
    #expect(WinRate(outcomes).isAboveHalf)
    #expect(!WinRate(Array(outcomes.suffix(80))).isAboveHalf)
  }

  @Test func withoutComparisonsNothingIsKnown() {
    let rate = WinRate([])
    #expect(rate.rate == 0.5 && rate.comparisons == 0)
    #expect(rate.interval == Interval(lower: 0, upper: 1))
  }

  @Test func promptsAreDrawnWhole() {
    let prompts = (0..<50).map { [Outcome](repeating: $0 % 5 < 3 ? .win : .loss, count: 4) }
    let rate = WinRate(byPrompt: prompts, seed: 3)
    #expect(rate.rate == 0.6 && rate.comparisons == 200)
    // As wide as 50 comparisons make it, not 200.
    let single = WinRate(prompts.map { $0[0] })
    let ratio =
      (rate.interval.upper - rate.interval.lower) / (single.interval.upper - single.interval.lower)
    expectClose(ratio, 1, absolute: 0.15, relative: 0)
    #expect(WinRate(byPrompt: prompts, seed: 3) == rate)
  }

  @Test func pairedDifferenceCancelsThePrompt() {
    let difficulty = (0..<60).map { Double($0 * $0 % 17) }
    let better = difficulty.enumerated().map { $1 + ($0.isMultiple(of: 3) ? 0 : 0.3) }
    let paired = PairedDifference(better, difficulty, seed: 1)
    expectClose(paired.difference, 0.2, absolute: 1e-12)
    #expect(paired.interval.lower > 0.1 && paired.interval.upper < 0.3)
    #expect(paired.probabilityPositive == 1)
    let same = PairedDifference(difficulty, difficulty)
    #expect(same.difference == 0 && same.probabilityPositive == 0.5)
    #expect(same.interval == Interval(lower: 0, upper: 0))
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = WinRate(scores: [1], against: []) }
    await #expect(processExitsWith: .failure) { _ = WinRate(scores: [.nan], against: [1]) }
    await #expect(processExitsWith: .failure) { _ = WinRate(byPrompt: [[]]) }
    await #expect(processExitsWith: .failure) { _ = PairedDifference([], []) }
  }
}
