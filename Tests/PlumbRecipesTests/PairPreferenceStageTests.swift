import Foundation
import PlumbPreferences
import Testing

@testable import PlumbRecipes

/// A pair model learns the world's rule, and serves wherever a judge is asked.
@Suite struct PairPreferenceStageTests {
  private func trained(_ orders: String, trainedIn: String) throws -> (RunSummary, TemporaryFolder)
  {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let summary = try runTiny(
      """
      name: pairs
      seed: 5
      threads: 2
      stages:
        pairs:
          {kind: pair-preference, model: '\(world("pretrain"))', orders: \(orders),
          training_orders: \(trainedIn), train: ['\(world("data/preferences.train.jsonl.zst"))'],
          validation: ['\(world("data/preferences.validation.jsonl.zst"))'],
          test: ['\(world("data/preferences.test.jsonl.zst"))'], max_length: 96, batch_pairs: 16,
          epochs: 2, optimizer: {learning_rate: 0.003}}
      """, in: folder.url.appending(path: "run"))
    return (summary, folder)
  }

  private func figure(_ name: String, _ summary: RunSummary) throws -> Figure {
    try #require(summary.figures.first { $0.name == "pairs/\(name)" }, "\(name)")
  }

  @Test(arguments: [("both", "both"), ("single", "both")])
  func learnsTheRuleAndMeasuresItsBias(orders: (String, String)) throws {
    let (summary, folder) = try trained(orders.0, trainedIn: orders.1)
    #expect(try figure("test_accuracy", summary).value > 0.9)
    let flips = try figure("order_flips", summary)
    #expect(flips.value < 0.2)
    #expect(try #require(flips.interval)[1] > flips.value)
    let url = folder.url.appending(path: "run/stages/pairs")
    guard case .pair(let model) = try loadPreferenceModel(directory: url) else {
      Issue.record("expected a pair model")
      return
    }
    #expect(model.orders.rawValue == orders.0)
    #expect(!model.opening.isEmpty)
  }

  @Test func judgesAPolicyAndIsNoRewardModel() throws {
    let (world, folder) = (try TinyWorld.shared(), try trained("both", trainedIn: "single").1)
    let judge = folder.url.appending(path: "run/stages/pairs").path
    let prompts = "prompts: ['\(world.data("prompts.jsonl"))'], sampling: {max_new_tokens: 8}"
    let run = { (stage: String, name: String) in
      try runTiny(
        "name: judged\nseed: 3\nthreads: 2\nstages:\n  \(stage)\n",
        in: folder.url.appending(path: name))
    }
    let summary = try run(
      "gpo: {policy: '\(world("sft"))', judge: '\(judge)', iterations: 2, responses: 3, "
        + "prompts_per_iteration: 8, \(prompts), optimizer: {learning_rate: 0.001}}", "gpo")
    #expect(!summary.figures.isEmpty)
    // PPO needs one number for each response, and is told how to get it.
    let error = #expect(throws: RunError.self) {
      try run("ppo: {policy: '\(world("sft"))', reward: '\(judge)', \(prompts)}", "ppo")
    }
    #expect("\(try #require(error))".contains("preference_reward: opponents"))
    let rewarded = try run(
      "ppo: {policy: '\(world("sft"))', reward: {model: '\(judge)', preference_reward: opponents}, "
        + "updates: 2, prompts_per_update: 8, responses_per_prompt: 3, \(prompts)}",
      "ppo-opponents")
    #expect(!rewarded.figures.isEmpty)
  }
}
