import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of a general preference model's training.
public struct GeneralPreferenceConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "general-preference"

  /// What it starts from: a language model, or the trunk of a reward or preference model.
  public var model = ""
  /// The dimension of the embeddings, 2k.
  public var dimension = 6
  /// Whether embeddings are scaled to length 1.
  public var l2Normalize = false
  /// Whether the prompt weighs the k planes (softmax).
  public var promptGate = false
  /// The temperature of the preference probability.
  public var tau = 0.1
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
  /// The longest prompt plus response, in tokens.
  public var maxLength = 384
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
      "dimension", (2...4096).contains(dimension) && dimension.isMultiple(of: 2),
      "an even number from 2 to 4096",
      dimension)
    try requirePositive("tau", tau)
    try validatePairTraining(
      epochs: epochs, batch: batchPairs, maxLength: maxLength, validations: validations,
      microBatchTokens: microBatchTokens)
  }
}

/// Trains a general preference model.
///
/// Zhang et al. 2024, arXiv 2410.02197, eq. 4.1 and A.1.
struct GeneralPreferenceStage: Stage {
  let configuration: GeneralPreferenceConfiguration

  var inputs: [String] {
    [configuration.model] + configuration.train + configuration.validation + configuration.test
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try pairTrainingPlan(
      context, what: "general preference, dimension \(configuration.dimension)",
      model: configuration.model, train: configuration.train, batch: configuration.batchPairs,
      epochs: configuration.epochs, maxLength: configuration.maxLength)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let source = try context.artifact(configuration.model)
    let encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: source))
    let trunk = try preferenceTrunk(source)
    try requireFit(
      configuration.model, stage: context.stage, configuration: trunk.configuration,
      encoder: encoder, longest: configuration.maxLength)
    var model = try GeneralPreferenceModel(
      configuration: trunk.configuration, trunk: trunk.parameters,
      options: .init(
        dimension: configuration.dimension, normalises: configuration.l2Normalize,
        isGated: configuration.promptGate, tau: configuration.tau),
      endOfText: encoder.endOfText, seed: context.seed)
    let pairs = try PairSets(
      context, train: configuration.train, validation: configuration.validation,
      test: configuration.test, encoder: encoder, maxLength: configuration.maxLength)
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
            model: .generalPreference(model), pairs: pairs.validation.map(\.group)
          ).metrics
          return ["loss": found.nll, "accuracy": found.accuracy]
        }
    ) { step, model, gradients in
      try pairStep(
        plan.examples(ofStep: step).map { pairs.train[$0] },
        microBatchTokens: configuration.microBatchTokens
      ) { groups, batchCount in
        let objective = generalPreference(
          scores: try model.scores(model.batch(groups)), tau: Float(configuration.tau),
          batchCount: batchCount)
        gradients.accumulate(objective.loss)
        return objective
      }
    }
    try model.write(to: context.directory, encoder: encoder)
    return try preferenceResult(
      context, .generalPreference(model), pairs: pairs, best: best, steps: steps)
  }
}
