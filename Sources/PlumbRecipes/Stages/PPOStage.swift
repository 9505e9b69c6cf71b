import Foundation
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// Settings of PPO.
public struct PPOConfiguration: StageConfiguration, SharingSettings {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "ppo"

  /// What PPO and the policy-gradient methods without a critic have in common.
  public var settings = PolicyGradientSettings()
  /// Where values come from: a head that trains with the policy's trunk (`shared`), a head on the
  /// policy's hidden states that leaves the trunk alone (`head`), or a model of its own that starts
  /// from the reward model's trunk (`separate`).
  public var valueModel = ValueModelChoice.shared
  /// First rounds in which only the value moves.
  public var valueWarmupUpdates = 0
  /// Where the penalty's weight is steered to, in nats per response; 0 keeps it fixed.
  public var klTarget = 0.0
  /// Responses over which the adaptive weight moves.
  public var klHorizon = 10_000.0
  /// The value's clip range; 0 for none.
  public var valueClip = 0.2
  /// Weight of the value loss.
  public var valueCoefficient = 0.1
  /// Discount.
  public var gamma = 1.0
  /// Decay of generalized advantage estimation.
  public var gaeLambda = 0.95
  /// Whether advantages are brought to mean 0 and variance 1 over a round.
  public var whitenAdvantages = true
  /// Whether token rewards are brought to variance 1 over a round; their mean stays.
  public var whitenRewards = false

  /// The defaults.
  public init() {
    settings.epochs = 2
    settings.normalizeRewards = true
  }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try settings.validate()
    let responses = settings.promptsPerUpdate * settings.responsesPerPrompt
    try require(
      "minibatches", settings.minibatches <= responses, "at most one per response (\(responses))",
      settings.minibatches)
    try require(
      "clip", (1e-6..<1).contains(settings.clip), "a number above 0 and below 1", settings.clip)
    for (name, value) in [
      ("kl_target", klTarget), ("value_clip", valueClip), ("value_coefficient", valueCoefficient),
    ] { try require(name, (0...1e6).contains(value), "a number from 0 to 1000000", value) }
    try require(
      "value_warmup_updates", (0..<max(1, settings.updates)).contains(valueWarmupUpdates),
      "an integer from 0, less than updates (\(settings.updates))", valueWarmupUpdates)
    try require(
      "value_coefficient", valueWarmupUpdates == 0 || valueCoefficient > 0,
      "a number above 0 where value_warmup_updates is set", valueCoefficient)
    try require(
      "kl_horizon", klHorizon >= Double(responses),
      "at least the responses of a round (\(responses))", klHorizon)
    try require(
      "kl_coefficient", klTarget == 0 || settings.klCoefficient > 0,
      "a number above 0 where kl_target is set", settings.klCoefficient)
    try require("gamma", (0...1).contains(gamma), "a number from 0 to 1", gamma)
    try require("gae_lambda", (0...1).contains(gaeLambda), "a number from 0 to 1", gaeLambda)
  }
}

/// The value models that a recipe can ask for.
public enum ValueModelChoice: String, Codable, Sendable, CaseIterable {
  case shared
  case head
  case separate
}

/// Proximal policy optimization against a frozen reward model.
///
/// Schulman et al. 2017, arXiv 1707.06347, with the details of "The N Implementation Details of RLHF with
/// PPO", Huang et al. 2023.
struct PPOStage: Stage {
  let configuration: PPOConfiguration

  var inputs: [String] { configuration.settings.inputs }

  static var product: StageProduct { .model(.language) }

  var models: [ModelUse] { configuration.settings.models }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let parameters = try parameterCount(context, model: configuration.policy)
    let responses =
      configuration.updates * configuration.promptsPerUpdate * configuration.responsesPerPrompt
    return policyPlan(
      "\(configuration.updates) rounds of \(configuration.promptsPerUpdate) prompts\(adapterNote(configuration.lora))",
      parameters: parameters, responses: responses,
      newTokens: configuration.sampling.maxNewTokens,
      trainingPasses: configuration.epochs * (configuration.valueModel == .separate ? 2 : 1))
  }

  func run(_ context: StageContext) throws -> StageResult {
    let start = try configuration.settings.start(context)
    var trainer = try PPOTrainer(
      configuration, policy: start.policy, reward: try valueStart(context), seed: context.seed)
    let watched = try start.train(
      &trainer, settings: configuration.settings.rounds(start.prompts))
    return try policyResult(
      context, trainer.trained,
      responses: configuration.promptsPerUpdate * configuration.responsesPerPrompt,
      metrics: [
        ("objective/scores", "score", ""),
        ("objective/kl", "KL from the reference (nats/response)", "nats/response"),
        ("completions/mean_length", "length (tokens)", "tokens"),
        ("val/explained_variance", "explained variance", ""),
      ], watched: watched)
  }

  /// The reward model whose trunk a separate value model starts from; nil where the judge is none.
  private func valueStart(_ context: StageContext) throws -> RewardModel? {
    guard configuration.valueModel == .separate,
      case .model(let choice) = configuration.reward.form,
      case .reward(let model) = try loadPreferenceModel(
        directory: context.artifact(choice.model))
    else { return nil }
    return model
  }
}
