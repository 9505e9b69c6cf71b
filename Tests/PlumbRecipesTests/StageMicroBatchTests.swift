import Foundation
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// How a batch is cut into micro-batches changes the sums' rounding and nothing else.
@Suite struct StageMicroBatchTests {
  static let common = "max_length: 64, optimizer: {learning_rate: 0.0005}"

  private func recipe(_ stage: String) throws -> String {
    let world = try TinyWorld.shared()
    let pairs = "['\(world("data/preferences.judge.jsonl.zst"))']"
    let settings =
      switch stage {
      case "sft":
        "model: '\(world("pretrain"))', train: ['\(world("data/demonstrations.train.jsonl.zst"))']"
      case "dpo": "policy: '\(world("sft"))', pairs: \(pairs)"
      default: "model: '\(world("pretrain"))', train: \(pairs)"
      }
    return """
      name: cut
      seed: 3
      threads: 2
      stages:
        \(stage): {\(settings), \(Self.common)}
      """
  }

  @Test(arguments: ["reward-model", "general-preference", "pair-preference", "sft", "dpo"])
  func microBatchesDoNotChangeTheTrajectory(_ stage: String) throws {
    let yaml = try recipe(stage)
    let (whole, cut) = (try TemporaryFolder(), try TemporaryFolder())
    try runTiny(yaml, in: whole.url)
    // One or two examples at once instead of 32.
    try runTiny(yaml, in: cut.url, overrides: ["\(stage).micro_batch_tokens=64"])
    #expect(try whole.text("metrics.jsonl") != cut.text("metrics.jsonl"))
    for name in ["loss", "grad_norm"] {
      let (a, b) = (try whole.series(name, stage), try cut.series(name, stage))
      #expect(a.count == b.count && a.count >= 2)
      let differences = zip(a, b).map { abs($0 - $1) / max(1, abs($0)) }
      let mean = differences.reduce(0, +) / Double(differences.count)
      let largest = try #require(differences.max())
      EquivalenceLog.note("micro-batches, metrics", (largest, mean), "\(stage), \(name)")
      #expect(largest < 1e-3, "\(name)")
      #expect(mean < 3e-4, "\(name)")
    }
  }

  /// `gradient_checkpointing` changes memory and time, and no bit of what is trained.
  @Test(
    "Complaint 13, trl#3664: recomputing activations saves memory and changes no bit",
    arguments: ["reward-model", "general-preference", "pair-preference", "sft", "dpo"])
  func checkpointingChangesNoBit(_ stage: String) throws {
    let (kept, recomputed) = (try TemporaryFolder(), try TemporaryFolder())
    let yaml = try recipe(stage)
    try runTiny(yaml, in: kept.url)
    try runTiny(
      yaml, in: recomputed.url, overrides: ["\(stage).optimizer.gradient_checkpointing=true"])
    #expect(try kept.text("recipe.yaml") != recomputed.text("recipe.yaml"))
    #expect(try kept.text("metrics.jsonl") == recomputed.text("metrics.jsonl"))
  }
}
