import Foundation
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of a pair model's training.
public struct PairPreferenceConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "pair-preference"

  /// What it starts from: a language model, or the trunk of a preference model.
  public var model = ""
  /// In which orders the trained model reads a pair: `both`, averaged, or `single`, as asked.
  public var orders = PairOrders.both
  /// In which orders a pair is trained: `both` in every step, or `single`, drawn for each pair and step.
  public var trainingOrders = PairOrders.both
  /// Files of preference pairs to train on.
  public var train: [String] = []
  /// Files whose loss decides which weights are kept; none keeps the last.
  public var validation: [String] = []
  /// Files to measure the result on.
  public var test: [String] = []
  /// Passes over the training pairs.
  public var epochs = 1.0
  /// Pairs in one optimizer step.
  public var batchPairs = 32
  /// The longest sequence of prompt and both responses, in tokens; longer ones are cut.
  public var maxLength = 512
  /// The chance that a label is the wrong way round.
  public var labelSmoothing = 0.0
  /// Validations over the whole training.
  public var validations = 4
  /// Steps between checkpoints.
  public var checkpointEvery = 50
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192
  /// The optimizer.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try require("train", !train.isEmpty, "at least one file", "none")
    try require(
      "label_smoothing", (0..<0.5).contains(labelSmoothing), "a number from 0, below 0.5",
      labelSmoothing)
    try validatePairTraining(
      epochs: epochs, batch: batchPairs, maxLength: maxLength, validations: validations,
      microBatchTokens: microBatchTokens)
  }
}

/// In which orders a pair model reads a pair.
public enum PairOrders: String, Codable, Sendable, CaseIterable {
  case both
  case single
}

/// Trains a pair model: both responses in one sequence, logistic loss of the head's log-odds.
///
/// Dong et al. 2024, arXiv 2405.07863, §3; Jiang et al. 2023, arXiv 2306.02561.
struct PairPreferenceStage: Stage {
  let configuration: PairPreferenceConfiguration

  var inputs: [String] {
    [configuration.model] + configuration.train + configuration.validation + configuration.test
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try pairTrainingPlan(
      context, what: "pair model", model: configuration.model, train: configuration.train,
      batch: configuration.batchPairs, epochs: configuration.epochs,
      maxLength: configuration.maxLength,
      rowsPerRecord: configuration.trainingOrders == .both ? 3 : 2)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let source = try context.artifact(configuration.model)
    let encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: source))
    let trunk = try preferenceTrunk(source)
    try requireFit(
      configuration.model, stage: context.stage, configuration: trunk.configuration,
      encoder: encoder, longest: configuration.maxLength)
    var model = try PairPreferenceModel(
      configuration: trunk.configuration, trunk: trunk.parameters,
      opening: PairPreferenceModel.opening(encoder),
      orders: configuration.orders == .both ? .both : .single,
      endOfText: encoder.endOfText, seed: context.seed)
    let pairs = try PairSets(
      context, train: configuration.train, validation: configuration.validation,
      test: configuration.test, encoder: encoder, maxLength: configuration.maxLength
    ).fitted(to: model, context, limit: configuration.maxLength, encoder: encoder)
    let plan = BatchPlan(
      costs: pairs.train.map(\.group.tokenCount), size: .examples(configuration.batchPairs),
      seed: context.seed)
    let steps = plan.steps(epochs: configuration.epochs)
    let loop = TrainingLoop(
      context: context, settings: configuration.optimizer, steps: steps,
      checkpointEvery: configuration.checkpointEvery,
      evaluateEvery: configuration.validations > 0
        ? max(1, (steps + configuration.validations - 1) / configuration.validations) : 0)
    let best = try loop.run(
      &model,
      validate: pairs.validation.isEmpty || configuration.validations == 0
        ? nil
        : { model in
          let found = try PreferenceEvaluation(
            model: .pair(model), pairs: pairs.validation.map(\.group)
          ).metrics
          return ["loss": found.nll, "accuracy": found.accuracy]
        }
    ) { step, model, gradients in
      var drawn = RandomStream(seed: context.seed, purpose: "pair orders", step: step)
      return try pairStep(
        plan.examples(ofStep: step).map { pairs.train[$0] },
        microBatchTokens: configuration.microBatchTokens
      ) { groups, batchCount in
        let objective = try self.objective(
          model, groups, batchCount: batchCount
        ) { drawn.uniform(below: 2) == 1 }
        gradients.accumulate(objective.loss)
        return objective
      }
    }
    try model.write(to: context.directory, encoder: encoder)
    var result = try preferenceResult(
      context, .pair(model), pairs: pairs, best: best, steps: steps)
    if !pairs.test.isEmpty {
      let bias = OrderBias(try model.logOddsInBothOrders(pairs: pairs.test.map(\.group)))
      result.figures += bias.figures
      result.sections.append(
        ReportSection("\(context.stage): order of the responses", [.table(bias.table)]))
    }
    return result
  }

  /// The logistic loss of some pairs of a batch, with the label that the order gives.
  private func objective(
    _ model: PairPreferenceModel, _ groups: [PreferenceGroup], batchCount: Int,
    isSwapped: () -> Bool
  ) throws -> Objective {
    let orders: [[Bool]] = groups.map { _ in
      configuration.trainingOrders == .both ? [false, true] : [isSwapped()]
    }
    let logits = model.logits(try model.batch(groups, swapped: orders))
    // Swapped, the chosen response comes second: its log-odds are those of losing.
    let signs = orders.joined().map { $0 ? Float(-1) : 1 }
    return pairPreference(
      logits: logits * Tensor(signs), labelSmoothing: Float(configuration.labelSmoothing),
      batchCount: batchCount * (configuration.trainingOrders == .both ? 2 : 1))
  }
}

extension PairSets {
  /// The same pairs cut to what a pair model reads as one sequence.
  fileprivate func fitted(
    to model: PairPreferenceModel, _ context: StageContext, limit: Int,
    encoder: ConversationEncoder
  ) throws -> PairSets {
    let marks = encoder.scored(prompt: [], response: "").response.count
    func fit(_ pairs: [EncodedPair], _ what: String) -> [EncodedPair] {
      var (cut, dropped) = (0, 0)
      let fitted = pairs.compactMap { pair -> EncodedPair? in
        guard let found = model.fit(pair.group, limit: limit, keepingLast: marks) else {
          dropped += 1
          return nil
        }
        cut += found.wasCut ? 1 : 0
        return pair.replacing(found.pair)
      }
      if cut + dropped > 0 {
        context.note(
          "\(what): \(cut) pairs cut so that both responses fit into \(limit) tokens, "
            + "\(dropped) left out")
      }
      return fitted
    }
    let training = fit(train, "training")
    guard !training.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: [], why: "no pair differs within max_length")
    }
    return PairSets(
      train: training, validation: fit(validation, "validation"), test: fit(test, "test"))
  }
}

extension OrderBias {
  var figures: [Figure] {
    [
      Figure(
        "order_flips", flips,
        interval: Interval.wilson(successes: flips * Double(pairs), trials: pairs).range,
        sampleSize: pairs),
      Figure("first_place_logit", firstPlaceLogit, unit: "nats", sampleSize: pairs),
      Figure("order_logit_magnitude", meanMagnitude, unit: "nats", sampleSize: pairs),
    ]
  }

  var table: TextTable {
    TextTable(
      columns: ["what", "value"],
      rows: [
        ["pairs read in both orders", "\(pairs)"],
        ["verdicts that change with the order", NumberText.percent(flips)],
        ["of these in favour of the first place", NumberText.percent(flipsToFirst)],
        ["mean log-odds of the first place", NumberText.fixed(firstPlaceLogit, 3)],
        ["mean magnitude of it, pair by pair", NumberText.fixed(meanMagnitude, 3)],
      ])
  }
}
