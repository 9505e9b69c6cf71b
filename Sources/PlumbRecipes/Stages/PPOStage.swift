import Foundation
import PlumbModels
public import PlumbObjectives
import PlumbPreferences
public import PlumbRollouts
import PlumbTokenizers

/// Settings of PPO.
public struct PPOConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "ppo"

  /// The policy to start from, also the frozen reference.
  public var policy = ""
  /// What scores responses: a reward model, frozen, or any other judge that gives scores.
  public var reward = JudgeChoice()
  /// Files of prompts.
  public var prompts: [String] = []
  /// Rounds of sampling.
  public var updates = 20
  /// Prompts in one round.
  public var promptsPerUpdate = 64
  /// Responses to each prompt.
  public var responsesPerPrompt = 1
  /// Where values come from: a head that trains with the policy's trunk (`shared`), a head on the
  /// policy's hidden states that leaves the trunk alone (`head`), or a model of its own that starts
  /// from the reward model's trunk (`separate`).
  public var valueModel = ValueModelChoice.shared
  /// First rounds in which only the value moves.
  public var valueWarmupUpdates = 0
  /// How responses are sampled.
  public var sampling = SamplingConfiguration()
  /// Passes over the responses of a round.
  public var epochs = 2
  /// Parts that a pass is cut into, one optimizer step each.
  public var minibatches = 2
  /// Tokens that go through the model at once; 0 for a whole minibatch.
  public var microBatchTokens = 0
  /// Weight of the Kullback-Leibler divergence from the reference.
  public var klCoefficient = 0.05
  /// Whether the divergence is taken off every token's reward or added to the loss.
  public var klIn = KLPlace.reward
  /// The estimator of the divergence of a token.
  public var klEstimator = KLEstimator.k1
  /// The gradient of the divergence where it is in the loss.
  public var klGradient = KLGradient.unbiased
  /// Where the penalty's weight is steered to, in nats per response; 0 keeps it fixed.
  public var klTarget = 0.0
  /// Responses over which the adaptive weight moves.
  public var klHorizon = 10_000.0
  /// A pass ends early once the mean k3 estimate exceeds this, in nats per token; 0 never.
  public var maxPolicyKL = 0.0
  /// The mean ratio of a minibatch above which, or below whose inverse, it is not stepped on; 0 for any.
  public var ratioThreshold = 0.0
  /// Whether such a minibatch is left out, or ends the stage.
  public var onRatio = RatioGuardAction.skip
  /// The ratio's clip range.
  public var clip = 0.2
  /// The upper end of the ratio's range, where it differs from `clip`; 0 where not.
  public var clipHigher = 0.0
  /// Where an advantage is negative, what a token costs at most, in advantages; 0 for no such bound.
  public var dualClip = 0.0
  /// The value's clip range; 0 for none.
  public var valueClip = 0.2
  /// Weight of the value loss.
  public var valueCoefficient = 0.1
  /// Weight of the mean entropy of the tokens' distributions, which is taken off the loss.
  public var entropyCoefficient = 0.0
  /// Discount.
  public var gamma = 1.0
  /// Decay of generalized advantage estimation.
  public var gaeLambda = 0.95
  /// Whether advantages are brought to mean 0 and variance 1 over a round.
  public var whitenAdvantages = true
  /// Whether token rewards are brought to variance 1 over a round; their mean stays.
  public var whitenRewards = false
  /// Whether scores are shifted and scaled so that the reference's samples have mean 0 and variance 1.
  public var normalizeRewards = true
  /// The largest size of a score, after normalisation; 0 for no bound.
  public var rewardClip = 0.0
  /// Taken off the score of a response that does not end within the limit.
  public var missingEosPenalty = 0.0
  /// Taken off the score for every token of a response.
  public var lengthPenalty = 0.0
  /// Tokens of a response that cost nothing of the length penalty.
  public var lengthPenaltyFrom = 0
  /// What happens where the reward model gives a score that is not finite.
  public var onBadScore = BadScoreChoice.stop
  /// Rounds between checkpoints.
  public var checkpointEvery = 5
  /// Alarms, tables of samples and saved rollouts.
  public var watch = WatchConfiguration()
  /// The adapter to train in place of all weights.
  public var lora = AdapterConfiguration()
  /// The optimizer; its schedule runs over all optimizer steps.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a stage or a model folder", "nothing")
    try reward.validate("reward")
    try watch.requireHeldOut(from: reward)
    try require("prompts", !prompts.isEmpty, "at least one file", "none")
    for (name, value) in [
      ("updates", updates), ("prompts_per_update", promptsPerUpdate),
      ("responses_per_prompt", responsesPerPrompt), ("epochs", epochs),
      ("minibatches", minibatches),
    ] { try requireCount(name, value) }
    try require(
      "minibatches", minibatches <= promptsPerUpdate * responsesPerPrompt,
      "at most one per response (\(promptsPerUpdate * responsesPerPrompt))", minibatches)
    try require("clip", (1e-6..<1).contains(clip), "a number above 0 and below 1", clip)
    for (name, value) in [
      ("kl_coefficient", klCoefficient), ("kl_target", klTarget), ("max_policy_kl", maxPolicyKL),
      ("value_clip", valueClip), ("value_coefficient", valueCoefficient),
      ("entropy_coefficient", entropyCoefficient), ("clip_higher", clipHigher),
    ] { try require(name, (0...1e6).contains(value), "a number from 0 to 1000000", value) }
    try validateGuards()
    try shaping.validate()
    try validateDivergence(
      klIn: klIn, estimator: klEstimator, gradient: klGradient, coefficient: klCoefficient)
    let responses = Double(promptsPerUpdate) * Double(responsesPerPrompt)
    try require(
      "kl_horizon", klHorizon >= responses, "at least the responses of a round (\(Int(responses)))",
      klHorizon)
    try require(
      "kl_coefficient", klTarget == 0 || klCoefficient > 0,
      "a number above 0 where kl_target is set", klCoefficient)
    try require("gamma", (0...1).contains(gamma), "a number from 0 to 1", gamma)
    try require("gae_lambda", (0...1).contains(gaeLambda), "a number from 0 to 1", gaeLambda)
  }
}

extension PPOConfiguration {
  /// How scores become rewards.
  var shaping: ScoreShaping {
    ScoreShaping(
      clip: rewardClip, missingEosPenalty: missingEosPenalty, lengthPenalty: lengthPenalty,
      lengthPenaltyFrom: lengthPenaltyFrom)
  }

  private func validateGuards() throws {
    try require(
      "value_warmup_updates", (0..<max(1, updates)).contains(valueWarmupUpdates),
      "an integer from 0, less than updates (\(updates))", valueWarmupUpdates)
    try require(
      "micro_batch_tokens", (0...1_000_000_000).contains(microBatchTokens),
      "an integer from 0 to 1000000000", microBatchTokens)
    try require(
      "ratio_threshold", ratioThreshold == 0 || (1.0001...1e6).contains(ratioThreshold),
      "0, or a number from 1.0001 to 1000000", ratioThreshold)
    try require(
      "dual_clip", dualClip == 0 || (1.0001...1e6).contains(dualClip),
      "0, or a number from 1.0001 to 1000000", dualClip)
    try require(
      "value_coefficient", valueWarmupUpdates == 0 || valueCoefficient > 0,
      "a number above 0 where value_warmup_updates is set", valueCoefficient)
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

  var inputs: [String] {
    [configuration.policy] + configuration.reward.inputs + configuration.prompts
      + configuration.watch.inputs
  }

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
    let (start, encoder) = try loadPolicy(
      context, configuration.policy, adapter: configuration.lora)
    let scorer = try recipeJudge(configuration.reward, context: context, policy: encoder)
    let watch = try RolloutWatch(
      configuration.watch, updates: configuration.updates, context: context, encoder: encoder)
    let settings = OnPolicySettings(
      prompts: try policyPrompts(
        context, configuration.prompts, encoder: encoder,
        models: [start.configuration] + scorer.readers + watch.readers,
        newTokens: configuration.sampling.maxNewTokens),
      updates: configuration.updates, promptsPerUpdate: configuration.promptsPerUpdate,
      responsesPerPrompt: configuration.responsesPerPrompt, sampling: configuration.sampling,
      checkpointEvery: configuration.checkpointEvery, passes: configuration.epochs,
      onBadScore: configuration.onBadScore)
    var judge = scorer.judge
    if configuration.normalizeRewards {
      judge = try NormalizedJudge(
        judge, reference: start, settings: settings, encoder: encoder, context: context)
    }
    var trainer = try PPOTrainer(
      configuration, policy: start, reward: try valueStart(context), seed: context.seed)
    let watched = try runWatched(
      &trainer, settings: settings, judge: judge, reference: start, encoder: encoder,
      context: context, watch: watch)
    let trained = trainer.trained
    try trained.write(to: context.directory, encoder: encoder)
    return try policyResult(
      context, trained,
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
