import PlumbData
import PlumbPreferences
import PlumbTestSupport
import Testing

@testable import PlumbEvaluation

/// Verdicts of a judge that is asked several times, and what the order of the responses decides.
@Suite struct SampledVerdictsTests {
  private struct NoVerdict: Error {}

  private func pair(_ id: String) -> PreferencePair {
    PreferencePair(id: id, source: "s", prompt: [], chosen: "good", rejected: "bad")
  }

  /// A judge that answers each group by a function; nil is no verdict.
  private struct Mood: Judge {
    let name = "mood"
    let logOdds: @Sendable (JudgeGroup) -> Double?

    func judge(groups: [JudgeGroup]) throws -> [Judgement] {
      try groups.map { group in
        guard let value = logOdds(group) else { throw NoVerdict() }
        return Judgement(preferenceLogits: [[0, value], [-value, 0]], source: name)
      }
    }
  }

  @Test func theOrderChangesWithEveryAskAndIsTakenBack() {
    let judge = Mood { $0.responses[0] == "good" ? 0.1 : -3 }
    var starts: Set<Bool> = []
    for number in 0..<16 {
      let found = SampledVerdicts(of: pair("p\(number)"), by: judge, count: 5, seed: 7) { _ in }
      #expect(found.answers == [.chosen, .chosen, .chosen, .chosen, .chosen])
      let start = found.isChosenFirst[0]
      #expect(found.isChosenFirst == [start, !start, start, !start, start])
      starts.insert(start)
    }
    // The order that comes first is drawn, pair by pair.
    #expect(starts.count == 2)
  }

  @Test func asksWithoutAVerdictAreInvalidAndTold() throws {
    let judge = Mood { group in
      switch group.id {
      case "p#1": 0
      case "p#3": nil
      default: group.responses[0] == "good" ? -1 : 1
      }
    }
    var failures = 0
    let found = SampledVerdicts(of: pair("p"), by: judge, count: 4, seed: 0) { error in
      if error is NoVerdict { failures += 1 }
    }
    #expect(found.answers == [.tie, .rejected, .invalid, .rejected])
    #expect(failures == 1 && found.hasVerdict)
    let consistency = try #require(found.consistency)
    #expect(consistency.answer == "rejected" && consistency.invalidSamples == 1)
    #expect(consistency.agreement == 0.5)
  }

  @Test func theOrderByHand() throws {
    let orders = [true, false, true, false]
    let rows = [
      // For the first place always, for the chosen one always, a tie in one order, nothing in one order.
      SampledVerdicts([.chosen, .rejected, .chosen, .rejected], isChosenFirst: orders),
      SampledVerdicts([.chosen, .chosen, .chosen, .chosen], isChosenFirst: orders),
      SampledVerdicts([.chosen, .chosen, .rejected, .tie], isChosenFirst: orders),
      SampledVerdicts([.rejected, .invalid, .rejected, .invalid], isChosenFirst: orders),
    ]
    let order = VerdictOrder(rows, prompts: ["a", "b", "c", "d"], resamples: 20, seed: 1)
    #expect(order.pairs == 3)
    // One flip, none, and half a one.
    expectClose(try #require(order.flips), 0.5, absolute: 1e-12)
    // Chosen first: 2, 2, 1 and 0 of 8 in the first place; rejected first: 2, 0, 1/2 of 6.
    expectClose(try #require(order.firstPlace), (5.0 / 8 + 2.5 / 6) / 2, absolute: 1e-12)
    // Four prompts are too few.
    #expect(order.flipsInterval == nil && order.firstPlaceInterval == nil)

    let many = VerdictOrder(
      [SampledVerdicts](repeating: rows[0], count: 6), prompts: (0..<6).map { "\($0)" },
      resamples: 20, seed: 1)
    #expect(many.flips == 1 && many.firstPlace == 1)
    #expect(try #require(many.flipsInterval).lower == 1)
    let once = VerdictOrder(
      [SampledVerdicts([.chosen], isChosenFirst: [true])], prompts: ["a"], resamples: 0, seed: 1)
    #expect(once.flips == nil && once.firstPlace == nil && once.pairs == 0)
  }

  /// Pairs of one prompt are drawn together: with one prompt there is no interval but Wilson's.
  @Test func intervalsAreOverPrompts() throws {
    let rows = try (0..<12).map { number in
      let samples = number % 3 == 0 ? ["rejected", "chosen", "rejected"] : ["chosen", "chosen"]
      return SampledAnswers(
        consistency: try #require(SampleConsistency(samples)), answer: "chosen", source: "s")
    }
    let alone = ConsistencyCalibration(rows, resamples: 50, seed: 1)
    #expect(!alone.isByPrompt)
    let together = ConsistencyCalibration(
      rows, prompts: rows.map { _ in "p" }, resamples: 50, seed: 1)
    #expect(together.isByPrompt && together.accuracy == alone.accuracy)
    #expect(together.measures[0].figures.eceInterval == nil)
    #expect(together.accuracyInterval == alone.accuracyInterval)
    // Five prompts, all right: drawing prompts again changes nothing.
    let paired = rows[1...2] + rows[1...2] + rows[1...2] + rows[1...2] + rows[1...2]
    let same = ConsistencyCalibration(
      Array(paired), prompts: paired.indices.map { "\(($0 - paired.startIndex) / 2)" },
      resamples: 50, seed: 1)
    #expect(same.accuracyInterval.lower == 1 && same.accuracyInterval.upper == 1)
  }
}
