import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of a reward model's training.
public struct RewardModelConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "reward-model"

  /// What it starts from: a language model, or a reward model whose head is kept.
  public var model = ""
  /// The head: `worldpm` (two layers, read at the first end-of-text token) or `linear`.
  public var head = RewardHeadChoice.worldpm
  /// What the head reads behind a response: `end-of-text` (the end of the turn and `<|endoftext|>`),
  /// `turn` (the end of the turn as the template renders it; for a `linear` head), or `as-model`.
  public var ending = RewardEndingChoice.asModel
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
  /// The longest prompt plus response, in tokens; longer prompts lose their beginning, longer
  /// responses their end.
  public var maxLength = 384
  /// Weight of the squared mean reward, which keeps rewards around 0 (Eisenstein 2023).
  public var centering = 0.0
  /// Validations over the whole training.
  public var validations = 4
  /// Models to keep along the training, in `snapshots/step-…`: after the last step, half of it, a
  /// quarter, and so on; 0 for none.
  public var snapshots = 0
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
      "ending", ending != .turn || head == .linear,
      "end-of-text for the head 'worldpm', which reads <|endoftext|>", "turn")
    try require(
      "centering", (0...1e6).contains(centering), "a number from 0 to 1000000", centering)
    try require("snapshots", (0...40).contains(snapshots), "an integer from 0 to 40", snapshots)
    try validatePairTraining(
      epochs: epochs, batch: batchPairs, maxLength: maxLength, validations: validations,
      microBatchTokens: microBatchTokens)
  }
}

/// The heads that a recipe can ask for.
public enum RewardHeadChoice: String, Codable, Sendable, CaseIterable {
  case worldpm
  case linear

  var head: RewardModel.Head { self == .worldpm ? .worldPM : .linear }
}

/// What a recipe can ask the head to read behind a response.
public enum RewardEndingChoice: String, Codable, Sendable, CaseIterable {
  case asModel = "as-model"
  case endOfText = "end-of-text"
  case turn

  var ending: ScoredEnding? {
    switch self {
    case .asModel: nil
    case .endOfText: .endOfText
    case .turn: .turn
    }
  }
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

/// Trains a reward model with the Bradley-Terry loss.
///
/// WorldPM, arXiv 2505.10527, eq. 1 and 2.
struct RewardModelStage: Stage {
  let configuration: RewardModelConfiguration

  var inputs: [String] {
    [configuration.model] + configuration.train + configuration.validation + configuration.test
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try pairTrainingPlan(
      context, what: "Bradley-Terry", model: configuration.model, train: configuration.train,
      batch: configuration.batchPairs, epochs: configuration.epochs,
      maxLength: configuration.maxLength)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let source = try context.artifact(configuration.model)
    var encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: source))
    encoder.scoredEnding = configuration.ending.ending ?? encoder.scoredEnding
    var model = try startingRewardModel(
      context, configuration.model, head: configuration.head.head, encoder: encoder,
      seed: context.seed)
    try requireFit(
      configuration.model, stage: context.stage, configuration: model.decoder.configuration,
      encoder: encoder, longest: configuration.maxLength)
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
            model: .reward(model), pairs: pairs.validation.map(\.group)
          ).metrics
          return ["loss": found.nll, "accuracy": found.accuracy]
        },
      snapshots: Snapshots(
        steps: Snapshots<RewardModel>.halvings(of: steps, count: configuration.snapshots),
        folder: KeptFolder(snapshotsName, of: context),
        write: { try $0.write(to: $1, encoder: encoder) })
    ) { step, model, gradients in
      try pairStep(
        plan.examples(ofStep: step).map { pairs.train[$0] },
        microBatchTokens: configuration.microBatchTokens
      ) { groups, batchCount in
        let rewards = try model.pairRewards(model.batch(groups))
        let objective = bradleyTerry(
          chosen: rewards.chosen, rejected: rewards.rejected,
          centering: Float(configuration.centering), batchCount: batchCount)
        gradients.accumulate(objective.loss)
        return objective
      }
    }
    try model.write(to: context.directory, encoder: encoder)
    return try preferenceResult(
      context, .reward(model), pairs: pairs, best: best, steps: steps)
  }
}
