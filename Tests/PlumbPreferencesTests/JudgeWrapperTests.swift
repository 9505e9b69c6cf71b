import Foundation
import PlumbPreferences
import PlumbTestSupport
import Testing

/// Judges around judges: scores out of preferences, groups passed over, weighted means.
@Suite struct JudgeWrapperTests {
  private func group(_ responses: [String]) -> JudgeGroup {
    JudgeGroup(
      prompt: [], responses: responses,
      tokens: PreferenceGroup(prompt: [], responses: responses.indices.map { [Int32($0)] }))
  }

  /// Rock beats scissors by 2, scissors paper, paper rock; everything beats "x" by 1.
  private let cycle = FunctionJudge(name: "cycle") { _, first, second in
    if first == "x" || second == "x" { return first == "x" ? -1 : 1 }
    let order = ["rock", "paper", "scissors"]
    let step = ((order.firstIndex(of: first) ?? 0) - (order.firstIndex(of: second) ?? 0) + 3) % 3
    return step == 1 ? 2 : -2
  }

  @Test func opponentsAreTheOthersAndNotTheResponseItself() throws {
    let groups = [group(["rock", "paper", "x"])]
    let scored = try OpponentRewardJudge(cycle).judge(groups: groups)[0]
    // rock: (-2 + 1)/2, paper: (2 + 1)/2, x: (-1 - 1)/2. With itself the means would be over 3.
    #expect(scored.scores == [-0.5, 1.5, -1])
    #expect(scored.preferenceLogits == (try cycle.judge(groups: groups)[0].preferenceLogits))
    let rates = try OpponentRewardJudge(cycle, measure: .winRate).judge(groups: groups)[0]
    // (σ(-2) + σ(1))/2, (σ(2) + σ(1))/2, σ(-1).
    let expected: [Double] = [0.42513085, 0.80592783, 0.26894142]
    expectClose(try #require(rates.scores), expected, absolute: 1e-6)
  }

  @Test func aLoneResponseHasNoOpponents() {
    let judge = OpponentRewardJudge(cycle)
    #expect(throws: PreferenceError.opponentsNeeded(judge: "cycle", row: 1, found: 1)) {
      try judge.judge(groups: [group(["rock", "paper"]), group(["rock"])])
    }
    let outcomes = judge.outcomes(of: [group(["rock", "paper"]), group(["rock"])])
    let judged = outcomes.map { (try? $0.get()) != nil }
    #expect(judged == [true, false])
  }

  /// A reward model that returns NaN: the group is passed over, the others are judged.
  @Test func whatFailsIsPassedOverAndNothingElse() throws {
    let nan = FunctionJudge(name: "nan") { _, response in response == "bad" ? .nan : 3 }
    let groups = [group(["a", "b"]), group(["a", "bad"]), group(["c", "d"])]
    #expect(throws: PreferenceError.self) { try nan.judge(groups: groups) }
    let judgements = SkippingJudge(nan).judge(groups: groups)
    let judged = judgements.map { $0.skipReason == nil }
    #expect(judged == [true, false, true])
    #expect(try #require(judgements[1].skipReason).contains("score of judge 'nan' is nan"))
    #expect(judgements[0].scores == [3, 3])
    #expect(judgements[1].preferenceLogits == [[0, 0], [0, 0]])
  }

  @Test func meansAreWeighted() throws {
    let long = FunctionJudge(name: "long") { _, text in Double(text.count) }
    let flat = FunctionJudge(name: "flat") { _, _ in 5.0 }
    let groups = [group(["a", "bbb"])]
    let mean = try CombinedJudge([long, flat], rule: .mean, weights: [3, 1], name: "m")
      .judge(groups: groups)[0]
    #expect(mean.scores == [2, 3.5])
    #expect(mean.preferenceLogits == [[0, -1.5], [1.5, 0]])
  }

  @Test func aMeanWithAJudgeOfPreferencesIsThatOfTables() throws {
    let long = FunctionJudge(name: "long") { _, text in Double(text.count) }
    let groups = [group(["rock", "paper"])]
    let mean = try CombinedJudge([long, cycle], rule: .mean, weights: [1, 3], name: "m")
      .judge(groups: groups)[0]
    // Lengths 4 and 5 give -1, the cycle -2.
    #expect(mean.preferenceLogits == [[0, -1.75], [1.75, 0]])
    #expect(mean.scores == nil)
  }

  @Test func theLowestNeedsScoresOfEveryJudge() throws {
    let long = FunctionJudge(name: "long") { _, text in Double(text.count) }
    let groups = [group(["rock", "x"])]
    #expect(throws: PreferenceError.scoresNeeded(judge: "cycle", row: 0)) {
      try CombinedJudge([long, cycle], rule: .minimum, name: "m").judge(groups: groups)
    }
    let lowest = try CombinedJudge([long, OpponentRewardJudge(cycle)], rule: .minimum, name: "m")
      .judge(groups: groups)[0]
    #expect(lowest.scores == [1, -1])
  }

  @Test func winProbabilitiesCountTheResponseItselfAsAHalf() {
    let judgement = Judgement(preferenceLogits: [[0, log(3)], [-log(3), 0]], source: "t")
    expectClose(judgement.winProbabilities(), [0.625, 0.375], absolute: 1e-12)
    expectClose(judgement.winProbabilities(includingSelf: false), [0.75, 0.25], absolute: 1e-12)
  }
}
