import Foundation
import Testing

@testable import PlumbRecipes

/// `dpo`, `kto` and `online-dpo`, stopped again and again, end in the same bytes as left alone
/// (trl#2657, #1643; OpenRLHF#65; LLaMA-Factory#8715: state lost or reset on resume).
@Suite struct PairResumeTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let kind: String
    let settings: @Sendable (TinyWorld) -> String
    var isAdapter = false
    /// The number of polls after which a run is stopped.
    var polls = 2
    var testDescription: String { name }

    var weights: String { isAdapter ? "adapter_model.safetensors" : "model.safetensors" }

    func yaml(_ world: TinyWorld) -> String {
      """
      name: resume
      seed: 11
      threads: 2
      stages:
        \(kind): {\(settings(world))}
      """
    }
  }

  private static func dpo(_ world: TinyWorld, _ more: String) -> String {
    "policy: '\(world("sft"))', pairs: ['\(world("data/preferences.judge.jsonl.zst"))'], "
      + "max_length: 64, batch_pairs: 8, checkpoint_every: 3\(more)"
  }

  private static func kto(_ world: TinyWorld, _ more: String) -> String {
    "policy: '\(world("sft"))', rows: ['\(world("data/preferences.judge.jsonl.zst"))'], "
      + "max_length: 64, batch_rows: 16, epochs: 1.4, checkpoint_every: 3\(more)"
  }

  private static func online(_ world: TinyWorld, _ more: String) -> String {
    "policy: '\(world("sft"))', judge: '\(world("reward"))', prompts: ['\(world.data("prompts.jsonl"))'], "
      + "updates: 5, prompts_per_update: 8, responses: 3, batch_pairs: 4, epochs: 2, "
      + "sampling: {max_new_tokens: 10}\(more)"
  }

  private static let rate = ", optimizer: {learning_rate: 0.001}"
  private static let lora = ", lora: {rank: 4, alpha: 16, target_modules: [q_proj, down_proj]}"

  static let cases = [
    // Two references, an anchor, an SFT term, two losses, and the best weights of an early step.
    Case(
      name: "dpo with everything", kind: "dpo",
      settings: { world in
        dpo(
          world,
          ", references: ['\(world("sft"))', '\(world("pretrain"))'], reference_weights: [3, 1], "
            + "anchor_weight: 0.1, anchor_tokens: 8, sft_weight: 0.1, extra_losses: {aot: 0.5}, "
            + "validation: ['\(world.data("swapped.jsonl"))'], validations: 100, "
            + "micro_batch_tokens: 300, optimizer: {learning_rate: 0.002}")
      }),
    Case(
      name: "dpo with an adapter", kind: "dpo",
      settings: { dpo($0, ", loss: ipo\(lora)\(rate)") }, isAdapter: true, polls: 3),
    Case(
      name: "simpo", kind: "dpo", settings: { dpo($0, ", loss: simpo, beta: 2, margin: 1\(rate)") }),
    Case(name: "kto", kind: "kto", settings: { kto($0, rate) }),
    Case(
      name: "kto with an adapter", kind: "kto",
      settings: { world in
        kto(
          world,
          ", validation: ['\(world.data("swapped.jsonl"))'], validations: 100\(lora)\(rate)")
      }, isAdapter: true, polls: 3),
    Case(name: "online-dpo", kind: "online-dpo", settings: { online($0, rate) }),
    // Two references, an anchor whose answers are drawn in every round, and batches that do not fit at once.
    Case(
      name: "online-dpo with references and an anchor", kind: "online-dpo",
      settings: { world in
        online(
          world,
          ", references: ['\(world("sft"))', '\(world("pretrain"))'], reference_weights: [3, 1], "
            + "anchor_weight: 0.1, anchor_tokens: 8, micro_batch_tokens: 150\(rate)")
      }),
    Case(
      name: "online-dpo with an adapter", kind: "online-dpo",
      settings: { online($0, ", loss: apo-zero, checkpoint_every: 2\(lora)\(rate)") },
      isAdapter: true, polls: 3),
  ]

  @Test(arguments: cases) func aStoppedRunEndsInTheSameBytes(_ test: Case) throws {
    let yaml = test.yaml(try TinyWorld.shared())
    let (straight, stopped) = (try TemporaryFolder(), try TemporaryFolder())
    try runTiny(yaml, in: straight.url)
    let steps = try straight.text("metrics.jsonl").split(separator: "\n").count
    try #require(steps > 4)
    let stops = try runTinyWithStops(yaml, in: stopped.url, polls: test.polls, fewerThan: 4 * steps)
    #expect(stops.count > 1 && Set(stops).count > 1, "\(stops)")
    for file in ["metrics.jsonl", "summary.json", "stages/\(test.kind)/\(test.weights)"] {
      #expect(try stopped.data(file) == straight.data(file), "\(file)")
    }
  }

  /// Copied at drawn moments while it runs, as a kill would leave it; `online-dpo` in the middle of a
  /// rollout too.
  @Test("Complaint 3, trl#2657: methods on pairs resume to the same bytes", arguments: cases)
  func aKilledRunEndsInTheSameBytes(_ test: Case) throws {
    let isOnline = test.kind == "online-dpo"
    // Long responses at a high temperature: a rollout takes passes enough to be killed within.
    let yaml = test.yaml(try TinyWorld.shared()).replacing(
      "max_new_tokens: 10", with: "max_new_tokens: 40, temperature: 2.5")
    try KilledRuns(yaml, stage: test.kind, weights: test.weights, isOnline: isOnline)
      .expectTheSameBytes(seed: test.name)
  }

  /// The cache that a stopped run left is not part of what it computes: without it the bytes are the same.
  @Test func aRunWhoseCacheIsGoneEndsInTheSameBytes() throws {
    let world = try TinyWorld.shared()
    let yaml = """
      name: resume
      seed: 11
      threads: 2
      stages:
        dpo: {\(Self.dpo(world, Self.rate))}
      """
    let (straight, stopped) = (try TemporaryFolder(), try TemporaryFolder())
    try runTiny(yaml, in: straight.url)
    var polls = 0
    #expect(throws: RunInterruption.self) {
      try runTiny(yaml, in: stopped.url) {
        polls += 1
        return polls > 4
      }
    }
    try FileManager.default.removeItem(at: stopped.url.appending(path: "reference-logprobs"))
    try runTiny(yaml, in: stopped.url, mode: .resuming)
    for file in ["metrics.jsonl", "stages/dpo/model.safetensors"] {
      #expect(try stopped.data(file) == straight.data(file), "\(file)")
    }
  }
}
