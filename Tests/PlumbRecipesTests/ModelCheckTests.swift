import Foundation
import Testing

@testable import PlumbRecipes

/// A stage that names a model of the wrong kind is refused before the first stage runs, and by `--dry-run`.
@Suite struct ModelCheckTests {
  /// Four stages that leave a model of each kind and none, and the stage under test.
  private func recipe(_ world: TinyWorld, _ stage: String) -> String {
    let pairs = "['\(world.data("pairs.jsonl"))']"
    let model = "model: '\(world("pretrain"))', train: \(pairs), max_length: 64"
    return """
      name: kinds
      threads: 2
      stages:
        pairs: {kind: data, preferences: \(pairs)}
        language: {kind: sft, \(model)}
        rewards: {kind: reward-model, \(model)}
        general: {kind: general-preference, \(model)}
        both: {kind: pair-preference, \(model)}
        last: {\(stage)}
      """
  }

  private func runner(_ yaml: String, in folder: TemporaryFolder) throws -> Runner {
    let registry = StageRegistry.standard
    return try Runner(
      try registry.loader.load(yaml: yaml, overrides: []), registry: registry,
      directory: folder.url.appending(path: "run"))
  }

  private static let none = "which leaves no model in its folder"

  @Test(arguments: [
    (
      "kind: ppo, policy: rewards, reward: rewards",
      "'rewards': expected a language model, found a reward model"
    ),
    (
      "kind: gpo, policy: pairs, judge: general",
      "'pairs': expected a language model, found the stage 'pairs', \(none)"
    ),
    (
      "kind: gpo, policy: language, judge: language",
      "'language': expected a reward, general preference or pair model, found a language model"
    ),
    (
      "kind: ppo, policy: language, reward: pairs",
      "'pairs': expected a reward, general preference or pair model, found the stage 'pairs', \(none)"
    ),
    (
      "kind: grpo, policy: language, reward: general",
      "'general': expected a judge that scores each response, or 'preference_reward: opponents' beside it, found a general preference model"
    ),
    (
      "kind: rloo, policy: language, reward: {model: both}",
      "'both': expected a judge that scores each response, or 'preference_reward: opponents' beside it, found a pair model"
    ),
    (
      "kind: reinforce, policy: language, reward: rewards, watch: {held_out: general}",
      "'general': expected as watch.held_out a judge with scores, or two responses to a prompt or more, found a general preference model"
    ),
    (
      "kind: gpo, policy: language, judge: {ensemble: [rewards, both], combine: minimum}",
      "'both': expected scores, of which the lowest counts, or 'preference_reward: opponents' beside it, found a pair model"
    ),
    (
      "kind: online-dpo, policy: both, judge: rewards",
      "'both': expected a language model, found a pair model"
    ),
    (
      "kind: online-dpo, policy: language, judge: rewards, references: [language, general]",
      "'general': expected a language model, found a general preference model"
    ),
    (
      "kind: rejection-sampling, policy: language, judge: {ensemble: [rewards, language]}",
      "'language': expected a reward, general preference or pair model, found a language model"
    ),
    (
      "kind: compare, baseline: language, policies: [general], judge: rewards",
      "'general': expected a language model, found a general preference model"
    ),
    (
      "kind: compare, baseline: language, policies: ['WORLD'], judge: rewards, other_judges: [language]",
      "'language': expected a reward, general preference or pair model, found a language model"
    ),
  ])
  func aModelOfAnotherKindIsRefusedBeforeAnyStageRuns(
    _ stage: String, _ expected: String
  ) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let prompts = "prompts: ['\(world.data("prompts.jsonl"))']"
    let yaml = recipe(
      world, stage.replacing("WORLD", with: world("sft")) + ", \(prompts)")
    let runner = try runner(yaml, in: folder)
    for attempt in [{ _ = try runner.plan() }, { _ = try runner.run() }] {
      let error = #expect(throws: RunError.self) { try attempt() }
      let text = "\(try #require(error))"
      #expect(text == "stages.last: \(expected)")
    }
    #expect(!folder.exists("run/stages"))
  }

  @Test(arguments: [
    (
      "kind: dpo, policy: rewards, pairs: PAIRS",
      "'rewards': expected a language model, found a reward model"
    ),
    (
      "kind: dpo, policy: language, references: [general], pairs: PAIRS",
      "'general': expected a language model, found a general preference model"
    ),
    (
      "kind: reward-model, model: general, train: PAIRS",
      "'general': expected a language model or a reward model, found a general preference model"
    ),
    (
      "kind: pair-preference, model: pairs, train: PAIRS",
      "'pairs': expected a language model or a preference model, found the stage 'pairs', \(none)"
    ),
    (
      "kind: general-preference, model: pairs, train: PAIRS",
      "'pairs': expected a language model or a preference model, found the stage 'pairs', \(none)"
    ),
    (
      "kind: sft, model: both, train: PAIRS",
      "'both': expected a language model, found a pair model"
    ),
  ])
  func whatATrainingStartsFromIsLookedAtToo(_ stage: String, _ expected: String) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let pairs = "['\(world.data("pairs.jsonl"))'], max_length: 64"
    let runner = try runner(
      recipe(world, stage.replacing("PAIRS", with: pairs)), in: folder)
    let error = #expect(throws: RunError.self) { try runner.run() }
    #expect("\(try #require(error))" == "stages.last: \(expected)")
    #expect(!folder.exists("run/stages"))
  }

  /// Folders say in `config.json` what they hold.
  @Test func aModelOnDiskIsLookedAt() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let prompts = "prompts: ['\(world.data("prompts.jsonl"))']"
    for (policy, judge, expected) in [
      (
        "preference", "reward",
        "'\(world("preference"))': expected a language model, found a general preference model"
      ),
      (
        "sft", "pretrain",
        "'\(world("pretrain"))': expected a reward, general preference or pair model, found a language model"
      ),
    ] {
      let runner = try runner(
        recipe(
          world, "kind: gpo, policy: '\(world(policy))', judge: '\(world(judge))', \(prompts)"),
        in: folder)
      let error = #expect(throws: RunError.self) { try runner.plan() }
      let text = "\(try #require(error))"
      #expect(text.hasPrefix("stages.last: \(expected) (Qwen2For"), "\(text)")
    }
  }

  /// All that stages can do with models of the right kind is planned as before.
  @Test(arguments: [
    "kind: ppo, policy: language, reward: rewards",
    "kind: ppo, policy: language, reward: {model: general, preference_reward: opponents}, responses_per_prompt: 2",
    "kind: gpo, policy: language, judge: both, watch: {held_out: general}",
    "kind: online-dpo, policy: language, judge: {ensemble: [rewards, general]}",
    "kind: label-pairs, policy: language, judge: both",
    "kind: compare, baseline: language, policies: ['WORLD'], judge: general, other_judges: [both, rewards]",
  ])
  func modelsOfTheRightKindArePlanned(_ stage: String) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let yaml = recipe(
      world,
      stage.replacing("WORLD", with: world("sft"))
        + ", prompts: ['\(world.data("prompts.jsonl"))']")
    #expect(try runner(yaml, in: folder).plan().count == 6)
  }

  /// Leaves a copy of a model in a folder below its own.
  private struct NestingStage: Stage {
    struct Configuration: StageConfiguration {
      static let kind = "nesting"
      var model = ""
      /// The name of the folder below the stage's own; none for its own.
      var below = "model"
    }

    let configuration: Configuration
    var inputs: [String] { [configuration.model] }

    func plan(_ context: PlanContext) -> StagePlan { StagePlan("nests") }

    func run(_ context: StageContext) throws -> StageResult {
      let source = try context.artifact(configuration.model)
      var target = context.directory
      if !configuration.below.isEmpty {
        target.append(path: configuration.below)
        try RunFiles.createFolder(target)
      }
      for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        try FileManager.default.copyItem(
          at: source.appending(path: name), to: target.appending(path: name))
      }
      return StageResult()
    }
  }

  /// A stage of one's own need not say what it leaves behind.
  @Test func aStageThatSaysNothingIsNotRefused() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let registry = StageRegistry([NestingStage.self, GPOStage.self])
    let yaml = """
      name: own
      threads: 2
      stages:
        nest: {kind: nesting, model: '\(world("sft"))', below: ''}
        gpo: {policy: nest, judge: {rule: regex, pattern: '^please'}, iterations: 1,
            prompts_per_iteration: 2, responses: 2, sampling: {max_new_tokens: 2},
            prompts: ['\(world.data("prompts.jsonl"))']}
      """
    let runner = try Runner(
      try registry.loader.load(yaml: yaml, overrides: []), registry: registry,
      directory: folder.url)
    let summary = try runner.run()
    #expect(summary.stages.map(\.name) == ["nest", "gpo"])
  }

  /// What a stage leaves below its folder nobody knows before; the stage that loads it refuses it.
  @Test(arguments: [
    ("reward: nest/model", "expected a judge that scores each response"),
    (
      "reward: 'SCORES', watch: {held_out: nest/model}",
      "expected as watch.held_out a judge with scores"
    ),
    (
      "reward: {ensemble: [nest/model, 'SCORES'], combine: minimum}",
      "expected scores, of which the lowest counts"
    ),
  ])
  func aModelBelowAStagesFolderIsRefusedWhenItIsLoaded(
    _ judge: String, _ expected: String
  ) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let registry = StageRegistry([NestingStage.self, PPOStage.self])
    let yaml = """
      name: nested
      threads: 2
      stages:
        nest: {kind: nesting, model: '\(world("preference"))'}
        ppo: {policy: '\(world("sft"))', \(judge.replacing("SCORES", with: world("reward"))),
            prompts: ['\(world.data("prompts.jsonl"))'], updates: 1}
      """
    let runner = try Runner(
      try registry.loader.load(yaml: yaml, overrides: []), registry: registry,
      directory: folder.url)
    let error = #expect(throws: RunError.self) { try runner.run() }
    let text = "\(try #require(error))"
    #expect(text.contains(expected) && text.contains("nest/model"), "\(text)")
    #expect(folder.exists("stages/nest/model/config.json"))
    #expect(!folder.exists("stages/ppo/checkpoints"))
  }
}
