import PlumbData
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// What every training of a preference model on pairs reads, and how long and in what pieces it trains.
public struct PreferenceTrainingSettings: InlineSection {
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
  /// The longest sequence that the model reads, in tokens; longer prompts lose their beginning, longer
  /// responses their end.
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

  /// The defaults with another longest sequence.
  init(maxLength: Int) { self.maxLength = maxLength }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("train", !train.isEmpty, "at least one file", "none")
    try validatePairTraining(
      epochs: epochs, batch: batchPairs, maxLength: maxLength, validations: validations,
      microBatchTokens: microBatchTokens)
  }

  /// All files, in the order in which they are read.
  var files: [String] { train + validation + test }
}

/// Refuses sizes that cannot be meant, for stages that train on pairs or rows.
func validatePairTraining(
  epochs: Double, batch: Int, maxLength: Int, validations: Int, microBatchTokens: Int
) throws {
  try require("epochs", (1e-6...10_000).contains(epochs), "a number above 0, at most 10000", epochs)
  try requireCount("batch_pairs", batch)
  try require(
    "max_length", (8...1_000_000).contains(maxLength), "an integer from 8 to 1000000", maxLength)
  try require(
    "validations", (0...1_000_000).contains(validations), "an integer from 0 to 1000000",
    validations)
  try requireCount("micro_batch_tokens", microBatchTokens)
}

extension PlanContext {
  /// Pairs, steps and a rough time of such a training.
  func plan(
    _ what: String, model: String, _ settings: PreferenceTrainingSettings, rowsPerRecord: Int = 2
  ) throws -> StagePlan {
    try pairTrainingPlan(
      self, what: what, model: model, train: settings.train, batch: settings.batchPairs,
      epochs: settings.epochs, maxLength: settings.maxLength, rowsPerRecord: rowsPerRecord)
  }
}

extension PairSets {
  init(
    _ context: StageContext, _ settings: PreferenceTrainingSettings, encoder: ConversationEncoder
  ) throws {
    try self.init(
      context, train: settings.train, validation: settings.validation, test: settings.test,
      encoder: encoder, maxLength: settings.maxLength)
  }

  /// Trains a preference model on these pairs; with validation pairs, it ends with the weights of the
  /// lowest loss on them.
  ///
  /// - Parameters:
  ///   - model: the model.
  ///   - measured: the model as what is evaluated.
  ///   - snapshots: the models to keep along the way, given the number of steps.
  ///   - step: accumulates the gradient of the mean loss of one batch.
  /// - Returns: the lowest validation loss and its step, and the number of steps.
  func train<Model: TrainableModel>(
    _ model: inout Model, _ settings: PreferenceTrainingSettings, in context: StageContext,
    as measured: @escaping (Model) -> PreferenceModel,
    snapshots: (_ steps: Int) -> Snapshots<Model>? = { _ in nil },
    step: (_ number: Int, _ pairs: [EncodedPair], Model, inout GradientBlock) throws -> StepOutcome
  ) throws -> (best: (loss: Double, step: Int)?, steps: Int) {
    let plan = BatchPlan(
      costs: train.map(\.group.tokenCount), size: .examples(settings.batchPairs),
      seed: context.seed)
    let steps = plan.steps(epochs: settings.epochs)
    let validates = !validation.isEmpty && settings.validations > 0
    let loop = TrainingLoop(
      context: context, settings: settings.optimizer, steps: steps,
      checkpointEvery: settings.checkpointEvery,
      evaluateEvery: settings.validations > 0
        ? max(1, (steps + settings.validations - 1) / settings.validations) : 0)
    let heldOut = validation.map(\.group)
    let best = try loop.run(
      &model,
      validate: validates
        ? { model in
          let found = try PreferenceEvaluation(model: measured(model), pairs: heldOut).metrics
          return ["loss": found.nll, "accuracy": found.accuracy]
        } : nil,
      snapshots: snapshots(steps)
    ) { number, model, gradients in
      try step(number, plan.examples(ofStep: number).map { train[$0] }, model, &gradients)
    }
    return (best, steps)
  }
}
