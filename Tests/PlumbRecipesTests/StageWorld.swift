import Foundation
import Testing

@testable import PlumbRecipes

/// A run of every kind of stage on ``TinyData``, made once for all tests that read its artifacts.
struct TinyWorld: Sendable {
  let data: TinyData
  /// The run directory.
  let directory: URL
  let summary: RunSummary

  /// The folder of a stage.
  func callAsFunction(_ stage: String) -> String {
    directory.appending(path: "stages/\(stage)").path
  }

  private static let folder = FileManager.default.temporaryDirectory
    .appending(path: "plumb-tiny-world-\(UUID().uuidString)", directoryHint: .isDirectory)

  private static let made = Result {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    atexit { try? FileManager.default.removeItem(at: TinyWorld.folder) }
    let data = try TinyData(in: folder)
    let directory = folder.appending(path: "run")
    let summary = try runTiny(TinyWorld.yaml(data), in: directory)
    return TinyWorld(data: data, directory: directory, summary: summary)
  }

  /// The world; the first caller makes it.
  static func shared() throws -> TinyWorld { try made.get() }

  /// A recipe with every kind of stage.
  static func yaml(_ data: TinyData) -> String {
    let sets = { (name: String, train: String) in
      """
      train: [data/\(name).\(train).jsonl.zst], validation: [data/\(name).validation.jsonl.zst],
          test: [data/\(name).test.jsonl.zst], max_length: 64, batch_pairs: 16
      """
    }
    return """
      name: tiny
      seed: 7
      threads: 2
      stages:
        data:
          forum: ['\(data("forum.jsonl"))']
          preferences: ['\(data("pairs.jsonl"))']
          demonstrations: ['\(data("demonstrations.jsonl"))']
          train_share: 0.6
          judge_share: 0.2
          validation_share: 0.1
          test_share: 0.1
        tokenizer: {files: ['\(data("texts.jsonl"))'], vocabulary_size: 400}
        pretrain:
          tokenizer: tokenizer
          files: ['\(data("texts.jsonl"))', '\(data("demonstrations.jsonl"))']
          hidden_size: 32
          intermediate_size: 64
          layers: 2
          heads: 4
          key_value_heads: 2
          context_length: 128
          sequence_length: 64
          batch_tokens: 512
          steps: 100
          validation_share: 0.1
          validations: 4
          samples: 2
          sample_tokens: 12
          stored_as: float32
          optimizer: {learning_rate: 0.005}
        base:
          {kind: reward-model, model: pretrain, \(sets("forum", "train")),
          optimizer: {learning_rate: 0.003}}
        reward:
          {kind: reward-model, model: base, \(sets("preferences", "train")), epochs: 2,
          optimizer: {learning_rate: 0.002}}
        reward-plain:
          {kind: reward-model, model: pretrain, head: linear, ending: turn, epochs: 3, \(sets("preferences", "train")),
          optimizer: {learning_rate: 0.003}}
        preference:
          {kind: general-preference, model: base, \(sets("preferences", "train")), epochs: 2,
          dimension: 4, optimizer: {learning_rate: 0.002}}
        judge:
          {kind: reward-model, model: pretrain, \(sets("preferences", "judge")), epochs: 4,
          optimizer: {learning_rate: 0.003}}
        sft:
          model: pretrain
          train: [data/demonstrations.train.jsonl.zst, data/demonstrations.judge.jsonl.zst]
          validation: [data/demonstrations.validation.jsonl.zst]
          max_length: 64
          batch_rows: 16
          epochs: 6
          optimizer: {learning_rate: 0.003}
        ppo:
          policy: sft
          reward: reward
          prompts: [data/prompts.train.jsonl.zst]
          updates: 10
          prompts_per_update: 32
          watch: {held_out: judge, save_rollouts_every: 5}
          sampling: {max_new_tokens: 12}
          optimizer: {learning_rate: 0.002, schedule: linear}
        dpo:
          policy: sft
          pairs: [data/preferences.train.jsonl.zst]
          batch_pairs: 16
          max_length: 64
          optimizer: {learning_rate: 0.0005}
        gpo:
          policy: sft
          judge: preference
          prompts: [data/prompts.train.jsonl.zst]
          iterations: 8
          watch: {held_out: judge}
          prompts_per_iteration: 16
          sampling: {max_new_tokens: 12}
          optimizer: {learning_rate: 0.001, schedule: linear}
        compare:
          baseline: sft
          policies: [ppo, dpo, gpo]
          judge: judge
          other_judges: [preference]
          reward: reward
          preference_models: [base, reward, reward-plain, preference, judge]
          prompts: [data/prompts.test.jsonl.zst, data/prompts.validation.jsonl.zst]
          responses: 2
          samples: 2
          sampling: {max_new_tokens: 12}

      """
  }
}

/// Runs a recipe of real stages.
@discardableResult
func runTiny(
  _ yaml: String, in directory: URL, overrides: [String] = [], mode: Runner.Mode = .refusing,
  observers: [any RunObserver] = [], interrupted: @escaping () -> Bool = { false }
) throws -> RunSummary {
  let registry = StageRegistry.standard
  return try Runner(
    try registry.loader.load(yaml: yaml, overrides: overrides), registry: registry,
    directory: directory, mode: mode, environment: RunEnvironment.none, observers: observers,
    interrupted: interrupted
  ).run()
}

/// Runs a recipe to its end, stopped after every few polls and resumed; returns the steps at which it stopped.
@discardableResult
func runTinyWithStops(
  _ yaml: String, in directory: URL, polls: Int, fewerThan most: Int
) throws -> [Int] {
  var stops: [Int] = []
  while true {
    var polled = 0
    do {
      try runTiny(yaml, in: directory, mode: .resuming) {
        polled += 1
        return polled > polls
      }
      break
    } catch let stop as RunInterruption {
      stops.append(stop.step)
      // A run that never gets further would go on for ever.
      try #require(stops.count < most)
    }
  }
  #expect(!stops.isEmpty)
  return stops
}

extension RunEnvironment {
  /// Saves every run of a test from asking git and the system.
  fileprivate static let none = RunEnvironment(
    plumb: Plumb.version, commit: "", swift: "", system: "", processor: "", processorCount: 1,
    threads: 2, blas: "")
}

extension TemporaryFolder {
  func data(_ path: String) throws -> Data { try Data(contentsOf: url.appending(path: path)) }

  /// A metric of a stage over its steps.
  func series(_ name: String, _ stage: String) throws -> [Double] {
    try MetricsLog.series(name, in: url.appending(path: "stages/\(stage)/metrics.jsonl"))
      .map(\.value)
  }
}
