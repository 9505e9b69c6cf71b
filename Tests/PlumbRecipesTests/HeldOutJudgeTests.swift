import Foundation
import PlumbPreferences
import PlumbRollouts
import Testing

@testable import PlumbRecipes

/// The training judge against one that trains nothing.
@Suite struct HeldOutJudgeTests {
  /// Scores that a test writes down: group by group, response by response.
  private struct WrittenJudge: Judge {
    let name = "written"
    let scores: [[Double]]
    var isComparing = false

    func judge(groups: [JudgeGroup]) throws -> [Judgement] {
      zip(groups, scores).map { _, scores in
        isComparing
          ? Judgement(preferenceLogits: scores.map { a in scores.map { a - $0 } }, source: name)
          : Judgement(scores: scores, source: name)
      }
    }
  }

  private static func buffer(_ scores: [[Float]?], responses: Int = 2) -> RolloutBuffer {
    RolloutBuffer(
      groups: scores.enumerated().map { index, scores in
        RolloutGroup(
          id: "\(index)", prompt: [], promptTokens: [5],
          responses: (0..<responses).map { number in
            var response = Rollout(tokens: [7, 8], text: "x", finishReason: .stop)
            response.score = scores?[number]
            return response
          })
      }, provenance: .init(source: .sampled, origin: "test"))
  }

  private func compare(
    _ training: [[Float]], _ heldOut: [[Double]], isBaseline: Bool = false,
    isComparing: Bool = false, state: inout WatchState
  ) throws -> (values: [String: Double], metrics: [String: Double]) {
    try HeldOutJudge(
      judge: WrittenJudge(scores: heldOut, isComparing: isComparing), readers: [],
      encoder: try WatchedStage.encoder()
    ).compare(
      Self.buffer(training, responses: training[0].count), isBaseline: isBaseline, state: &state)
  }

  /// At the start the training scores have mean 1 and deviation 1, the held-out ones 10 and 2.
  ///
  /// Later the one has risen by 3 deviations, the other by half of one.
  @Test func divergenceIsTheGapOfStandardisedMeans() throws {
    var state = WatchState()
    let start = try compare(
      [[0, 2], [0, 2]], [[8, 12], [8, 12]], isBaseline: true, state: &state)
    #expect(start.metrics["held_out/divergence"] == 0)
    #expect(start.metrics["held_out/score"] == 10)
    #expect(start.metrics["held_out/responses"] == 4)
    let later = try compare([[3, 5], [3, 5]], [[10, 12], [10, 12]], state: &state)
    #expect(abs((later.values["divergence"] ?? 0) - (3 - 0.5)) < 1e-12)
    #expect(later.metrics["held_out/divergence"] == later.values["divergence"])
  }

  /// Prompts differ by far more than responses, and that must not pass for agreement: within each prompt
  /// the two judges say the opposite.
  @Test func agreementIsWithinPrompts() throws {
    var state = WatchState()
    let found = try compare(
      [[0, 1], [10, 12], [20, 23]], [[1, 0], [14, 10], [28, 20]], isBaseline: true, state: &state)
    #expect(found.values["agreement"] == -1)
    let same = try compare(
      [[0, 1], [10, 12], [20, 23]], [[5, 9], [1, 5.5], [2, 8]], isBaseline: true, state: &state)
    #expect(same.metrics["held_out/agreement"] == 1)
  }

  @Test func aJudgeOfPreferencesOnlyHasAgreementAndNoDivergence() throws {
    var state = WatchState()
    let found = try compare(
      [[0, 1, 3], [4, 2, 1]], [[0, 1, 5], [6, 4, 1]], isBaseline: true, isComparing: true,
      state: &state)
    #expect(found.values["divergence"] == nil && found.metrics["held_out/score"] == nil)
    #expect((found.metrics["held_out/agreement"] ?? 0) > 0.9)
    #expect(found.metrics["held_out/responses"] == 6)
  }

  @Test func oneResponseAPromptIsComparedAcrossPrompts() throws {
    var state = WatchState()
    let found = try compare(
      [[0], [1], [2], [3]], [[0], [10], [11], [30]], isBaseline: true, state: &state)
    #expect(found.values["agreement"] == 1)
  }

  /// All responses identical: nothing varies, nothing can be said, nothing rings.
  @Test func scoresThatDoNotVarySayNothing() throws {
    var state = WatchState()
    let found = try compare(
      [[1, 1], [1, 1]], [[2, 2], [2, 2]], isBaseline: true, state: &state)
    #expect(found.metrics["held_out/agreement"] == nil)
    #expect(found.metrics["held_out/divergence"] == 0)
    for monitor in WatchConfiguration().monitors {
      guard let value = found.values[monitor.name] else { continue }
      #expect(state.look(monitor, at: value, update: 1) == nil)
    }
  }

  /// A rule that no first response keeps to has no spread at the start, and yet a rise under it rings.
  ///
  /// Start and round together are six zeros and two ones: deviation √(3/16), and the mean rose by 1/2.
  @Test func aRiseFromAFlatStartRings() throws {
    var state = WatchState()
    let heldOut = [[8.0, 12], [8, 12]]
    let start = try compare([[0, 0], [0, 0]], heldOut, isBaseline: true, state: &state)
    #expect(start.metrics["held_out/divergence"] == 0)
    let later = try compare([[0, 1], [0, 1]], heldOut, state: &state)
    let expected = 0.5 / (3.0 / 16).squareRoot()
    #expect(abs((later.values["divergence"] ?? 0) - expected) < 1e-12)
    let monitor = try #require(WatchConfiguration().monitors.first { $0.name == "divergence" })
    #expect(state.look(monitor, at: expected, update: 2) != nil)
    // Equal but for rounding is no spread either.
    state = WatchState()
    _ = try compare([[0.1, 0.1], [0.1, 0.1]], heldOut, isBaseline: true, state: &state)
    let same = try compare([[0.1, 0.1], [0.1, 0.1]], heldOut, state: &state)
    #expect(same.values["divergence"] == 0)
  }

  /// A judge that the training judge is made of is not held out either, on whichever side it stands.
  @Test func aMemberOfTheTrainingJudgeIsNotHeldOut() throws {
    var ensemble = EnsembleJudgeConfiguration()
    ensemble.ensemble = [JudgeChoice(model: "other"), JudgeChoice(model: "reward")]
    let (both, one) = (JudgeChoice(.ensemble(ensemble)), JudgeChoice(model: "reward"))
    for (heldOut, training) in [(one, both), (both, one)] {
      var watch = WatchConfiguration()
      watch.heldOut = heldOut
      #expect(throws: ConfigurationProblem.self) {
        try watch.requireHeldOut(from: training, responses: 2)
      }
    }
  }

  @Test func theTrainingJudgeIsNotHeldOut() throws {
    var watch = WatchConfiguration()
    watch.heldOut = JudgeChoice(model: "reward")
    #expect(throws: ConfigurationProblem.self) {
      try watch.requireHeldOut(from: JudgeChoice(model: "reward"), responses: 2)
    }
    #expect(throws: Never.self) {
      try watch.requireHeldOut(from: JudgeChoice(model: "other"), responses: 1)
    }
    #expect(watch.inputs == ["reward"] && WatchConfiguration().inputs.isEmpty)
  }

  /// `preference_reward` of one response has no others to be preferred to; the recipe is refused as it is read.
  @Test func aJudgeThatNeedsOpponentsNeedsTwoResponses() throws {
    var preference = ModelJudgeConfiguration()
    (preference.model, preference.preferenceReward) = ("preference", .opponents)
    var ensemble = EnsembleJudgeConfiguration()
    ensemble.ensemble = [JudgeChoice(model: "other"), JudgeChoice(.model(preference))]
    for judge in [JudgeChoice(.model(preference)), JudgeChoice(.ensemble(ensemble))] {
      var watch = WatchConfiguration()
      watch.heldOut = judge
      let problem = #expect(throws: ConfigurationProblem.self) {
        try watch.requireHeldOut(from: JudgeChoice(model: "reward"), responses: 1)
      }
      #expect(problem?.field == "watch.held_out" && problem?.found == judge.summary)
      #expect(throws: Never.self) {
        try watch.requireHeldOut(from: JudgeChoice(model: "reward"), responses: 2)
      }
    }
  }

  /// Every recipe that compares policies under a held-out judge watches their rounds with it, by a stage that is
  /// there before them; alarms warn, since these recipes must end.
  @Test(arguments: [("quickstart", 2), ("smollm2-compare", 12), ("compare-gpo-ppo", 12)])
  func theRecipesWatchTheirPolicies(_ name: String, _ expected: Int) throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../recipes/\(name).yaml")
    let recipe = try StageRegistry.standard.loader.load(
      yaml: try String(contentsOf: url, encoding: .utf8))
    var watched = 0
    for (place, stage) in recipe.stages.enumerated() {
      let watch: WatchConfiguration
      switch stage.configuration {
      case let ppo as PPOConfiguration: watch = ppo.settings.settings.watch
      case let gpo as GPOConfiguration: watch = gpo.settings.settings.watch
      case let dpo as OnlineDPOConfiguration: watch = dpo.settings.watch
      default: continue
      }
      watched += 1
      let earlier = recipe.stages[..<place].map(\.name)
      #expect(earlier.contains(watch.heldOut.summary), "\(stage.name)")
      #expect(watch.onAlarm == .warn, "\(stage.name)")
    }
    #expect(watched == expected)
  }
}
