import Foundation
import PlumbObjectives
import PlumbPreferences
import PlumbRollouts
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// A buffer of judged responses made by hand.
func handBuffer(
  _ groups: [(texts: [String], table: [[Double]], scores: [Double]?)]
) -> RolloutBuffer {
  RolloutBuffer(
    groups: groups.enumerated().map { index, group in
      RolloutGroup(
        id: "prompt-\(index)", prompt: [Message(role: "user", content: "ask \(index)")],
        promptTokens: [1, 2],
        responses: group.texts.enumerated().map { number, text in
          var response = Rollout(
            tokens: Array(text.utf8).map { Int32($0) } + [0], text: text, finishReason: .stop)
          response.score = group.scores.map { Float($0[number]) }
          return response
        }, preferenceLogits: group.table, judge: "hand")
    }, provenance: .init(source: .sampled, origin: "hand"))
}

/// What GPO and SPPO ask of the responses of a round, by hand.
@Suite struct PreferenceGameTests {
  /// s = 2, -1, 3 over tau 1: a table that is skew-symmetric, and not transitive.
  private let table = [[0, 2, -1], [-2, 0, 3], [1, -3, 0.0]]

  private func targets(
    _ table: [[Double]], _ change: (inout GPOConfiguration) -> Void = { _ in }
  ) throws -> [Float] {
    var configuration = GPOConfiguration()
    change(&configuration)
    let texts = table.indices.map { "r\($0)" }
    let game = try PreferenceGame(
      handBuffer([(texts, table, nil)]), configuration: configuration)
    return table.indices.map { game.targets[ResponsePlace(group: 0, response: $0)] ?? .nan }
  }

  /// gpm.md's traps: M = table - transpose doubles every score; the mean over K with itself is the paper's.
  @Test func theScoreIsTheMeanOfTheTableOnce() throws {
    expectClose(try targets(table), [1.0 / 3, 1.0 / 3, -2.0 / 3], absolute: 1e-6)
    let without = try targets(table) { $0.includeSelf = false }
    expectClose(without, [0.5, 0.5, -1], absolute: 1e-6)
    let small = try targets(table) { $0.beta = 0.1 }
    expectClose(small, [10.0 / 3, 10.0 / 3, -20.0 / 3], absolute: 1e-5)
  }

  /// A general preference model has divided by its tau already; the game must not do so again.
  @Test func tauIsAppliedOnceByTheJudge() throws {
    let world = try TinyWorld.shared()
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("sft")))
    let (judge, _) = try modelJudge(
      URL(filePath: world("preference")), name: "p", stage: "s", policy: encoder)
    let general = try #require(judge as? GeneralPreferenceJudge)
    #expect(general.model.tau != 1)
    let group = JudgeGroup(
      prompt: TinyData.prompt("clean the red lamp"),
      responses: ["please clean the red lamp today", "now", "just open it"], encoder: encoder)
    let raw = try general.model.embeddings(groups: [group.tokens], tokenBudget: 4096)[0]
      .preferenceLogits(tau: 1)
    let found = try targets(judge.judge(group).preferenceLogits)
    let expected = raw.map { Float($0.reduce(0, +) / 3 / Double(general.model.tau)) }
    expectClose(found, expected, absolute: 1e-4, relative: 1e-4)
    #expect(expected.contains { abs($0) > 1e-3 })
  }

  @Test func sppoIsBoundedAndGPOIsNot() throws {
    let sure = [[0, 40.0], [-40, 0]]
    expectClose(try targets(sure), [20, -20], absolute: 1e-5)
    let bounded = try targets(sure) {
      $0.loss = .sppo
      $0.beta = 0.5
    }
    // (1 + 1/2)/2 - 1/2 = 1/4, over beta.
    expectClose(bounded, [0.5, -0.5], absolute: 1e-5)
    let others = try targets(sure) {
      $0.loss = .sppo
      $0.includeSelf = false
    }
    expectClose(others, [0.5, -0.5], absolute: 1e-5)
  }

  @Test func logZIsEstimatedOverTheResponsesOfAPrompt() throws {
    let found = try targets([[0, 1.0], [-1, 0]]) { $0.logPartition = .estimated }
    let z = log((exp(0.5) + exp(-0.5)) / 2)
    expectClose(found, [Float(0.5 - z), Float(-0.5 - z)], absolute: 1e-6)
  }

  /// In nats of a log-ratio: behind beta and log Z, on both sides.
  @Test func targetsAreBoundedWhereTheRecipeSaysSo() throws {
    let bounded = try targets(table) { $0.targetBound = 0.5 }
    expectClose(bounded, [1.0 / 3, 1.0 / 3, -0.5], absolute: 1e-6)
    let steep = try targets(table) { ($0.targetBound, $0.beta) = (2, 0.1) }
    expectClose(steep, [2, 2, -2], absolute: 1e-6)
    let shifted = try targets([[0, 1.0], [-1, 0]]) {
      ($0.targetBound, $0.logPartition) = (0.5, .estimated)
    }
    let z = log((exp(0.5) + exp(-0.5)) / 2)
    expectClose(shifted, [Float(0.5 - z), -0.5], absolute: 1e-6)
  }

  @Test func bestAndWorstAreHeldAgainstAllAndTrainedAlone() throws {
    var configuration = GPOConfiguration()
    configuration.trainOn = .bestWorst
    let flat = Array(repeating: [0.0, 0, 0], count: 3)
    let four = [[0, 1, 1, 1], [-1, 0, 0, 0.0], [-1, 0, 0, 5], [-1, 0, -5, 0]]
    let buffer = handBuffer([
      (["a", "b", "c", "d"], four, nil), (["x", "x", "x"], flat, nil),
    ])
    let game = try PreferenceGame(buffer, configuration: configuration)
    // Means: 3/4, -1/4, 1, -3/2.
    #expect(
      game.groups == [[ResponsePlace(group: 0, response: 2), ResponsePlace(group: 0, response: 3)]])
    expectClose(game.targets[ResponsePlace(group: 0, response: 2)] ?? 0, 1, absolute: 1e-6)
    #expect(game.statistics["flat_groups"] == 0.5)
    #expect(game.statistics["trained_responses"] == 2)
  }

  /// All responses identical: nothing is asked for, and the round says that it is flat.
  @Test func identicalResponsesAskForNothing() throws {
    let flat = Array(repeating: [0.0, 0], count: 2)
    for loss in GameLoss.allCases {
      var configuration = GPOConfiguration()
      configuration.loss = loss
      let game = try PreferenceGame(
        handBuffer([(["x", "x"], flat, nil)]), configuration: configuration)
      #expect(game.statistics["flat_groups"] == 1)
      let sizes = Set(game.targets.values)
      #expect(sizes == [0])
    }
  }

  @Test func anUnjudgedBufferIsRefused() {
    var buffer = handBuffer([(["a", "b"], [[0, 1], [-1, 0]], nil)])
    buffer.groups[0].preferenceLogits = nil
    #expect(throws: RolloutError.self) {
      try PreferenceGame(buffer, configuration: GPOConfiguration())
    }
  }
}

/// The best of n, chosen by hand.
@Suite struct BestResponsesTests {
  private let buffer = handBuffer([
    (
      ["a", "b", "c", "d"], [[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], [1, 4, 4, 2]
    ),
    (["e", "e", "f", "g"], Array(repeating: [0, 0, 0, 0], count: 4), [3, 3, 3, 3]),
    (["h", "h", "i", "j"], Array(repeating: [0, 0, 0, 0], count: 4), [5, 5, 0, -1]),
  ])

  private func kept(
    _ keep: Int, minScore: Double = -.infinity, skipsTies: Bool = true
  ) throws -> [[Int]] {
    try BestResponses(buffer, keep: keep, minScore: minScore, skipsTies: skipsTies)
      .byGroup.map { $0.map(\.response) }
  }

  @Test func theHighestScoresAreKeptTheFirstOfEqualsFirst() throws {
    #expect(try kept(1) == [[1], [], [0]])
    #expect(try kept(2) == [[1, 2], [], [0, 2]])
    #expect(try kept(1, skipsTies: false) == [[1], [0], [0]])
    #expect(try kept(2, minScore: 3, skipsTies: false) == [[1, 2], [0, 2], [0]])
    #expect(try kept(1, minScore: 9) == [[], [], []])
  }

  @Test func gainsAreOfTheKeptOverAll() throws {
    let best = try BestResponses(buffer, keep: 1, minScore: -.infinity, skipsTies: true)
    let scores: [Double] = [1, 4, 4, 2, 3, 3, 3, 3, 5, 5, 0, -1]
    let all = scores.reduce(0, +) / 12
    expectClose(best.statistics["rejection/kept_score"] ?? 0, 4.5)
    expectClose(best.statistics["rejection/score_gain"] ?? 0, 4.5 - all)
    expectClose(best.statistics["rejection/flat_groups"] ?? 0, 1.0 / 3)
    #expect(best.statistics["rejection/kept_responses"] == 2)
  }

  @Test func withoutScoresMeanPreferencesDecide() throws {
    var judged = buffer
    for number in 0..<4 { judged.groups[0].responses[number].score = nil }
    let best = try BestResponses(judged, keep: 1, minScore: 100, skipsTies: true)
    // min_score is about scores, of which this prompt has none.
    #expect(best.byGroup[0].map(\.response) == [0])
  }

  /// NumPy: the divergence of `F^n - F_^n` from the shares of the levels.
  @Test(arguments: [
    ([1.0, 2, 3, 4], 0.590310162719877), ([1.0, 1, 1, 1], 0.0),
    ([1.0, 1, 2, 3], 0.5616004426040342),
    ([5.0, 5, 5, 6, 6, 7, 8, 9], 1.1561401995290395), ([2.0], 0.0),
  ])
  func theDivergenceOfTheBestOfNIsBelowItsBound(_ scores: [Double], _ expected: Double) {
    expectClose(bestOfNDivergence(scores), expected, absolute: 1e-12)
    #expect(bestOfNDivergence(scores) <= bestOfNDivergenceBound(scores.count))
  }

  @Test func theBoundIsTheLimitOfManyLevels() {
    expectClose(bestOfNDivergenceBound(1), 0, absolute: 1e-15)
    expectClose(bestOfNDivergenceBound(4), log(4) - 0.75, absolute: 1e-15)
    // A policy with M equally likely answers of different worth: the sum over answers nears the bound.
    let (n, levels) = (4.0, 4000)
    let exact = (1...levels).reduce(0.0) { sum, level in
      let chosen =
        pow(Double(level) / Double(levels), n) - pow(Double(level - 1) / Double(levels), n)
      return sum + chosen * log(chosen * Double(levels))
    }
    expectClose(exact, bestOfNDivergenceBound(4), absolute: 1e-4)
  }
}
