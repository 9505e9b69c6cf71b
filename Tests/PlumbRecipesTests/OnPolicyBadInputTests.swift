import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers
import Synchronization
import Testing

@testable import PlumbRecipes

/// What judges and samples can go wrong with: the run says so, skips or stops as configured, and loses
/// nothing.
@Suite struct OnPolicyBadInputTests {
  /// GRPO under a judge that fails as its settings say.
  struct OddStage: Stage {
    struct Configuration: StageConfiguration {
      static let kind = "odd"
      var policy = ""
      var prompts: [String] = []
      /// Prompts with this text get a score of NaN.
      var nan = ""
      /// While this file exists, the third call of the judge fails.
      var down = ""
      var onBadScore = BadScoreChoice.stop
      var onZeroAdvantage = ZeroAdvantageChoice.keep
      /// Whether every response gets the same score.
      var constant = false
      /// The round after which an observer ends the stage; 0 for none.
      var alarmAt = 0
    }

    struct Down: Error {}
    struct Alarm: Error {}

    struct OddJudge: Judge {
      let name = "odd"
      let configuration: Configuration
      let counter: Counter

      func judge(groups: [JudgeGroup]) throws -> [Judgement] {
        let call = counter.next()
        if FileManager.default.fileExists(atPath: configuration.down), call == 3 { throw Down() }
        return try FunctionJudge(name: name) { prompt, response in
          let isBad = !configuration.nan.isEmpty && prompt[0].content.contains(configuration.nan)
          return isBad ? .nan : configuration.constant ? 1 : Double(response.count)
        }.judge(groups: groups)
      }
    }

    final class Counter: Sendable {
      private let value = Mutex(0)
      func next() -> Int {
        value.withLock {
          $0 += 1
          return $0
        }
      }
    }

    /// Counts the rounds it saw, and ends the stage after one of them.
    struct Observer: RolloutObserver {
      let alarmAt: Int
      var seen = 0
      var isNew = false

      mutating func observe(_ buffer: RolloutBuffer, update: Int) -> [String: Double] {
        seen += 1
        isNew = update == alarmAt
        return ["watch/seen": Double(seen)]
      }
      func save(to folder: URL) throws {
        try Data("\(seen)".utf8).write(to: folder.appending(path: "observer"))
      }
      mutating func load(from folder: URL) throws {
        let text = try String(contentsOf: folder.appending(path: "observer"), encoding: .utf8)
        seen = Int(text) ?? -1
      }
      func stopIfAlarmed(
        after update: Int, checkpoint: (URL) throws -> Void, artifacts: () throws -> Void
      ) throws {
        guard isNew else { return }
        try artifacts()
        throw Alarm()
      }
    }

    let configuration: Configuration
    var inputs: [String] { [configuration.policy] + configuration.prompts }

    func plan(_ context: PlanContext) -> StagePlan { StagePlan("odd") }

    func run(_ context: StageContext) throws -> StageResult {
      let (start, encoder) = try loadPolicy(context, configuration.policy)
      var sampling = SamplingConfiguration()
      sampling.maxNewTokens = 10
      let settings = OnPolicySettings(
        prompts: try policyPrompts(
          context, configuration.prompts, encoder: encoder, models: [start.configuration],
          newTokens: 10),
        updates: 4, promptsPerUpdate: 8, responsesPerPrompt: 2, sampling: sampling,
        checkpointEvery: 10, onBadScore: configuration.onBadScore)
      var trainer = PolicyGradientTrainer<GRPO>(
        {
          var gradient = PolicyGradientConfiguration<GRPO>()
          (gradient.updates, gradient.promptsPerUpdate, gradient.responsesPerPrompt) = (4, 8, 2)
          gradient.sampling = sampling
          gradient.klCoefficient = 0
          gradient.klIn = .reward
          gradient.onZeroAdvantage = configuration.onZeroAdvantage
          gradient.optimizer.warmupFraction = 0
          return gradient
        }(), policy: start, seed: context.seed)
      var watch: (any RolloutObserver)? = Observer(alarmAt: configuration.alarmAt)
      try runOnPolicy(
        &trainer, settings: settings,
        judge: OddJudge(configuration: configuration, counter: Counter()),
        reference: start, encoder: encoder, context: context, watch: &watch)
      try trainer.trained.write(to: context.directory, encoder: encoder)
      return StageResult()
    }
  }

  private func run(
    _ settings: String, in folder: TemporaryFolder, mode: Runner.Mode = .refusing,
    observers: [any RunObserver] = []
  ) throws {
    let world = try TinyWorld.shared()
    let registry = StageRegistry([OddStage.self])
    let yaml = """
      name: odd
      seed: 3
      threads: 2
      stages:
        odd:
          {policy: '\(world("sft"))', prompts: ['\(world.data("prompts.jsonl"))'], \(settings)}
      """
    _ = try Runner(
      try registry.loader.load(yaml: yaml, overrides: []), registry: registry,
      directory: folder.url, mode: mode, observers: observers
    ).run()
  }

  private func isFinite<Number: FloatingPoint>(_ numbers: [Number]) -> Bool {
    numbers.allSatisfy { $0.isFinite }
  }

  private func weights(_ folder: TemporaryFolder) throws -> Data {
    try folder.data("stages/odd/model.safetensors")
  }

  @Test func aScoreThatIsNotANumberStopsTheStageNamingThePrompt() throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: RunError.self) { try run("nan: lamp", in: folder) }
    let text = "\(try #require(error))"
    #expect(text.contains("prompt 'prompt-") && text.contains("judge 'odd'"))
    #expect(text.contains("expected finite scores") && text.contains("nan"))
    // Nothing is lost: the sampled responses wait in a checkpoint.
    #expect(folder.exists("stages/odd/checkpoints/step-000000/rollouts.jsonl.zst"))
  }

  @Test func promptsWithoutAScoreAreSkippedWhereConfigured() throws {
    let (folder, warnings) = (try TemporaryFolder(), Warnings())
    try run("nan: lamp, on_bad_score: skip", in: folder, observers: [warnings])
    let skipped = try folder.series("judge/skipped_groups", "odd")
    #expect(skipped.count == 4)
    let rounds = skipped.count { $0 > 0 }
    #expect(rounds > 0 && (skipped.max() ?? 8) < 8)
    #expect(warnings.texts.count == rounds)
    let named = warnings.texts.count { $0.contains("are left out; 'prompt-") }
    #expect(named == rounds)
    let rewards = try folder.series("reward", "odd")
    #expect(rewards.count == 4 && isFinite(rewards))
    // A round without any prompt left does nothing, and the stage goes on.
    let all = try TemporaryFolder()
    try run("nan: the, on_bad_score: skip", in: all)
    #expect(try all.series("judge/skipped_groups", "odd") == [8, 8, 8, 8])
    #expect(try all.series("reward", "odd").isEmpty)
  }

  /// What the judge was asked about counts, whether or not its answer could be used.
  @Test func skippedResponsesWereJudged() throws {
    let folder = try TemporaryFolder()
    try run("nan: lamp, on_bad_score: skip", in: folder)
    let skipped = try folder.series("judge/skipped_groups", "odd").reduce(0, +)
    #expect(skipped > 0)
    #expect(try folder.series("judge/responses", "odd") == [16, 16, 16, 16])
  }

  /// A judge that is away in the third round: the run ends with its error, and resumes without sampling
  /// again, to the same bytes.
  @Test func aJudgeThatFailsLosesNothing() throws {
    let (straight, failed) = (try TemporaryFolder(), try TemporaryFolder())
    let down = failed.url.deletingLastPathComponent().appending(path: "down-\(UUID().uuidString)")
    let settings = "down: '\(down.path)'"
    try run(settings, in: straight)
    try Data().write(to: down)
    #expect(throws: OddStage.Down.self) { try run(settings, in: failed) }
    #expect(failed.exists("stages/odd/checkpoints/step-000002/rollouts.safetensors"))
    try FileManager.default.removeItem(at: down)
    try run(settings, in: failed, mode: .resuming)
    #expect(try weights(failed) == weights(straight))
    #expect(try failed.data("metrics.jsonl") == straight.data("metrics.jsonl"))
  }

  @Test func anObserverEndsTheStageWithItsStateSavedAndCounted() throws {
    let (straight, stopped) = (try TemporaryFolder(), try TemporaryFolder())
    try run("alarm_at: 9", in: straight)
    #expect(throws: OddStage.Alarm.self) { try run("alarm_at: 4", in: stopped) }
    #expect(stopped.exists("stages/odd/model.safetensors"))
    #expect(try straight.series("watch/seen", "odd") == [1, 2, 3, 4])
    #expect(try weights(stopped) == weights(straight))
  }

  /// huggingface/trl logs `frac_reward_zero_std` for it: groups that agree teach nothing, and break
  /// nothing.
  @Test(arguments: ["keep", "skip"]) func equalScoresTeachNothing(_ choice: String) throws {
    let folder = try TemporaryFolder()
    try run("constant: true, on_zero_advantage: \(choice)", in: folder)
    #expect(try folder.series("frac_reward_zero_std", "odd") == [1, 1, 1, 1])
    #expect(try folder.series("reward_std", "odd") == [0, 0, 0, 0])
    let isSkipped = choice == "skip"
    let (steps, prompts): (Double, Double) = isSkipped ? (0, 8) : (1, 0)
    #expect(
      try folder.series("optimizer_steps", "odd") == [Double](repeating: steps, count: 4))
    #expect(
      try folder.series("policy/skipped_prompts", "odd") == [Double](repeating: prompts, count: 4))
    #expect(try folder.series("loss", "odd") == (isSkipped ? [] : [0, 0, 0, 0]))
    // No gradient, no step: the policy is as it was.
    let world = try TinyWorld.shared()
    let (before, after) = (
      try CausalLM(directory: URL(filePath: world("sft"))),
      try CausalLM(directory: folder.url.appending(path: "stages/odd"))
    )
    #expect(PlumbRecipesTests.weights(before) == PlumbRecipesTests.weights(after))
  }

  /// PPO with equal scores and no divergence: advantages of 0, and finite weights.
  @Test(arguments: ValueModelChoice.allCases)
  func equalScoresBreakNothingInPPO(_ choice: ValueModelChoice) throws {
    let world = try TrainerWorld()
    let found = try world.trained(
      world.ppo(choice) {
        $0.klCoefficient = 0
        $0.gamma = 1
        $0.whitenRewards = true
      }, updates: 2
    ) { for place in $0.places { $0[place].score = 2 } }
    #expect(isFinite(found.metrics.flatMap(\.values)))
    #expect(isFinite(PlumbRecipesTests.weights(found.trainer.trained)))
  }

  /// A response of nothing but the token that ends it, and one that has no token at all.
  @Test func emptyResponses() throws {
    let world = try TrainerWorld()
    let shorten = { (buffer: inout RolloutBuffer) in
      for group in buffer.groups.indices {
        buffer.groups[group].responses[0].tokens = [0]
        buffer.groups[group].responses[0].behaviourLogprobs = []
        buffer.groups[group].responses[0].finishReason = .stop
      }
    }
    let ppo = try world.trained(world.ppo(), updates: 2, responses: 2, change: shorten)
    #expect(isFinite(ppo.metrics.flatMap(\.values)))
    let gradient = try world.trained(world.gradient(GRPO.self), updates: 2, change: shorten)
    #expect(isFinite(gradient.metrics.flatMap(\.values)))
    var buffer = try world.rollouts(world.policy)
    buffer.groups[2].responses[0].tokens = []
    buffer.groups[2].responses[0].behaviourLogprobs = []
    let broken = buffer
    let error = #expect(throws: RolloutError.self) { try broken.validate() }
    let message = "\(try #require(error))"
    #expect(message.contains("group 2, response 0 has no tokens"))
  }

  @Test func aBufferThatWasNotScoredIsRefused() throws {
    let world = try TrainerWorld()
    func refusal(_ body: (inout RolloutBuffer) throws -> Void) throws -> String {
      var buffer = try world.rollouts(world.policy, responses: 2)
      buffer.groups[3].responses[1].score = nil
      do {
        try body(&buffer)
      } catch { return "\(error)" }
      return ""
    }
    var ppo = try PPOTrainer(world.ppo(), policy: world.policy, reward: world.reward, seed: 1)
    var grpo = PolicyGradientTrainer(
      world.gradient(GRPO.self), policy: world.policy, seed: 1)
    let found = [
      try refusal { _ = try ppo.improve(on: &$0, reference: world.policy, update: 1) },
      try refusal { _ = try grpo.improve(on: &$0, reference: world.policy, update: 1) },
    ]
    for text in found { #expect(text.contains("group 3, response 1: 'score' is not filled")) }
  }

  /// A reward model whose weights are broken, in a folder of its own.
  private func brokenModel(in folder: TemporaryFolder) throws -> String {
    let source = URL(filePath: try TinyWorld.shared()("reward"))
    guard case .reward(var model) = try loadPreferenceModel(directory: source) else {
      throw CocoaError(.fileReadUnknown)
    }
    let name = try #require(model.parameters.layout.entries.map(\.name).last)
    let id = try #require(model.parameters.layout.id(named: name))
    model.parameters.assign(
      [Float](repeating: .nan, count: model.parameters.layout[id].shape.count), to: id)
    let broken = folder.url.appending(path: "broken")
    try model.write(to: broken, encoder: try ConversationEncoder.load(from: source))
    return broken.path
  }

  /// The message names stage, prompt and model.
  @Test(arguments: OnlineOptimiser.allCases)
  func aRewardModelThatReturnsNaNIsNamed(_ optimiser: OnlineOptimiser) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let broken = try brokenModel(in: folder)
    let yaml = optimiser.yaml(
      world, judge: "'\(broken)'", file: world.data("prompts.jsonl"))
    let error = #expect(throws: (any Error).self) {
      try runTiny(yaml, in: folder.url.appending(path: "run"))
    }
    let text = "\(try #require(error))"
    for part in ["stages.\(optimiser.kind): prompt 'prompt-", "broken", "expected finite scores"] {
      #expect(text.contains(part), "'\(part)' in: \(text)")
    }
  }

  /// Told to skip, the stage goes on without such prompts: here all of them, so that no weight changes.
  @Test(arguments: [
    (OnlineOptimiser.onlineDPO, ", on_bad_score: skip", ""), (.grpo, ", on_bad_score: skip", ""),
    (.rloo, ", on_bad_score: skip", ""), (.reinforce, ", on_bad_score: skip", ""),
    (.ppo, ", on_bad_score: skip, normalize_rewards: false", ""),
    (.gpo, "", ", on_failure: skip"), (.sppo, "", ", on_failure: skip"),
    (.rejectionSampling, "", ", on_failure: skip"),
  ])
  func promptsWithoutAFiniteScoreAreSkippedByEveryStage(
    _ optimiser: OnlineOptimiser, _ ofStage: String, _ ofJudge: String
  ) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let broken = try brokenModel(in: folder)
    let judge = "{model: '\(broken)'\(ofJudge)}"
    try runTiny(optimiser.yaml(world, judge: judge, rounds: 2, ofStage), in: folder.url)
    #expect(try folder.series("judge/skipped_groups", optimiser.kind) == [4, 4])
    #expect(try folder.series("judge/responses", optimiser.kind) == [16, 16])
    let (start, end) = (
      try CausalLM(directory: URL(filePath: world("sft"))),
      try CausalLM(directory: folder.url.appending(path: "stages/\(optimiser.kind)"))
    )
    let isSame = PlumbRecipesTests.weights(start) == PlumbRecipesTests.weights(end)
    #expect(isSame, "the policy moved")
  }
}
