import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// How the work is laid out must not change the weights that methods on preferences end with.
///
/// Beside the metrics, which `GameResumeTests`, `KTOStageTests` and `StageMicroBatchTests` compare. Complaint:
/// huggingface/trl#583 (the loss changed with accumulation).
@Suite struct PreferenceEquivalenceTests {
  private let world: TrainerWorld
  private static let updates = 4
  /// Tokens at once: some groups or pairs, unlike in number, and each alone.
  static let budgets = [60, 1]

  init() throws {
    var world = try TrainerWorld()
    world.stopTokens = [5, 11, 17, 23, 29, 35]
    self.world = world
  }

  /// Differences that are small beside what was learnt: the mean to a thousandth, the largest to a five-hundredth.
  ///
  /// Parts that are weighted wrongly, such as a mean of means, turn the gradient, which moves a weight
  /// by about as much as a step does.
  /// - Parameter kind: the class in `Documentation/Equivalence.md`.
  private func expectSame(
    _ a: CausalLM, _ b: CausalLM, from start: CausalLM, _ what: String,
    kind: String = "micro-batches, preferences", sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let moved = differences(weights(a), weights(start))
    let found = differences(weights(a), weights(b))
    EquivalenceLog.note(kind, (found.most / moved.most, found.mean / moved.mean), what)
    #expect(moved.mean > 1e-4, "\(what): nothing was learnt", sourceLocation: sourceLocation)
    #expect(found.most < moved.most / 500, "\(what)", sourceLocation: sourceLocation)
    #expect(found.mean < moved.mean / 1000, "\(what)", sourceLocation: sourceLocation)
  }

  /// Sampled by the first policy, so that two learners see the same responses, and judged.
  private func judged(_ update: Int) throws -> RolloutBuffer {
    // Distinct in a group, and of another order in every group.
    var buffer = try world.rollouts(world.policy, update: update, responses: 4) {
      group, place, _ in Float((group + 3 * place) % 8) / 4
    }
    for group in buffer.groups.indices {
      let scores = buffer.groups[group].responses.map { Double($0.score ?? .nan) }
      buffer.groups[group].preferenceLogits =
        Judgement(scores: scores, source: "rule").preferenceLogits
    }
    return buffer
  }

  private func learnt(_ learner: some OnPolicyLearner) throws -> CausalLM {
    var learner = learner
    for update in 1...Self.updates {
      var buffer = try judged(update)
      _ = try learner.improve(on: &buffer, reference: world.policy, update: update)
    }
    return learner.trained
  }

  @Test(
    "Complaint 11, trl#583: accumulation does not change games", arguments: GameLoss.allCases,
    budgets)
  func microBatchesDoNotChangeGames(_ loss: GameLoss, budget: Int) throws {
    func policy(_ budget: Int) throws -> CausalLM {
      var configuration = GPOConfiguration()
      configuration.loss = loss
      configuration.iterations = Self.updates
      configuration.promptsPerIteration = 8
      configuration.batchPrompts = 3
      configuration.epochs = 2
      configuration.microBatchTokens = budget
      configuration.optimizer = TrainerWorld.optimizer
      configuration.optimizer.epsilon = 1e-5
      return try learnt(
        GameTrainer(configuration, policy: world.policy, prompts: 8, seed: 6))
    }
    expectSame(
      try policy(100_000), try policy(budget), from: world.policy,
      "\(loss.rawValue), \(budget) tokens at once")
  }

  @Test(arguments: [20, 1]) func microBatchesDoNotChangeRejectionSampling(budget: Int) throws {
    func policy(_ budget: Int) throws -> CausalLM {
      var configuration = RejectionSamplingConfiguration()
      configuration.iterations = Self.updates
      configuration.promptsPerIteration = 8
      configuration.keep = 2
      configuration.batchResponses = 5
      configuration.epochs = 2
      configuration.microBatchTokens = budget
      configuration.optimizer = TrainerWorld.optimizer
      configuration.optimizer.epsilon = 1e-5
      return try learnt(
        RejectionSampler(configuration, policy: world.policy, prompts: 8, seed: 6) { _ in })
    }
    expectSame(
      try policy(100_000), try policy(budget), from: world.policy,
      "rejection sampling, \(budget) tokens at once")
  }

  @Test(arguments: budgets) func microBatchesDoNotChangeOnlineDPO(budget: Int) throws {
    func policy(_ budget: Int) throws -> CausalLM {
      try learnt(
        OnlineDPOLearner(
          world.onlineDPO {
            $0.updates = Self.updates
            $0.epochs = 2
            $0.microBatchTokens = budget
          }, policy: world.policy, seed: 6))
    }
    expectSame(
      try policy(100_000), try policy(budget), from: world.policy,
      "online DPO, \(budget) tokens at once")
  }

  // MARK: Stages on files

  private static let optimizer =
    "optimizer: {learning_rate: 0.001, schedule: constant, epsilon: 0.00001}"

  /// Runs a stage with everything at once, and again with each of the overrides.
  private func expectSameStages(
    _ kind: String, _ more: String, _ changes: [[String]]
  ) throws {
    let tiny = try TinyWorld.shared()
    let settings = "policy: '\(tiny("sft"))', max_length: 64, \(more), \(Self.optimizer)"
    func trained(_ overrides: [String]) throws -> CausalLM {
      let stage = try TinyStage(kind, settings, overrides: overrides.map { "\(kind).\($0)" })
      return try CausalLM(directory: stage.folder.url.appending(path: "stages/\(kind)"))
    }
    let start = try CausalLM(directory: URL(filePath: tiny("sft")))
    let whole = try trained(["micro_batch_tokens=100000"])
    for change in changes {
      let what = "\(kind), \(change.joined(separator: ", "))"
      let kind =
        change.contains("share_prompts=false") ? "share_prompts" : "micro-batches, preferences"
      expectSame(whole, try trained(change), from: start, what, kind: kind)
    }
  }

  @Test func neitherMicroBatchesNorSharedPromptsChangeDPO() throws {
    let pairs = try TinyWorld.shared()("data/preferences.judge.jsonl.zst")
    try expectSameStages(
      "dpo", "pairs: ['\(pairs)'], batch_pairs: 9",
      [
        ["micro_batch_tokens=150"], ["micro_batch_tokens=1"],
        ["micro_batch_tokens=100000", "share_prompts=false"],
        ["micro_batch_tokens=150", "share_prompts=false"],
      ])
  }

  @Test func microBatchesDoNotChangeKTO() throws {
    let rows = try TinyWorld.shared()("data/preferences.judge.jsonl.zst")
    try expectSameStages(
      "kto", "rows: ['\(rows)'], batch_rows: 17",
      [["micro_batch_tokens=100"], ["micro_batch_tokens=1"]])
  }
}
