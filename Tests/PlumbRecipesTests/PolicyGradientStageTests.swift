import Foundation
import PlumbModels
import Testing

@testable import PlumbRecipes

/// GRPO, RLOO and REINFORCE as stages, on a world where the better answer says "please".
@Suite struct PolicyGradientStageTests {
  private func run(
    _ stage: String, _ settings: String, in folder: TemporaryFolder
  ) throws -> RunSummary {
    let world = try TinyWorld.shared()
    return try runTiny(
      """
      name: gradients
      seed: 5
      threads: 2
      stages:
        \(stage):
          {policy: '\(world("sft"))', reward: '\(world("reward"))', \(settings),
          prompts: ['\(world("data/prompts.train.jsonl.zst"))'], sampling: {max_new_tokens: 12},
          optimizer: {learning_rate: 0.002, schedule: linear}}
      """, in: folder.url)
  }

  static let cases = [
    ("grpo", "prompts_per_update: 8, responses_per_prompt: 4, epochs: 2"),
    ("rloo", "prompts_per_update: 8, responses_per_prompt: 4, minibatches: 2"),
    ("reinforce", "prompts_per_update: 32, minibatches: 2, normalize_advantages: true"),
  ]

  @Test(arguments: cases) func theScoreRises(_ stage: String, _ settings: String) throws {
    let folder = try TemporaryFolder()
    let summary = try run(
      stage, "\(settings), updates: 10, normalize_rewards: true", in: folder)
    let scores = try StageLearningTests.ends(folder.series("objective/scores", stage))
    #expect(scores.last > scores.first + 0.3, "\(scores)")
    let divergence = try folder.series("objective/kl", stage)
    // Before the first step policy and reference are one.
    #expect(divergence[0].magnitude < 1e-4 && divergence[9] > 0)
    #expect(summary.figures["\(stage)/final/objective/scores"] != nil)
    let names = [
      "reward", "reward_std", "frac_reward_zero_std", "kl", "entropy", "loss", "grad_norm",
    ]
    for name in names { #expect(try folder.series(name, stage).count == 10, "\(name)") }
    let start = try CausalLM(directory: URL(filePath: try TinyWorld.shared()("sft")))
    let trained = try CausalLM(directory: folder.url.appending(path: "stages/\(stage)"))
    #expect(weights(trained) != weights(start))
  }

  /// The same responses, with their scores brought to mean 0 and variance 1 and as the model gives them.
  @Test func scoresAreNormalisedWhereTheRecipeSaysSo() throws {
    func first(_ isNormalised: Bool) throws -> Double {
      let folder = try TemporaryFolder()
      _ = try run(
        "rloo",
        "prompts_per_update: 32, responses_per_prompt: 2, updates: 1, "
          + "normalize_rewards: \(isNormalised)", in: folder)
      let scores = try folder.series("objective/scores", "rloo")
      return try #require(scores.first)
    }
    let (own, plain) = (try first(true), try first(false))
    #expect(abs(own) < 0.6 && own != plain, "\(own), \(plain)")
  }

  /// What a recipe may not say, with the field at fault.
  @Test(arguments: [
    ("grpo", "responses_per_prompt: 1", "responses_per_prompt", "at least 2"),
    ("rloo", "responses_per_prompt: 1", "responses_per_prompt", "at least 2"),
    ("reinforce", "epochs: 2", "epochs", "off its policy"),
    ("reinforce", "dual_clip: 3", "dual_clip", "there is no ratio"),
    ("reinforce", "prompts_per_update: 1", "prompts_per_update", "at least 2 responses"),
    ("grpo", "ratio_level: sequence, loss_reduction: token", "loss_reduction", "sequence"),
    ("grpo", "kl_estimator: k1", "kl_gradient", "unbiased"),
    ("grpo", "kl_coefficient: 0", "kl_coefficient", "above 0 where kl_in is loss"),
    ("grpo", "minibatches: 9", "minibatches", "at most one per prompt"),
    ("rloo", "length_penalty_from: 3", "length_penalty_from", "length_penalty is 0"),
    ("rloo", "ratio_threshold: 1", "ratio_threshold", "1.0001"),
    ("ppo", "ratio_threshold: 0.5", "ratio_threshold", "1.0001"),
    ("ppo", "value_warmup_updates: 20", "value_warmup_updates", "less than updates"),
    ("ppo", "kl_in: loss, kl_gradient: automatic", "kl_gradient", "unbiased"),
    ("ppo", "dual_clip: 0.5", "dual_clip", "1.0001"),
    ("ppo", "missing_eos_penalty: -1", "missing_eos_penalty", "0 to 1000000"),
    ("ppo", "on_bad_score: ignore", "on_bad_score", "'stop', 'skip'"),
  ])
  func settingsThatCannotBeMeantAreRefused(
    _ stage: String, _ settings: String, _ field: String, _ expected: String
  ) throws {
    let folder = try TemporaryFolder()
    var text = ""
    do { _ = try run(stage, settings, in: folder) } catch { text = "\(error)" }
    #expect(text.contains("stages.\(stage).\(field)"), "\(text)")
    #expect(text.contains(expected), "\(text)")
  }
}
