import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Settings of supervised fine-tuning.
public struct SFTConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "sft"

  /// The language model to start from.
  public var model = ""
  /// Files of demonstrations to train on.
  public var train: [String] = []
  /// Files whose loss decides which weights are kept; none keeps the last.
  public var validation: [String] = []
  /// Passes over the demonstrations.
  public var epochs = 2.0
  /// Demonstrations in one optimizer step.
  public var batchRows = 32
  /// The longest prompt plus response, in tokens.
  public var maxLength = 384
  /// Validations over the whole training.
  public var validations = 4
  /// Steps between checkpoints.
  public var checkpointEvery = 50
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192
  /// The adapter to train in place of all weights.
  public var lora = AdapterConfiguration()
  /// The optimizer.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try require("train", !train.isEmpty, "at least one file", "none")
    try requireCount("batch_rows", batchRows)
    try validatePairTraining(
      epochs: epochs, batch: batchRows, maxLength: maxLength, validations: validations,
      microBatchTokens: microBatchTokens)
  }
}

/// Trains a policy on demonstrations: cross-entropy on the tokens of the answers only.
struct SFTStage: Stage {
  let configuration: SFTConfiguration

  var inputs: [String] {
    [configuration.model] + configuration.train + configuration.validation
  }

  static var product: StageProduct { .model(.language) }

  var models: [ModelUse] { [ModelUse(configuration.model, as: .policy)] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try pairTrainingPlan(
      context, what: "cross-entropy on answers\(adapterNote(configuration.lora))",
      model: configuration.model,
      train: configuration.train, batch: configuration.batchRows, epochs: configuration.epochs,
      maxLength: configuration.maxLength, rowsPerRecord: 1)
  }

  func run(_ context: StageContext) throws -> StageResult {
    var (model, encoder) = try loadPolicy(
      context, configuration.model, longest: configuration.maxLength, adapter: configuration.lora)
    let train = try demonstrations(context, configuration.train, encoder: encoder)
    let validation = try demonstrations(context, configuration.validation, encoder: encoder)
    guard !train.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: configuration.train, why: "no answer fits max_length")
    }
    let data = PackedDataset(
      train, size: .examples(configuration.batchRows), seed: context.seed)
    let steps = data.plan.steps(epochs: configuration.epochs)
    let loop = TrainingLoop(
      context: context, settings: configuration.optimizer, steps: steps,
      checkpointEvery: configuration.checkpointEvery,
      evaluateEvery: configuration.validations > 0
        ? max(1, (steps + configuration.validations - 1) / configuration.validations) : 0)
    let best = try loop.run(
      &model,
      validate: validation.isEmpty || configuration.validations == 0
        ? nil
        : { ["loss": meanLoss($0, validation, tokenBudget: configuration.microBatchTokens)] }
    ) { step, model, gradients in
      crossEntropyStep(
        data.microBatches(
          at: data.position(ofStep: step - 1), tokenBudget: configuration.microBatchTokens),
        model: model, gradients: &gradients)
    }
    try model.write(to: context.directory, encoder: encoder)
    var figures = [
      Figure("train_demonstrations", Double(train.count), unit: "rows", sampleSize: train.count),
      Figure("steps", Double(steps), unit: "steps", sampleSize: steps),
    ]
    figures += parameterFigures(model)
    if let best {
      figures.append(
        Figure("validation_loss", best.loss, unit: "nats/token", sampleSize: validation.count))
    }
    return StageResult(
      figures: figures,
      sections: try trainingSection(
        context, metric: "loss", label: "loss (nats/token)"))
  }

  private func demonstrations(
    _ context: StageContext, _ files: [String], encoder: ConversationEncoder
  ) throws -> [TokenGroup] {
    let examples = ExampleEncoder(
      encoder, limits: try TokenLimits(context: configuration.maxLength))
    var groups: [TokenGroup] = []
    for file in files {
      let found = examples.groups(
        of: context.usable(try DataFile.demonstrations(context.artifact(file))))
      note(context, file, found.report)
      groups += found.groups
    }
    return groups
  }
}
