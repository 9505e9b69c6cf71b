public import PlumbObjectives
public import PlumbRollouts

/// Settings of a policy-gradient method without a critic.
public struct PolicyGradientConfiguration<Method: PolicyGradientMethod>: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static var kind: String { Method.kind }

  /// The policy to start from, also the frozen reference.
  public var policy = ""
  /// What scores responses: any judge that gives scores.
  public var reward = JudgeChoice()
  /// Files of prompts.
  public var prompts: [String] = []
  /// Rounds of sampling.
  public var updates = 20
  /// Prompts in one round.
  public var promptsPerUpdate = Method.defaults.promptsPerUpdate
  /// Responses to each prompt, K.
  public var responsesPerPrompt = Method.defaults.responsesPerPrompt
  /// How responses are sampled.
  public var sampling = SamplingConfiguration()
  /// Passes over the responses of a round.
  public var epochs = 1
  /// Parts that a pass is cut into, one optimizer step each; a prompt's responses stay together.
  public var minibatches = Method.defaults.minibatches
  /// Tokens that go through the model at once; 0 for a whole minibatch.
  public var microBatchTokens = 0
  /// Weight of the Kullback-Leibler divergence from the reference.
  public var klCoefficient = Method.defaults.klCoefficient
  /// Whether the divergence of a response is taken off its reward or added to the loss.
  public var klIn = Method.defaults.klIn
  /// The estimator of the divergence of a token.
  public var klEstimator = Method.defaults.klEstimator
  /// The gradient of the divergence where it is in the loss.
  public var klGradient = Method.defaults.klGradient
  /// What is taken off a reward to become an advantage.
  public var baseline = Method.defaults.baseline
  /// What an advantage is divided by.
  public var scaleRewards = Method.defaults.scaleRewards
  /// Whether advantages are brought to mean 0 and variance 1 over the responses of a round.
  public var normalizeAdvantages = false
  /// What happens to prompts whose responses all have an advantage of 0.
  public var onZeroAdvantage = ZeroAdvantageChoice.keep
  /// The ratio's clip range; 0 for the plain policy gradient, without a ratio.
  public var clip = Method.defaults.clip
  /// The upper end of the ratio's range, where it differs from `clip`; 0 where not.
  public var clipHigher = 0.0
  /// Where an advantage is negative, what a token costs at most, in advantages; 0 for no such bound.
  public var dualClip = 0.0
  /// Whose probability the ratio is taken of.
  public var ratioLevel = Method.defaults.ratioLevel
  /// How the losses of tokens become one.
  public var lossReduction = Method.defaults.lossReduction
  /// The mean ratio of a minibatch above which, or below whose inverse, it is not stepped on; 0 for any.
  public var ratioThreshold = 0.0
  /// Whether such a minibatch is left out, or ends the stage.
  public var onRatio = RatioGuardAction.skip
  /// A round ends early once the mean k3 estimate exceeds this, in nats per token; 0 never.
  public var maxPolicyKL = 0.0
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
  /// Rounds between checkpoints.
  public var checkpointEvery = 5
  /// Alarms, tables of samples and saved rollouts.
  public var watch = WatchConfiguration()
  /// The adapter to train in place of all weights.
  public var lora = AdapterConfiguration()
  /// The optimizer; its schedule runs over all optimizer steps.
  public var optimizer = OptimizerConfiguration()

  /// The defaults of the method.
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
    for (name, value) in [
      ("kl_coefficient", klCoefficient), ("max_policy_kl", maxPolicyKL),
      ("entropy_coefficient", entropyCoefficient), ("clip_higher", clipHigher),
    ] { try require(name, (0...1e6).contains(value), "a number from 0 to 1000000", value) }
    try require(
      "minibatches", minibatches <= promptsPerUpdate,
      "at most one per prompt (\(promptsPerUpdate))", minibatches)
    try require(
      "micro_batch_tokens", (0...1_000_000_000).contains(microBatchTokens),
      "an integer from 0 to 1000000000", microBatchTokens)
    try validateAdvantages()
    try validateRatio()
    try shaping.validate()
    try validateDivergence(
      klIn: klIn, estimator: klEstimator, gradient: klGradient, coefficient: klCoefficient)
  }

  private func validateAdvantages() throws {
    let needsGroups = baseline.needsGroups || scaleRewards == .group
    try require(
      "responses_per_prompt", responsesPerPrompt >= (needsGroups ? 2 : 1),
      "at least 2 where responses to one prompt are compared (baseline, scale_rewards)",
      responsesPerPrompt)
    try require(
      "prompts_per_update", promptsPerUpdate * responsesPerPrompt >= 2,
      "at least 2 responses in a round", promptsPerUpdate * responsesPerPrompt)
  }

  private func validateRatio() throws {
    try require("clip", clip == 0 || (1e-6..<1).contains(clip), "0, or a number below 1", clip)
    let none = "0 where clip is 0: there is no ratio"
    for (name, value) in [
      ("clip_higher", clipHigher), ("dual_clip", dualClip), ("ratio_threshold", ratioThreshold),
      ("max_policy_kl", maxPolicyKL),
    ] { try require(name, clip > 0 || value == 0, none, value) }
    for (name, value) in [("dual_clip", dualClip), ("ratio_threshold", ratioThreshold)] {
      try require(
        name, value == 0 || (1.0001...1e6).contains(value),
        "0, or a number from 1.0001 to 1000000", value)
    }
    try require(
      "epochs", clip > 0 || epochs == 1, "1 where clip is 0: a second pass is off its policy",
      epochs)
    try require(
      "loss_reduction", ratioLevel == .token || lossReduction == .sequence,
      "sequence where ratio_level is \(ratioLevel.rawValue)", lossReduction.rawValue)
  }
}

extension PolicyGradientConfiguration {
  /// How scores become rewards.
  var shaping: ScoreShaping {
    ScoreShaping(
      clip: rewardClip, missingEosPenalty: missingEosPenalty, lengthPenalty: lengthPenalty,
      lengthPenaltyFrom: lengthPenaltyFrom)
  }
}
