import Foundation
import PlumbData
import PlumbModels
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// KTO on answers with a verdict each.
@Suite struct KTOStageTests {
  let world: TinyWorld
  init() throws { world = try TinyWorld.shared() }

  private func settings(_ rows: String, _ more: String = "") -> String {
    "policy: '\(world("sft"))', rows: ['\(rows)'], max_length: 64\(more)"
  }

  private var train: String { world("data/preferences.train.jsonl.zst") }

  /// Rows of the format that TRL's KTOTrainer reads.
  private func write(_ rows: [UnpairedRow], to folder: TemporaryFolder) throws -> String {
    let file = folder.url.appending(path: "rows.jsonl")
    try DataFile.write(rows, to: file)
    #expect(try String(contentsOf: file, encoding: .utf8).contains("\"completion\""))
    return file.path
  }

  private static func rows(_ count: Int, label: (Int) -> Bool) -> [UnpairedRow] {
    TinyData.tasks.prefix(count).enumerated().map { index, task in
      UnpairedRow(
        id: "\(index)", source: "tiny", prompt: TinyData.prompt(task),
        response: TinyData.answer(label(index) ? "please" : "just", task, index),
        label: label(index))
    }
  }

  @Test func theTwoKindsOfAnswersPart() throws {
    let stage = try TinyStage(
      "kto", settings(train, ", batch_rows: 16, optimizer: {learning_rate: 0.001}"))
    let margins = try StageLearningTests.ends(stage.series("rewards/margins"))
    #expect(margins.last > margins.first + 0.02)
    let accuracies = try StageLearningTests.ends(stage.series("rewards/accuracies"))
    #expect(accuracies.last > 0.6, "\(accuracies)")
    #expect(try stage.series("kl").allSatisfy { $0 >= 0 })
    #expect(try stage.series("loss").allSatisfy(\.isFinite))
  }

  /// The first step by hand: every log-ratio is 0, so that every row loses half its weight.
  @Test func theFirstLossIsHalfTheWeight() throws {
    let folder = try TemporaryFolder()
    let file = try write(Self.rows(20) { $0 % 4 == 0 }, to: folder)
    let stage = try TinyStage(
      "kto",
      settings(file, ", batch_rows: 20, desirable_weight: 3, undesirable_weight: 0.5"))
    let expected: Double = (5 * 3 * 0.5 + 15 * 0.5 * 0.5) / 20
    let first: Double = try #require(stage.series("loss").first)
    expectClose(first, expected, absolute: 1e-4)
    expectClose(try #require(stage.series("desirable").first), 0.25)
    expectClose(try #require(stage.series("kl").first), 0, absolute: 1e-3)
    for (name, count) in [("lengths/chosen", 5.0), ("lengths/rejected", 15)] {
      let encoder = try ConversationEncoder.load(from: URL(filePath: world("sft")))
      let lengths = Self.rows(20) { $0 % 4 == 0 }.filter { $0.label == (count == 5) }
        .map { Double(encoder.response($0.response).count) }
      expectClose(
        try #require(stage.series(name).first), lengths.reduce(0, +) / count, absolute: 1e-9)
    }
  }

  /// A batch, or a whole file, of one kind.
  @Test(arguments: [true, false]) func batchesOfOneKindAreOrdinary(_ kind: Bool) throws {
    let folder = try TemporaryFolder()
    // The last batch of four has two rows.
    let file = try write(Self.rows(18) { _ in kind }, to: folder)
    let stage = try TinyStage(
      "kto", settings(file, ", batch_rows: 4, epochs: 4, optimizer: {learning_rate: 0.003}"))
    let (own, other) = kind ? ("chosen", "rejected") : ("rejected", "chosen")
    #expect(try stage.series("rewards/\(own)").count == 20)
    #expect(try stage.series("rewards/\(other)").isEmpty)
    #expect(try stage.series("rewards/margins").isEmpty)
    let rewards = try StageLearningTests.ends(stage.series("rewards/\(own)"))
    #expect(kind ? rewards.last > 0.02 : rewards.last < -0.02, "\(rewards)")
    #expect(
      stage.messages.warnings.contains {
        $0.contains("all 18 answers are \(kind ? "" : "un")desirable")
      },
      "\(stage.messages.warnings)")
    // Batches of one kind in a file of both: only the metrics of the other kind are absent.
    let mixed = try write(Self.rows(18) { ($0 % 9 == 0) != kind }, to: folder)
    let both = try TinyStage("kto", settings(mixed, ", batch_rows: 2"))
    #expect(try both.series("loss").count == 9)
    #expect(try both.series("rewards/\(other)").count < 9)
    #expect(!both.messages.warnings.contains { $0.contains("all 18") })
  }

  @Test func weightsFarFromTheAdviceAreToldOf() throws {
    let folder = try TemporaryFolder()
    let file = try write(Self.rows(20) { $0 % 4 == 0 }, to: folder)
    func warnings(_ more: String) throws -> [String] {
      try TinyStage("kto", settings(file, more)).messages.warnings
    }
    // Five against fifteen: TRL advises desirable_weight in [3, 3.99].
    let told = try #require(try warnings("").first)
    #expect(told.contains("0.33 times") && told.contains("desirable_weight 3.0 to 4.0"), "\(told)")
    #expect(try warnings(", desirable_weight: 3.5").isEmpty)
    #expect(try warnings(", undesirable_weight: 0.3").isEmpty)
  }

  /// The advice has two ends.
  @Test func weightsAboveTheAdviceAreToldOfToo() throws {
    let folder = try TemporaryFolder()
    let file = try write(Self.rows(20) { $0 % 4 == 0 }, to: folder)
    let stage = try TinyStage("kto", settings(file, ", desirable_weight: 4.2"))
    let told = try #require(stage.messages.warnings.first)
    #expect(told.contains("1.4 times") && told.contains("desirable_weight 3.0 to 4.0"), "\(told)")
  }

  @Test func mismatchedRowsAreOtherPromptsWithTheBatchsAnswers() {
    func row(_ prompt: Int32, _ response: [Int32]) -> VerdictRow {
      VerdictRow(prompt: [prompt, 9], response: response, isDesirable: true)
    }
    let batch = [row(1, [11]), row(1, [12, 13]), row(2, [14]), row(3, [15, 16, 17])]
    let rows = MismatchedRow.rows(of: batch, longest: 4).map(\.group)
    #expect(rows.map(\.prompt) == batch.map(\.prompt))
    // The follower of the first row has its prompt, so it takes the one behind; the last is cut to fit.
    #expect(rows.map { $0.responses[0] } == [[14], [14], [15, 16], [11]])
    // All of one prompt: plain rotation. One row: nothing to mismatch, no baseline.
    let same = MismatchedRow.rows(of: [row(1, [11]), row(1, [12])], longest: 9)
    #expect(same.map { $0.group.responses[0] } == [[12], [11]])
    #expect(MismatchedRow.rows(of: [batch[0]], longest: 9).isEmpty)
  }

  /// Loss, baseline and gradient, row by row and by finite differences.
  @Test func theStepIsThatOfRowsOneByOne() throws {
    let (policy, reference) = (TinyPairs.policy(seed: 2), TinyPairs.policy(seed: 1))
    let batch = try (0..<9).map { number in
      var row = VerdictRow(
        prompt: TinyPairs.tokens(2 + number % 3, seed: 2 * number),
        response: TinyPairs.tokens(3 + number % 4, seed: 2 * number + 1),
        isDesirable: number % 3 != 0)
      row.reference = try TinyPairs.sum(row.prompt, row.response, reference)
      return row
    }
    let mismatched = try MismatchedRow.rows(of: batch, longest: 20).map { row in
      MismatchedRow(
        group: row.group,
        reference: try TinyPairs.sum(row.group.prompt, row.group.responses[0], reference))
    }
    var configuration = KTOConfiguration()
    configuration.beta = 0.3
    configuration.desirableWeight = 1.4
    configuration.microBatchTokens = 25
    let step = KTOStep(configuration)
    var z = 0.0
    for row in mismatched {
      z +=
        Double(
          try TinyPairs.sum(row.group.prompt, row.group.responses[0], policy) - row.reference) / 9
    }
    z = max(0, z)
    func loss(_ model: CausalLM) throws -> Double {
      try batch.reduce(0.0) { sum, row in
        let ratio = Double(try TinyPairs.sum(row.prompt, row.response, model) - row.reference)
        let gain = 1 / (1 + exp(-0.3 * (row.isDesirable ? ratio - z : z - ratio)))
        return sum + (row.isDesirable ? 1.4 : 1) * (1 - gain) / 9
      }
    }
    var gradients = GradientBlock(for: policy.parameters)
    let found = step.accumulate(batch, mismatched: mismatched, model: policy, gradients: &gradients)
    expectClose(found.statistics["kl"] ?? .nan, z, absolute: 1e-4)
    expectClose(found.statistics["loss"] ?? .nan, try loss(policy), absolute: 1e-5)
    let held = step.evaluate(batch, mismatched: mismatched, model: policy)
    expectClose(held["loss"] ?? .nan, try loss(policy), absolute: 1e-5)
    #expect(z > 0, "a baseline of 0 would hide a lost one")

    // The equivalence class of micro-batches.
    configuration.microBatchTokens = 1
    var single = GradientBlock(for: policy.parameters)
    _ = KTOStep(configuration).accumulate(
      batch, mismatched: mismatched, model: policy, gradients: &single)
    let gap = relativeDifferences(TinyPairs.values(of: single), TinyPairs.values(of: gradients))
    #expect(gap.largest < 1e-4 && gap.mean < 1e-5, "\(gap)")

    // The baseline carries no gradient, so z stays while the weights move.
    let entry = try #require(policy.parameters.layout.entries.first { $0.name.contains("o_proj") })
    let id = try #require(policy.parameters.layout.id(named: entry.name))
    for place in [0, 33] {
      func moved(_ offset: Float) throws -> Double {
        var model = policy
        var values = model.parameters.values(of: id)
        values[place] += offset
        model.parameters.assign(values, to: id)
        return try loss(model)
      }
      let h: Float = 0x1p-6
      let numeric = (try moved(h) - moved(-h)) / (2 * Double(h))
      expectClose(Double(gradients[id].scalars[place]), numeric, absolute: 2e-3, relative: 3e-2)
    }
  }

  @Test func microBatchesDoNotChangeTheTrajectory() throws {
    let more = ", batch_rows: 16, epochs: 0.5, optimizer: {learning_rate: 0.0005}"
    let whole = try TinyStage("kto", settings(train, more))
    let cut = try TinyStage(
      "kto", settings(train, more), overrides: ["kto.micro_batch_tokens=30"])
    for name in ["loss", "grad_norm", "kl"] {
      let (a, b) = (try whole.series(name), try cut.series(name))
      let gaps = zip(a, b).map { abs($0 - $1) }
      #expect(a.count == b.count && (gaps.max() ?? 1) < 2e-3, "\(name): \(gaps)")
      #expect(gaps.reduce(0, +) / Double(gaps.count) < 5e-4, "\(name)")
    }
  }

  /// Without a baseline it is APO-zero on unpaired rows, and no mismatched rows are computed.
  @Test func theBaselineCanBeZero() throws {
    let stage = try TinyStage(
      "kto", settings(train, ", baseline: zero, batch_rows: 16, optimizer: {learning_rate: 0.001}"))
    #expect(try stage.series("kl").allSatisfy { $0 == 0 })
    let cache = stage.folder.url.appending(path: "reference-logprobs")
    #expect(RunFiles.names(in: cache).count == 1)
    let margins = try StageLearningTests.ends(stage.series("rewards/margins"))
    #expect(margins.last > margins.first + 0.02)
  }

  @Test func validationKeepsTheBestWeights() throws {
    let stage = try TinyStage(
      "kto",
      settings(
        train,
        ", batch_rows: 16, validation: ['\(world.data("swapped.jsonl"))'], validations: 100, "
          + "optimizer: {learning_rate: 0.002}"))
    let losses = try stage.series("eval_loss")
    #expect(try #require(losses.last) > losses[0])
    let record = try #require(
      try RunFiles.read(
        json: StageRecord.self,
        from: stage.folder.url.appending(path: "stages/kto/\(RunLayout.stageRecordName)")))
    #expect(record.result.figures["validation_loss"]?.value == losses.min())
    #expect(record.result.figures["validation_accuracy"]?.sampleSize == 40)
  }

  /// Held-out rows were measured three times, and the weights of one time are kept.
  struct KeptStage: Stage {
    struct Configuration: StageConfiguration {
      static let kind = "kept"
      var step = 2
    }

    let configuration: Configuration
    var inputs: [String] { [] }

    func plan(_ context: PlanContext) -> StagePlan { StagePlan("kept") }

    func run(_ context: StageContext) throws -> StageResult {
      for (step, accuracy) in [(2, 0.25), (4, 0.75), (6, 0.5)] {
        try context.record(step: step, ["eval_rewards/accuracies": accuracy])
      }
      return try StageResult().addingBest(
        (loss: 0.6, step: configuration.step), of: 20, unit: "nats/pair", context)
    }
  }

  @Test(arguments: [(2, 0.25), (4, 0.75), (6, 0.5)])
  func theAccuracyOfTheKeptStepIsTold(_ step: Int, _ accuracy: Double) throws {
    let folder = try TemporaryFolder()
    let registry = StageRegistry([KeptStage.self])
    let summary = try Runner(
      try registry.loader.load(
        yaml: "name: kept\nthreads: 2\nstages:\n  kept: {step: \(step)}\n", overrides: []),
      registry: registry, directory: folder.url, mode: .refusing
    ).run()
    #expect(summary.figures["kept/best_step"]?.value == Double(step))
    let told = try #require(summary.figures["kept/validation_accuracy"])
    #expect(told.value == accuracy && told.sampleSize == 20)
  }

  @Test func whatCannotBeMeantIsRefused() throws {
    let folder = try TemporaryFolder()
    let prompts = world.data("prompts.jsonl")
    let bad = folder.url.appending(path: "bad.jsonl")
    try Data(#"{"prompt": "how?", "completion": "so", "label": "good"}"#.utf8).write(to: bad)
    for (settings, words) in [
      (settings(train, ", beta: 0"), ["beta", "found 0"]),
      (settings(train, ", batch_rows: 1"), ["batch_rows", "at least 2", "found 1"]),
      (settings(train, ", desirable_weight: 0"), ["desirable_weight", "found 0"]),
      (settings(train, ", baseline: mean"), ["baseline", "'mismatched', 'zero'", "'mean'"]),
      (settings(train, ", loss: ipo"), ["unknown key 'loss'"]),
      (settings(prompts), ["prompts.jsonl", "no usable row", "no label"]),
      (settings(bad.path), ["bad.jsonl", "label", "true, false, 1 or 0", "good"]),
      (
        settings(train, ", max_length: 8").replacing("max_length: 64, ", with: ""),
        ["no answer fits max_length"]
      ),
    ] {
      do {
        _ = try TinyStage("kto", settings)
        Issue.record("nothing was refused: \(settings)")
      } catch {
        for word in words { #expect("\(error)".contains(word), "'\(word)' in: \(error)") }
      }
    }
  }
}
