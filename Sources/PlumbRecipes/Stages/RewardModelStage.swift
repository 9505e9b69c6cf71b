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
  /// Weight of the squared mean reward, which keeps rewards around 0 (Eisenstein 2023).
  public var centering = 0.0
  /// Models to keep along the training, in `snapshots/step-…`: after the last step, half of it, a
  /// quarter, and so on; 0 for none.
  public var snapshots = 0
  /// Files, length and optimizer of the training.
  public var training = PreferenceTrainingSettings()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try require(
      "ending", ending != .turn || head == .linear,
      "end-of-text for the head 'worldpm', which reads <|endoftext|>", "turn")
    try require(
      "centering", (0...1e6).contains(centering), "a number from 0 to 1000000", centering)
    try require("snapshots", (0...40).contains(snapshots), "an integer from 0 to 40", snapshots)
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

  /// What the encoder appends; nil where it stays as the model has it.
  var ending: ScoredEnding? { ScoredEnding(rawValue: rawValue) }
}

/// Trains a reward model with the Bradley-Terry loss.
///
/// WorldPM, arXiv 2505.10527, eq. 1 and 2.
struct RewardModelStage: Stage {
  let configuration: RewardModelConfiguration

  var inputs: [String] {
    [configuration.model] + configuration.training.files
  }

  static var product: StageProduct { .model(.preference(.reward)) }

  var models: [ModelUse] { [ModelUse(configuration.model, as: .rewardStart)] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try context.plan(
      "Bradley-Terry", model: configuration.model, configuration.training)
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
      encoder: encoder, longest: configuration.training.maxLength)
    let pairs = try PairSets(context, configuration.training, encoder: encoder)
    let (best, steps) = try pairs.train(
      &model, configuration.training, in: context, as: { .reward($0) },
      snapshots: { steps in
        Snapshots(
          steps: Snapshots<RewardModel>.halvings(of: steps, count: configuration.snapshots),
          folder: KeptFolder(snapshotsName, of: context),
          write: { try $0.write(to: $1, encoder: encoder) })
      }
    ) { _, batch, model, gradients in
      try pairStep(
        batch, microBatchTokens: configuration.training.microBatchTokens
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
