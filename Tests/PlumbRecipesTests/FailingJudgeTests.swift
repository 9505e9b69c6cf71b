import Foundation
import PlumbData
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// A judge that fails: the run says why, and goes on as it is told to, also where it is told later.
///
/// The judge compares with a known answer, which every second prompt lacks.
@Suite struct FailingJudgeTests {
  private func yaml(
    _ folder: TemporaryFolder, judge: String, _ more: String = ""
  ) throws -> String {
    let world = try TinyWorld.shared()
    let file = folder.url.appending(path: "prompts.jsonl")
    let lines = (0..<8).map { number in
      let text = "how do i clean the lamp number \(number)?"
      return number.isMultiple(of: 2)
        ? #"{"question": "\#(text)", "answer": "please \#(number)"}"# : #"{"prompt": "\#(text)"}"#
    }
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
    return OnlineOptimiser.gpo.yaml(
      world, judge: judge, rounds: 2, prompts: 8, responses: 2, file: file.path, more)
  }

  private func outcome(
    _ yaml: String, in folder: TemporaryFolder, overrides: [String] = [],
    mode: Runner.Mode = .refusing
  ) throws -> [String] {
    let warnings = Warnings()
    try runTiny(
      yaml, in: folder.url.appending(path: "run"), overrides: overrides, mode: mode,
      observers: [warnings])
    return warnings.texts
  }

  @Test func whyAPromptWasSkippedIsTold() throws {
    let folder = try TemporaryFolder()
    let texts = try outcome(
      yaml(folder, judge: "{rule: exact-match, on_failure: skip}"), in: folder
    ).filter { $0.contains("left out") }
    #expect(texts.count == 2)
    for text in texts {
      #expect(text.contains("4 of 8 prompts are left out"), "\(text)")
      #expect(text.contains("expected a known answer with the prompt"), "\(text)")
    }
  }

  /// Stopped by its judge, a run goes on with `on_failure: skip`; it does not with another learning rate.
  @Test func aRunThatWasStoppedMayBeToldToSkip() throws {
    let (folder, told) = (try TemporaryFolder(), try TemporaryFolder())
    let stops = try yaml(folder, judge: "{rule: exact-match, on_failure: stop}")
    #expect(throws: (any Error).self) { try outcome(stops, in: folder) }
    #expect(folder.exists("run/stages/gpo/checkpoints/step-000000/rollouts.jsonl.zst"))
    let error = #expect(throws: RunError.self) {
      try outcome(
        stops, in: folder, overrides: ["gpo.optimizer.learning_rate=0.002"], mode: .resuming)
    }
    #expect("\(try #require(error))".contains("have changed"))
    let skips = ["gpo.judge.on_failure=skip", "gpo.watch.max_kl=99"]
    _ = try outcome(stops, in: folder, overrides: skips, mode: .resuming)
    _ = try outcome(yaml(told, judge: "{rule: exact-match}"), in: told, overrides: skips)
    // As one that was told from the start; the prompts lie in other folders, which no weight knows.
    let file = "run/stages/gpo/model.safetensors"
    #expect(try folder.data(file) == told.data(file))
  }

  /// A recipe names a model in one word until something is set beside it; it is the same judge.
  @Test(arguments: ["'REWARD'", "{model: 'REWARD'}"])
  func aModelThatJudgesMayBeToldToSkipLater(_ judge: String) throws {
    let world = try TinyWorld.shared()
    let (folder, straight) = (try TemporaryFolder(), try TemporaryFolder())
    let reward = world("reward")
    let stops = try yaml(folder, judge: judge.replacing("REWARD", with: reward))
    let skip = ["gpo.judge={model: '\(reward)', on_failure: skip}"]
    var polls = 0
    #expect(throws: RunInterruption.self) {
      try runTiny(stops, in: folder.url.appending(path: "run")) {
        polls += 1
        return polls > 2
      }
    }
    let other = ["gpo.judge={model: '\(reward)', preference_reward: opponents}"]
    #expect(folder.exists("run/stages/gpo/checkpoints"))
    #expect(throws: RunError.self) {
      try outcome(stops, in: folder, overrides: other, mode: .resuming)
    }
    _ = try outcome(stops, in: folder, overrides: skip, mode: .resuming)
    _ = try outcome(stops, in: straight)
    let file = "run/stages/gpo/model.safetensors"
    #expect(try folder.data(file) == straight.data(file))
  }

  /// Away in the first round, the held-out judge has its start in the second.
  @Test func aHeldOutJudgeThatComesBackHasAStart() throws {
    let folder = try TemporaryFolder()
    let server = try LoopbackServer { body, number in
      number == 0
        ? LoopbackServer.Reply("out of memory", status: 500) : EndpointStageTests.scores(body)
    }
    let held = "{endpoint: '\(server.url())', retries: 0, batch_size: 64}"
    let watch = ", watch: {held_out: \(held), held_out_every: 1, baseline_updates: 1}"
    let texts = try outcome(
      yaml(folder, judge: "{rule: regex, pattern: '^please'}", watch), in: folder,
      overrides: ["gpo.iterations=3"])
    #expect(texts.count { $0.contains("held-out judge failed") } == 1)
    let series = try MetricsLog.series(
      "held_out/divergence", in: folder.url.appending(path: "run/stages/gpo/metrics.jsonl")
    ).map(\.value)
    #expect(series.count == 2 && series[0] == 0, "\(series)")
  }

  /// A finished stage was made with the settings that it has: they are part of it.
  @Test func aFinishedStageRunsAgainWithOtherHandling() throws {
    let folder = try TemporaryFolder()
    let skips = try yaml(folder, judge: "{rule: exact-match, on_failure: skip}")
    let first = try outcome(skips, in: folder)
    #expect(!first.isEmpty)
    #expect(try outcome(skips, in: folder).isEmpty)
    #expect(throws: (any Error).self) {
      try outcome(skips, in: folder, overrides: ["gpo.judge.on_failure=stop"])
    }
  }

  /// The held-out judge trains nothing, and a round that it cannot judge is not lost with it.
  @Test func aHeldOutJudgeThatFailsIsWarnedOf() throws {
    let (folder, plain) = (try TemporaryFolder(), try TemporaryFolder())
    let judge = "{rule: regex, pattern: '^please'}"
    let texts = try outcome(
      yaml(folder, judge: judge, ", watch: {held_out: {rule: exact-match}}"), in: folder
    ).filter { $0.contains("held-out judge failed") }
    #expect(texts.count == 2)
    let first = texts.first ?? ""
    #expect(first.contains("update 1") && first.contains("expected a known answer"), "\(first)")
    let run = folder.url.appending(path: "run")
    let metrics = try String(contentsOf: run.appending(path: "metrics.jsonl"), encoding: .utf8)
    #expect(metrics.contains("watch/length_growth") && !metrics.contains("held_out/"))
    _ = try outcome(yaml(plain, judge: judge), in: plain)
    let file = "run/stages/gpo/model.safetensors"
    #expect(try folder.data(file) == plain.data(file))
  }
}

/// Rounds whose arithmetic went wrong are warned of.
@Suite struct NonFiniteRoundTests {
  /// A learner that moves nothing and tells what a broken round tells.
  private struct BrokenLearner: OnPolicyLearner {
    let policy: CausalLM
    let metrics: [String: Double]
    var trained: CausalLM { policy }

    func improve(
      on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
    ) -> [String: Double] { update == 2 ? metrics : ["loss": 1, "skipped_steps": 0] }

    func save(to folder: URL) {}
    func load(from folder: URL) {}
  }

  private struct BrokenStage: Stage {
    struct Configuration: StageConfiguration {
      static let kind = "broken"
      var policy = ""
      var prompts: [String] = []
      var loss = 0.0
      var skippedSteps = 0.0
    }

    let configuration: Configuration
    var inputs: [String] { [configuration.policy] + configuration.prompts }

    func plan(_ context: PlanContext) -> StagePlan { StagePlan("broken") }

    func run(_ context: StageContext) throws -> StageResult {
      let (policy, encoder) = try loadPolicy(context, configuration.policy)
      var sampling = SamplingConfiguration()
      sampling.maxNewTokens = 2
      var learner = BrokenLearner(
        policy: policy,
        metrics: [
          "loss": configuration.loss == 0 ? .infinity : configuration.loss,
          "skipped_steps": configuration.skippedSteps,
        ])
      var watch: (any RolloutObserver)?
      try runOnPolicy(
        &learner,
        settings: OnPolicySettings(
          prompts: try policyPrompts(
            context, configuration.prompts, encoder: encoder, models: [policy.configuration],
            newTokens: 2),
          updates: 3, promptsPerUpdate: 2, responsesPerPrompt: 2, sampling: sampling,
          checkpointEvery: 0),
        judge: FunctionJudge(name: "length") { _, response in Double(response.count) },
        reference: policy, encoder: encoder, context: context, watch: &watch)
      return StageResult()
    }
  }

  @Test(arguments: [
    (
      "loss: 0.5, skipped_steps: 0.25",
      "of the optimizer steps left out, their gradient is not finite"
    ),
    ("skipped_steps: 0", "update 2: 'loss' is not finite"),
    ("loss: 0.5, skipped_steps: 0", ""),
  ])
  func roundsThatTeachNothingAreTold(_ settings: String, _ expected: String) throws {
    let (world, folder, warnings) = (
      try TinyWorld.shared(), try TemporaryFolder(), Warnings()
    )
    let registry = StageRegistry([BrokenStage.self])
    let yaml = """
      name: broken
      threads: 2
      stages:
        broken:
          {policy: '\(world("sft"))', prompts: ['\(world.data("prompts.jsonl"))'], \(settings)}
      """
    _ = try Runner(
      try registry.loader.load(yaml: yaml, overrides: []), registry: registry,
      directory: folder.url, observers: [warnings]
    ).run()
    let told = warnings.texts.filter { $0.contains("update") && $0.contains("not finite") }
    #expect(told.count == (expected.isEmpty ? 0 : 1), "\(warnings.texts)")
    #expect(expected.isEmpty || told.first?.contains(expected) == true, "\(told)")
  }
}

/// What reading left out is told, file by file.
@Suite struct UnusableRowTests {
  private final class Notes: RunObserver {
    var texts: [String] = []
    func receive(_ event: RunEvent) {
      if case .note(_, let message) = event { texts.append(message) }
    }
  }

  @Test(arguments: ["dpo", "kto"]) func rowsWithoutAResponseAreCounted(_ kind: String) throws {
    let (world, folder, notes) = (try TinyWorld.shared(), try TemporaryFolder(), Notes())
    let file = folder.url.appending(path: "rows.jsonl")
    let rows =
      kind == "dpo"
      ? [
        #"{"prompt": "how?", "chosen": "please do", "rejected": "just go"}"#,
        #"{"prompt": "how now?", "chosen": "", "rejected": "just go"}"#,
        #"{"prompt": "how then?", "chosen": "same", "rejected": "same"}"#,
        #"{"prompt": "how so?", "chosen": "please", "rejected": "just"}"#,
      ]
      : [
        #"{"prompt": "how?", "completion": "please do", "label": true}"#,
        #"{"prompt": "how now?", "completion": "", "label": true}"#,
        #"{"prompt": "how then?", "completion": "", "label": false}"#,
        #"{"prompt": "how so?", "completion": "just", "label": false}"#,
      ]
    try Data((rows.joined(separator: "\n") + "\n").utf8).write(to: file)
    try runTiny(
      """
      name: rows
      threads: 2
      stages:
        \(kind): {policy: '\(world("sft"))', \(kind == "dpo" ? "pairs" : "rows"): ['\(file.path)'],
            \(kind == "dpo" ? "batch_pairs" : "batch_rows"): 2, max_length: 64}
      """, in: folder.url.appending(path: "run"), observers: [notes])
    let told = notes.texts.filter { $0.contains("rows.jsonl: 2 of 4 rows left out") }
    #expect(told.count == 1, "\(notes.texts)")
    #expect(told.first?.contains("empty response") == true, "\(told)")
  }
}
