import Foundation
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of fine-tuning with and without a base preference model.
public struct PreferenceFinetuneConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "preference-finetune"

  /// What training without the base starts from: the language model that the base was trained from.
  public var model = ""
  /// The base preference model: a stage, or a folder such as that of another run.
  public var base = ""
  /// The head of the models without the base; that of the base is kept.
  public var head = RewardHeadChoice.worldpm
  /// Files of people's preferences to train on.
  public var train: [String] = []
  /// Files whose loss decides which weights are kept.
  public var validation: [String] = []
  /// Sources to leave out of both, such as those that were not judged by people.
  public var exceptSources: [String] = []
  /// Training pairs of each set, rising; 0 at the end takes all.
  public var sizes = [250, 1000, 0]
  /// Trainings of each set with and without the base; each pair of them shares data and order.
  public var runs = 3
  /// Passes over the training pairs.
  public var epochs = 2.0
  /// Pairs in one optimizer step.
  public var batchPairs = 32
  /// The longest prompt plus response, in tokens.
  public var maxLength = 192
  /// Validations over each training; the weights of the lowest loss are kept.
  public var validations = 6
  /// Validation pairs to use; 0 for all.
  public var maxValidationPairs = 400
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192
  /// Whether every training's model is kept, as a reward model in `cells/NAME`: four bytes a parameter.
  public var keepModels = false
  /// The tests.
  public var suites = SuiteConfiguration()
  /// The optimizer.
  public var optimizer = OptimizerConfiguration.worldPM

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try require("base", !base.isEmpty, "a stage or a folder with a reward model", "nothing")
    try require("train", !train.isEmpty, "at least one file", "none")
    try require("validation", !validation.isEmpty, "at least one file", "none")
    try require("runs", (1...100).contains(runs), "an integer from 1 to 100", runs)
    let given = sizes.last == 0 ? sizes.dropLast() : sizes[...]
    try require(
      "sizes",
      !sizes.isEmpty && given.allSatisfy { (1...100_000_000).contains($0) }
        && zip(given, given.dropFirst()).allSatisfy { $0 < $1 },
      "rising numbers of pairs, 0 for all at the end", sizes)
    try require(
      "max_validation_pairs", (0...100_000_000).contains(maxValidationPairs),
      "an integer of at least 0", maxValidationPairs)
    try validatePairTraining(
      epochs: epochs, batch: batchPairs, maxLength: maxLength, validations: validations,
      microBatchTokens: microBatchTokens)
    try require("validations", validations > 0, "an integer of at least 1", validations)
  }
}

/// Fine-tunes on small, medium and large sets of people's preferences, from a base preference model and
/// from its trunk, and tells the relative gains.
///
/// WorldPM, arXiv 2505.10527, section 4 and Tables 2 and 8.
struct PreferenceFinetuneStage: Stage {
  static let revision = 2

  let configuration: PreferenceFinetuneConfiguration

  var inputs: [String] {
    [configuration.model, configuration.base] + configuration.train + configuration.validation
      + configuration.suites.files
  }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] {
    [
      ModelUse(configuration.model, as: .rewardStart), ModelUse(configuration.base, as: .reward),
    ]
  }

  /// What one training found.
  struct Record: Codable {
    /// Training pairs.
    var pairs: Int
    /// The lowest validation loss and its step.
    var validation: Double
    var step: Int
    /// Log-odds of every test.
    var logOdds: [Float]
    /// Log-odds of every validation pair, by the weights that were kept.
    var validationLogOdds: [Float]?
  }

  /// One training.
  struct Cell: Hashable {
    var size: Int
    var run: Int
    var hasBase: Bool
  }

  /// Sets in order, then runs, then without and with the base.
  var cells: [Cell] {
    configuration.sizes.indices.flatMap { size in
      (0..<configuration.runs).flatMap { run in
        [false, true].map { Cell(size: size, run: run, hasBase: $0) }
      }
    }
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    for file in configuration.suites.files + configuration.train + configuration.validation {
      _ = try context.artifact(file)
    }
    _ = try context.artifact(configuration.base)
    let parameters = try parameterCount(context, model: configuration.model)
    let pairs = configuration.sizes.reduce(0) { $0 + ($1 == 0 ? 4000 : $1) }
    let trained = Double(pairs * 2 * configuration.runs) * configuration.epochs
    let tests = Double(suiteRows(configuration.suites) * cells.count)
    let tokens = (trained * 6 + tests * 2) * Double(configuration.maxLength) * 1.2
    return StagePlan(
      "\(cells.count) trainings on \(configuration.sizes.map { $0 == 0 ? "all" : "\($0)" }.joined(separator: ", ")) pairs, "
        + "with and without '\(configuration.base)'", sizes: ["cells": cells.count],
      seconds: Double(parameters) * tokens / 100e9)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let source = try context.artifact(configuration.model)
    let encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: source))
    let plain = try startingRewardModel(
      context, configuration.model, head: configuration.head.head, encoder: encoder, seed: 0)
    let base = try rewardModel(context, configuration.base)
    let baseEncoder = try ConversationEncoder.load(from: context.artifact(configuration.base))
    try baseEncoder.requireSame(as: encoder)
    for (name, model) in [(configuration.model, plain), (configuration.base, base)] {
      try requireFit(
        name, stage: context.stage, configuration: model.decoder.configuration, encoder: encoder,
        longest: configuration.maxLength)
    }
    guard base.decoder.configuration == plain.decoder.configuration else {
      throw ConfigurationProblem(
        "\(context.stage).base", expected: "a model of the sizes of '\(configuration.model)'",
        found: "\(base.parameters.layout.count) parameters, not \(plain.parameters.layout.count)")
    }
    let sets = try PairSets(
      context, train: configuration.train, validation: configuration.validation, test: [],
      encoder: encoder, maxLength: configuration.maxLength
    ).leavingOut(configuration.exceptSources, context)
    let train = sets.train
    var validation = sets.validation
    guard !validation.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: configuration.validation, why: "there is no validation pair")
    }
    if configuration.maxValidationPairs > 0, validation.count > configuration.maxValidationPairs {
      var stream = RandomStream(seed: context.seed, purpose: "validation pairs")
      validation = stream.permutation(validation.count).prefix(configuration.maxValidationPairs)
        .sorted().map { validation[$0] }
    }
    for size in configuration.sizes where size > train.count {
      throw ConfigurationProblem(
        "\(context.stage).sizes", expected: "at most \(train.count), the training pairs there are",
        found: "\(size)")
    }
    let tests = try EncodedSuites(
      SuiteBuilder(
        configuration: configuration.suites, seed: context.seed, artifact: context.artifact
      ).pairs(), encoder: encoder, maxLength: configuration.maxLength)
    note(context, "suites", tests.report)

    let counts = configuration.sizes.map { $0 == 0 ? train.count : $0 }
    let cells = self.cells
    let runner = CellRunner<Record>(context) { ["loss": $0.validation, "pairs": Double($0.pairs)] }
    let places = cells.map { cell in
      GridCell(
        "pairs-\(counts[cell.size])-run-\(cell.run + 1)-\(cell.hasBase ? "base" : "plain")",
        units: counts[cell.size])
    }
    let records = try runner.run(places) { index, progress in
      let cell = cells[index]
      let seed = StableHash.of("run \(cell.run)", seed: context.seed)
      let start =
        cell.hasBase
        ? base
        : try startingRewardModel(
          context, configuration.model, head: configuration.head.head, encoder: encoder, seed: seed)
      var stream = RandomStream(seed: seed, purpose: "training pairs")
      let chosen = stream.permutation(train.count).prefix(counts[cell.size]).map { train[$0] }
      var settings = PairTrainingSettings(
        epochs: configuration.epochs, batchPairs: configuration.batchPairs,
        microBatchTokens: configuration.microBatchTokens, validations: configuration.validations)
      settings.optimizer = configuration.optimizer
      let trained = try PairTrainer.bradleyTerry(settings, seed: seed).train(
        start, on: chosen, validation: validation, report: progress.step)
      if configuration.keepModels {
        try trained.model.write(to: progress.folder, encoder: encoder)
      }
      let model = PreferenceModel.reward(trained.model)
      return Record(
        pairs: chosen.count, validation: trained.best?.loss ?? .nan,
        step: trained.best?.step ?? trained.steps,
        logOdds: try tests.logOdds(model).map(Float.init),
        validationLogOdds: try model.logOdds(pairs: validation.map(\.group)).map(Float.init))
    }
    let validationFacts = validation.map(\.scoredFacts)
    return FinetuneReport(
      configuration: configuration, tests: tests.layout, counts: counts,
      records: Dictionary(uniqueKeysWithValues: zip(cells, records))
    ).result().adding(
      MeasuredModels(
        zip(places, records).map { place, record in
          .init(
            name: place.name, test: .init(record.logOdds.map(Double.init), tests.facts),
            validation: .init(record.validationLogOdds?.map(Double.init), validationFacts))
        }, seed: context.seed))
  }
}
