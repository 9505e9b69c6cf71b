public import PlumbObjectives
public import PlumbRollouts

/// What PPO and the policy-gradient methods without a critic have in common: where responses and their
/// rewards come from, and how far a step may go.
public struct PolicyGradientSettings: InlineSection, SharingSettings {
  /// What every on-line stage reads.
  public var settings = OnlineTrainingSettings()
  /// What scores responses: a reward model, frozen, or any other judge that gives scores.
  public var reward = JudgeChoice()
  /// Rounds of sampling.
  public var updates = 20
  /// Prompts in one round.
  public var promptsPerUpdate = 64
  /// Responses to each prompt, K.
  public var responsesPerPrompt = 1
  /// Parts that a pass is cut into, one optimizer step each.
  public var minibatches = 2
  /// Tokens that go through the model at once; 0 for a whole minibatch.
  public var microBatchTokens = 0
  /// Weight of the Kullback-Leibler divergence from the reference.
  public var klCoefficient = 0.05
  /// Whether the divergence is taken off the reward or added to the loss.
  public var klIn = KLPlace.reward
  /// The estimator of the divergence of a token.
  public var klEstimator = KLEstimator.k1
  /// The gradient of the divergence where it is in the loss.
  public var klGradient = KLGradient.unbiased
  /// A round ends early once the mean k3 estimate exceeds this, in nats per token; 0 never.
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
  /// Weight of the mean entropy of the tokens' distributions, which is taken off the loss.
  public var entropyCoefficient = 0.0
  /// Whether scores are shifted and scaled so that the reference's samples have mean 0 and variance 1.
  public var normalizeRewards = false
  /// The largest size of a score, after normalisation; 0 for no bound.
  public var rewardClip = 0.0
  /// Taken off the score of a response that does not end within the limit.
  public var missingEosPenalty = 0.0
  /// Taken off the score for every token of a response.
  public var lengthPenalty = 0.0
  /// Tokens of a response that cost nothing of the length penalty.
  public var lengthPenaltyFrom = 0
  /// What happens where the judge gives a score that is not finite.
  public var onBadScore = BadScoreChoice.stop

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try settings.validate()
    try reward.validate("reward")
    for (name, value) in [
      ("updates", updates), ("prompts_per_update", promptsPerUpdate),
      ("responses_per_prompt", responsesPerPrompt), ("minibatches", minibatches),
    ] { try requireCount(name, value) }
    try require(
      "responses_per_prompt", responsesPerPrompt >= 2 || !reward.needsOpponents,
      "at least 2 where preference_reward compares the responses to a prompt", responsesPerPrompt)
    try settings.watch.requireHeldOut(from: reward, responses: responsesPerPrompt)
    for (name, value) in [
      ("kl_coefficient", klCoefficient), ("max_policy_kl", maxPolicyKL),
      ("entropy_coefficient", entropyCoefficient), ("clip_higher", clipHigher),
    ] { try require(name, (0...1e6).contains(value), "a number from 0 to 1000000", value) }
    for (name, value) in [("dual_clip", dualClip), ("ratio_threshold", ratioThreshold)] {
      try require(
        name, value == 0 || (1.0001...1e6).contains(value),
        "0, or a number from 1.0001 to 1000000", value)
    }
    try require(
      "micro_batch_tokens", (0...1_000_000_000).contains(microBatchTokens),
      "an integer from 0 to 1000000000", microBatchTokens)
    try shaping.validate()
    try validateDivergence(
      klIn: klIn, estimator: klEstimator, gradient: klGradient, coefficient: klCoefficient)
  }
}

extension PolicyGradientSettings {
  /// When a minibatch is not stepped on.
  var ratioGuard: RatioGuard { RatioGuard(threshold: ratioThreshold, action: onRatio) }

  /// How scores become rewards.
  var shaping: ScoreShaping {
    ScoreShaping(
      clip: rewardClip, missingEosPenalty: missingEosPenalty, lengthPenalty: lengthPenalty,
      lengthPenaltyFrom: lengthPenaltyFrom)
  }

  /// What a stage reads.
  var inputs: [String] { settings.inputs(judge: reward) }

  /// The models of a stage.
  var models: [ModelUse] {
    settings.models(judge: reward, responses: responsesPerPrompt, needsScores: true)
  }

  /// Policy, judge, watch and prompts.
  func start(_ context: StageContext) throws -> OnPolicyStart {
    try OnPolicyStart(
      context, settings, judge: reward, rounds: updates, responses: responsesPerPrompt,
      needsScores: true)
  }

  /// The rounds of the stage.
  func rounds(_ prompts: [PolicyPrompt]) -> OnPolicySettings {
    var rounds = settings.rounds(
      updates, prompts, promptsPerUpdate: promptsPerUpdate,
      responsesPerPrompt: responsesPerPrompt, onBadScore: onBadScore)
    rounds.normalizesScores = normalizeRewards
    rounds.needsOpponents = reward.needsOpponents
    return rounds
  }
}
