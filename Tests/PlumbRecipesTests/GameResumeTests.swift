import Foundation
import PlumbTestSupport
import Synchronization
import Testing

@testable import PlumbRecipes

/// Games, selections and labels that are stopped anywhere end in the same bytes as those left alone.
@Suite struct GameResumeTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let kind: String
    let settings: @Sendable (TinyWorld) -> String
    var files: [String] = ["model.safetensors"]
    var testDescription: String { name }
  }

  /// Long responses at a high temperature, so that a round has several decoding passes to stop within.
  private static func online(_ world: TinyWorld) -> String {
    """
    prompts: ['\(world.data("prompts.jsonl"))'], sampling: {max_new_tokens: 40, temperature: 2.5},
        optimizer: {learning_rate: 0.001}
    """
  }

  static let cases = [
    Case(
      name: "gpo", kind: "gpo",
      settings: {
        """
        judge: '\($0("preference"))', iterations: 4, prompts_per_iteration: 8, batch_prompts: 4,
            epochs: 2, checkpoint_every: 3, \(online($0))
        """
      }),
    Case(
      name: "sppo", kind: "gpo",
      settings: {
        """
        loss: sppo, reference: fixed, train_on: best-worst, judge: '\($0("preference"))',
            iterations: 4, prompts_per_iteration: 8, batch_prompts: 4, log_partition: estimated,
            \(online($0))
        """
      }),
    Case(
      name: "rejection-sampling", kind: "rejection-sampling",
      settings: {
        """
        judge: '\($0("reward"))', iterations: 4, prompts_per_iteration: 8, responses: 4, keep: 2,
            batch_responses: 4, epochs: 2, checkpoint_every: 0, \(online($0))
        """
      }),
    Case(
      name: "label-pairs of prompts", kind: "label-pairs",
      settings: {
        """
        judge: '\($0("preference"))', max_rows: 30, rows_per_step: 8, pairing: all,
            prompts: ['\($0.data("prompts.jsonl"))'],
            sampling: {max_new_tokens: 40, temperature: 2.5}
        """
      }, files: ["pairs.jsonl.zst"]),
    Case(
      name: "label-pairs of pairs", kind: "label-pairs",
      settings: {
        """
        judge: '\($0("preference"))', max_rows: 64, rows_per_step: 8, checkpoint_every: 2,
            pairs: ['\($0.data("pairs.jsonl"))']
        """
      }, files: ["pairs.jsonl.zst"]),
  ]

  private func yaml(_ test: Case, _ world: TinyWorld) -> String {
    GameRecipe.yaml(world, test.kind, test.settings(world))
  }

  private func expectSame(
    _ test: Case, _ one: TemporaryFolder, _ other: TemporaryFolder, _ moments: [Int]
  ) throws {
    for file in ["metrics.jsonl", "summary.json"] + test.files.map({ "stages/\(test.kind)/\($0)" })
    {
      #expect(try one.data(file) == other.data(file), "\(file), stopped at \(moments)")
    }
  }

  /// Copied at drawn moments while it runs, one of them in the middle of a rollout, as a kill would leave it.
  @Test("Complaint 3, trl#2657: games resume to the same bytes", arguments: cases.prefix(3))
  func aKilledStageEndsInTheSameBytes(_ test: Case) throws {
    let yaml = yaml(test, try TinyWorld.shared())
    try KilledRuns(yaml, stage: test.kind, weights: "model.safetensors", isOnline: true)
      .expectTheSameBytes(seed: test.name)
  }

  /// Stopped after every few looks at whether it should: within a rollout, before the judge, after a round.
  @Test(arguments: cases) func aStageThatIsStoppedAnywhereEndsInTheSameBytes(_ test: Case) throws {
    let world = try TinyWorld.shared()
    let (straight, stopped) = (try TemporaryFolder(), try TemporaryFolder())
    let yaml = yaml(test, world)
    try runTiny(yaml, in: straight.url)
    let stops = try runTinyWithStops(yaml, in: stopped.url, polls: 3, fewerThan: 40)
    #expect(stops.count >= 2, "\(stops)")
    try expectSame(test, straight, stopped, stops)
  }

  /// The same at moments that are drawn, the first of them in the middle of the first rollout.
  @Test(arguments: cases.prefix(4)) func randomMomentsToo(_ test: Case) throws {
    let world = try TinyWorld.shared()
    let (straight, stopped) = (try TemporaryFolder(), try TemporaryFolder())
    let yaml = yaml(test, world)
    try runTiny(yaml, in: straight.url)
    var generator = SystemRandomNumberGenerator()
    var limits = [1] + (0..<3).map { _ in Int.random(in: 2...7, using: &generator) }
    let all = limits
    while true {
      let limit = limits.isEmpty ? Int.max : limits.removeFirst()
      var polled = 0
      do {
        try runTiny(yaml, in: stopped.url, mode: .resuming) {
          polled += 1
          return polled > limit
        }
        break
      } catch is RunInterruption {
        continue
      }
    }
    try expectSame(test, straight, stopped, all)
  }

  /// How a batch is cut into micro-batches changes rounding and nothing else.
  @Test(arguments: cases.prefix(3)) func microBatchesDoNotChangeTheTrajectory(_ test: Case) throws {
    let world = try TinyWorld.shared()
    let (whole, cut) = (try TemporaryFolder(), try TemporaryFolder())
    // Short responses: what is sampled depends on weights, so rounding must not grow.
    let overrides = [
      "\(test.kind).sampling.max_new_tokens=8", "\(test.kind).sampling.temperature=1",
    ]
    try runTiny(yaml(test, world), in: whole.url, overrides: overrides)
    try runTiny(
      yaml(test, world), in: cut.url, overrides: overrides + ["\(test.kind).micro_batch_tokens=1"])
    let text = try whole.text("metrics.jsonl")
    #expect(try text != cut.text("metrics.jsonl"))
    for name in ["loss", "grad_norm", "objective/kl"] {
      let (a, b) = (try whole.series(name, test.kind), try cut.series(name, test.kind))
      #expect(a.count == 4 && a.count == b.count)
      let differences = zip(a, b).map { abs($0 - $1) / max(1, abs($0)) }
      let (largest, mean) = (try #require(differences.max()), differences.reduce(0, +) / 4)
      EquivalenceLog.note("micro-batches, metrics", (largest, mean), "\(test.kind), \(name)")
      #expect(largest < 1e-3, "\(name): \(a) \(b)")
      #expect(mean < 3e-4, "\(name)")
    }
  }
}
