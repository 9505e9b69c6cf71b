import Foundation
import Testing

@testable import PlumbRecipes

/// A stage that is interrupted again and again ends in the same bytes as one left alone.
@Suite struct StageResumeTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let stage: String
    /// Its settings in a recipe.
    let settings: @Sendable (TinyWorld) -> String
    /// Whether the weights of an early step are the best, so that they must survive too: by a rising
    /// learning rate, or by validation pairs that say the opposite of those to train on.
    var keepsBest = false
    /// Whether an adapter is trained.
    var isAdapter = false
    var testDescription: String { stage + (isAdapter ? " with an adapter" : "") }

    /// The same stage with an adapter in place of all weights.
    var adapted: Case {
      // The first step of a warm-up moves nothing, and so large a factor makes the next ones worse.
      let alpha = keepsBest ? 100_000 : 16
      let schedule = "schedule: constant"
      var result = Case(
        stage: stage,
        settings: { world in
          let settings = settings(world).replacing(
            schedule, with: schedule + ", warmup_fraction: 1")
          return "{lora: {rank: 4, alpha: \(alpha), target_modules: [q_proj, v_proj, down_proj]}, "
            + settings.drop { $0 != "{" }.dropFirst()
        }, keepsBest: keepsBest)
      result.isAdapter = true
      return result
    }
  }

  static let cases = [
    Case(
      stage: "pretrain",
      settings: {
        """
        {tokenizer: '\($0("tokenizer"))', model: '\($0("pretrain"))',
          files: ['\($0.data("texts.jsonl"))'], sequence_length: 64, batch_tokens: 256, steps: 9,
          validation_share: 0.1, validations: 100, samples: 1, sample_tokens: 8,
          optimizer: {learning_rate: 0.3, schedule: constant, warmup_fraction: 1}}
        """
      }, keepsBest: true),
    Case(
      stage: "reward-model",
      settings: {
        """
        {model: '\($0("pretrain"))', train: ['\($0("data/preferences.judge.jsonl.zst"))'],
          validation: ['\($0.data("swapped.jsonl"))'], max_length: 64,
          test: ['\($0("data/preferences.test.jsonl.zst"))'],
          batch_pairs: 8, epochs: 1, validations: 100, optimizer: {learning_rate: 0.003}}
        """
      }, keepsBest: true),
    Case(
      stage: "pair-preference",
      settings: {
        """
        {model: '\($0("pretrain"))', train: ['\($0("data/preferences.judge.jsonl.zst"))'],
          validation: ['\($0.data("swapped.jsonl"))'], max_length: 64,
          test: ['\($0("data/preferences.test.jsonl.zst"))'],
          batch_pairs: 8, epochs: 1, validations: 100, optimizer: {learning_rate: 0.003}}
        """
      }, keepsBest: true),
    Case(
      stage: "sft",
      settings: {
        """
        {model: '\($0("pretrain"))', train: ['\($0("data/demonstrations.judge.jsonl.zst"))'],
          validation: ['\($0("data/demonstrations.validation.jsonl.zst"))'], max_length: 64,
          batch_rows: 8, epochs: 1, validations: 100,
          optimizer: {learning_rate: 0.1, schedule: constant}}
        """
      }, keepsBest: true),
    Case(
      stage: "dpo",
      settings: {
        """
        {policy: '\($0("sft"))', pairs: ['\($0("data/preferences.judge.jsonl.zst"))'],
          max_length: 64, batch_pairs: 8, epochs: 1, optimizer: {learning_rate: 0.001}}
        """
      }),
    Case(
      stage: "ppo",
      settings: {
        """
        {policy: '\($0("sft"))', reward: '\($0("reward"))', prompts: ['\($0.data("prompts.jsonl"))'],
          updates: 5, prompts_per_update: 8, responses_per_prompt: 2, kl_target: 0.5,
          kl_horizon: 50, sampling: {max_new_tokens: 10}, optimizer: {learning_rate: 0.001},
          watch: {held_out: '\($0("judge"))', held_out_every: 2, samples_every: 2}}
        """
      }),
    Case(
      stage: "ppo-separate",
      settings: {
        """
        {kind: ppo, value_model: separate, policy: '\($0("sft"))', reward: '\($0("reward"))',
          prompts: ['\($0.data("prompts.jsonl"))'], updates: 5, prompts_per_update: 8,
          sampling: {max_new_tokens: 10}, optimizer: {learning_rate: 0.001}}
        """
      }),
    Case(
      stage: "gpo",
      settings: {
        """
        {policy: '\($0("sft"))', judge: '\($0("preference"))',
          prompts: ['\($0.data("prompts.jsonl"))'], iterations: 5, prompts_per_iteration: 8,
          batch_prompts: 4, epochs: 2, sampling: {max_new_tokens: 10},
          optimizer: {learning_rate: 0.001}}
        """
      }),
  ]

  static let adapted = cases.filter { ["sft", "dpo", "ppo", "gpo"].contains($0.stage) }
    .map(\.adapted)

  @Test(arguments: cases + adapted) func anInterruptedStageEndsInTheSameBytes(_ test: Case) throws {
    let world = try TinyWorld.shared()
    let yaml = """
      name: resume
      seed: 11
      threads: 2
      stages:
        \(test.stage):
          \(test.settings(world))
      """
    let (straight, interrupted) = (try TemporaryFolder(), try TemporaryFolder())
    try runTiny(yaml, in: straight.url)
    let steps = try straight.text("metrics.jsonl").split(separator: "\n").count
    try #require(steps > 4)
    // The first poll is before the stage; so two steps are done and the second one is saved.
    let stops = try runTinyWithStops(yaml, in: interrupted.url, polls: 2, fewerThan: steps)
    // On-line stages poll once more, before the judge; so they do one step at a time.
    #expect(stops == Array(stride(from: 2, to: steps, by: 2)) || stops == Array(1..<steps))
    let weights = test.isAdapter ? "adapter_model" : "model"
    for file in ["metrics.jsonl", "summary.json", "stages/\(test.stage)/\(weights).safetensors"] {
      #expect(try interrupted.data(file) == straight.data(file), "\(file)")
    }
    if test.keepsBest {
      let losses = try straight.series("eval_loss", test.stage)
      let best = try #require(losses.indices.min { losses[$0] < losses[$1] })
      #expect(
        best + 1 < stops[stops.count - 1],
        "the best weights must come from a checkpoint: \(losses)")
    }
  }
}
