import Foundation
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of the scaling laws of preference modelling.
public struct PreferenceScalingConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "preference-scaling"

  /// Trunks of rising size, language models: stages or folders.
  public var models: [String] = []
  /// The head: `worldpm` (two layers) or `linear`.
  public var head = RewardHeadChoice.worldpm
  /// Files of preference pairs to train on.
  public var train: [String] = []
  /// Files of held-out pairs whose loss is shown along the training; nothing is chosen by it.
  public var validation: [String] = []
  /// Pairs after which the suites are measured, rising, multiples of `batch_pairs`; the last ends the
  /// training, and no pair is used twice.
  public var sizes: [Int] = []
  /// Trainings of each model, each with its own order of the pairs and its own head.
  public var runs = 3
  /// Pairs in one optimizer step.
  public var batchPairs = 16
  /// The longest prompt plus response, in tokens.
  public var maxLength = 192
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192
  /// The change of a test loss over all sizes, in nats, that counts as none.
  public var flatMargin = 0.02
  /// Whether every training's model is kept, as a reward model in `cells/NAME`: four bytes a parameter.
  public var keepModels = false
  /// The tests.
  public var suites = SuiteConfiguration()
  /// The optimizer; WorldPM warms up and then stays at a constant rate.
  public var optimizer = OptimizerConfiguration.worldPM

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("models", !models.isEmpty, "at least one stage or model folder", "none")
    try require("models", Set(models).count == models.count, "different models", models)
    try require("train", !train.isEmpty, "at least one file", "none")
    try require("runs", (1...100).contains(runs), "an integer from 1 to 100", runs)
    try requireCount("batch_pairs", batchPairs)
    try require(
      "sizes",
      sizes.count >= 3 && zip(sizes, sizes.dropFirst()).allSatisfy { $0 < $1 }
        && sizes.allSatisfy { $0 > 0 && $0 <= 100_000_000 && $0.isMultiple(of: batchPairs) },
      "at least three rising multiples of batch_pairs (\(batchPairs))", sizes)
    try require(
      "flat_margin", (1e-9...10).contains(flatMargin), "a number above 0, at most 10", flatMargin)
    try require(
      "max_length", (8...1_000_000).contains(maxLength), "an integer from 8 to 1000000", maxLength)
    try requireCount("micro_batch_tokens", microBatchTokens)
  }
}

extension OptimizerConfiguration {
  /// AdamW with weight decay 0.1, warm-up over a tenth of the steps, then a constant rate.
  ///
  /// WorldPM, arXiv 2505.10527, 3.1.2.
  static var worldPM: OptimizerConfiguration {
    var settings = OptimizerConfiguration()
    settings.schedule = .constant
    settings.warmupFraction = 0.1
    settings.weightDecay = 0.1
    return settings
  }
}

/// Trains reward models of several sizes on growing numbers of pairs and asks, suite by suite, whether
/// the test loss falls as a power law.
///
/// WorldPM, arXiv 2505.10527, 3.2: one pass over the data, the test losses measured along the way.
struct PreferenceScalingStage: Stage {
  static let revision = 2

  let configuration: PreferenceScalingConfiguration

  var inputs: [String] {
    configuration.models + configuration.train + configuration.validation
      + configuration.suites.files
  }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] { configuration.models.map { ModelUse($0, as: .rewardStart) } }

  /// What one training found.
  struct Record: Codable {
    /// Parameters of the model, head included.
    var parameters: Int
    /// Log-odds of every test at every size.
    var logOdds: [[Float]]
    /// The loss on the validation pairs at every size; empty without such pairs.
    var validation: [Double]
    /// Log-odds of every validation pair at the last size; nil without such pairs.
    var validationLogOdds: [Float]?
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    for file in configuration.suites.files { _ = try context.artifact(file) }
    let parameters = try configuration.models.map { try parameterCount(context, model: $0) }
    let last = configuration.sizes.last ?? 0
    let tests = suiteRows(configuration.suites)
    let passes = Double(last) * 6 + Double(tests * configuration.sizes.count) * 2
    let tokens = passes * Double(configuration.runs) * 1.2 * Double(configuration.maxLength)
    return StagePlan(
      "\(parameters.count) models on up to \(last) pairs, \(configuration.runs) runs, "
        + "about \(tests) tests at \(configuration.sizes.count) sizes",
      sizes: ["cells": parameters.count * configuration.runs],
      seconds: parameters.reduce(0) { $0 + Double($1) } * tokens / 100e9)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let tests = try SuiteBuilder(
      configuration: configuration.suites, seed: context.seed, artifact: context.artifact
    ).pairs()
    var prepared: Prepared?
    let last = configuration.sizes.last ?? 0
    let cells = try configuration.models.enumerated().flatMap { index, model in
      let parameters = try size(of: model, context)
      return (0..<configuration.runs).map { run in
        // The work of a cell goes with the size of its model.
        GridCell("model-\(index + 1)-run-\(run + 1)", units: max(1, parameters / 1000))
      }
    }
    let runner = CellRunner<Record>(context) { record in
      record.validation.last.map { ["loss": $0] } ?? [:]
    }
    let records = try runner.run(cells) { index, cell in
      let model = index / configuration.runs
      let run = index % configuration.runs
      let data =
        try prepared.flatMap { $0.model == model ? $0 : nil }
        ?? Prepared(configuration, model, context, tests: tests, needed: last)
      prepared = data
      return try train(data, run: run, context: context, cell: cell)
    }
    // The last model's, whose tokenizer counts the lengths of the answers for all.
    let shown =
      try prepared
      ?? Prepared(
        configuration, configuration.models.count - 1, context, tests: tests, needed: last)
    let validationFacts = shown.validation.map(\.scoredFacts)
    return ScalingReport(
      configuration: configuration, tests: shown.tests.layout, seed: context.seed,
      records: (0..<configuration.models.count).map { model in
        Array(records[(model * configuration.runs)..<((model + 1) * configuration.runs)])
      }
    ).result().adding(
      MeasuredModels(
        zip(cells, records).map { cell, record in
          .init(
            name: cell.name, test: .init(record.logOdds.last?.map(Double.init), shown.tests.facts),
            validation: .init(record.validationLogOdds?.map(Double.init), validationFacts))
        }, seed: context.seed))
  }

  private func size(of model: String, _ context: StageContext) throws -> Int {
    let url = try context.artifact(model)
    let folder = try ModelFolder(AdapterFolder.isAdapter(url) ? AdapterFolder(url).base : url)
    var layout = ParameterLayout()
    _ = Decoder(folder.configuration, declaringIn: &layout)
    return layout.count
  }

  private func train(
    _ data: Prepared, run: Int, context: StageContext, cell: CellContext
  ) throws -> Record {
    let seed = StableHash.of("run \(run)", seed: context.seed)
    let fresh = try startingRewardModel(
      context, configuration.models[data.model], head: configuration.head.head,
      encoder: data.encoder, seed: seed
    ).atEvenOdds
    var settings = PairTrainingSettings(
      batchPairs: configuration.batchPairs, microBatchTokens: configuration.microBatchTokens,
      validations: 0)
    settings.optimizer = configuration.optimizer
    let trainer = PairTrainer.bradleyTerry(settings, seed: seed)
    let plan = BatchPlan(
      costs: data.train.map(\.group.tokenCount), size: .examples(configuration.batchPairs),
      seed: seed)
    let batches = plan.batches(epoch: 0)
    let points = Set(configuration.sizes.map { $0 / configuration.batchPairs })
    let steps = (configuration.sizes.last ?? 0) / configuration.batchPairs
    var record = Record(parameters: fresh.parameters.layout.count, logOdds: [], validation: [])
    func measure(_ model: RewardModel) throws {
      record.logOdds.append(try data.tests.logOdds(.reward(model)).map(Float.init))
      guard !data.validation.isEmpty else { return }
      let odds = try PreferenceModel.reward(model).logOdds(pairs: data.validation.map(\.group))
      record.validationLogOdds = odds.map(Float.init)
      record.validation.append(odds.map(pairLoss).reduce(0, +) / Double(odds.count))
    }
    let trained = try trainer.train(fresh, steps: steps, report: cell.step) {
      step, model, gradients in
      // The model as it is before this step has seen the batches of the steps before.
      if points.contains(step - 1) { try measure(model) }
      return try pairStep(
        batches[step - 1].map { data.train[$0] },
        microBatchTokens: configuration.microBatchTokens
      ) { groups, batchCount in
        let objective = try trainer.objective(model, groups, batchCount)
        gradients.accumulate(objective.loss)
        return objective
      }
    }
    try measure(trained.model)
    if configuration.keepModels {
      try trained.model.write(to: cell.folder, encoder: data.encoder)
    }
    return record
  }
}

/// What trainings of one model share: its tokenizer and everything encoded by it.
private struct Prepared {
  let model: Int
  let encoder: ConversationEncoder
  let train: [EncodedPair]
  let validation: [EncodedPair]
  let tests: EncodedSuites

  init(
    _ configuration: PreferenceScalingConfiguration, _ model: Int, _ context: StageContext,
    tests: [SuitePair], needed: Int
  ) throws {
    self.model = model
    let reference = configuration.models[model]
    let source = try context.artifact(reference)
    encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: source))
    let folder = try ModelFolder(
      AdapterFolder.isAdapter(source) ? AdapterFolder(source).base : source)
    try requireFit(
      reference, stage: context.stage, configuration: folder.configuration, encoder: encoder,
      longest: configuration.maxLength)
    let sets = try PairSets(
      context, train: configuration.train, validation: configuration.validation, test: [],
      encoder: encoder, maxLength: configuration.maxLength)
    (train, validation) = (sets.train, sets.validation)
    guard train.count >= needed else {
      throw ConfigurationProblem(
        "\(context.stage).sizes", expected: "at most \(train.count), the training pairs there are",
        found: "\(needed)")
    }
    self.tests = try EncodedSuites(tests, encoder: encoder, maxLength: configuration.maxLength)
    if model == 0 { note(context, "suites", self.tests.report) }
  }
}
