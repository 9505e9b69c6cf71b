import PlumbObjectives
public import PlumbRollouts

/// Settings of a policy-gradient method without a critic.
public struct PolicyGradientConfiguration<Method: PolicyGradientMethod>:
  StageConfiguration, SharingSettings
{
  /// The name of these stages in a recipe, under `kind:`.
  public static var kind: String { Method.kind }

  /// What PPO and the policy-gradient methods without a critic have in common.
  public var settings = PolicyGradientSettings()
  /// What is taken off a reward to become an advantage.
  public var baseline = Method.defaults.baseline
  /// What an advantage is divided by.
  public var scaleRewards = Method.defaults.scaleRewards
  /// Whether advantages are brought to mean 0 and variance 1 over the responses of a round.
  public var normalizeAdvantages = false
  /// What happens to prompts whose responses all have an advantage of 0.
  public var onZeroAdvantage = ZeroAdvantageChoice.keep
  /// Whose probability the ratio is taken of.
  public var ratioLevel = Method.defaults.ratioLevel
  /// How the losses of tokens become one.
  public var lossReduction = Method.defaults.lossReduction

  /// The defaults of the method.
  public init() {
    let defaults = Method.defaults
    settings.promptsPerUpdate = defaults.promptsPerUpdate
    settings.responsesPerPrompt = defaults.responsesPerPrompt
    settings.minibatches = defaults.minibatches
    settings.klCoefficient = defaults.klCoefficient
    settings.klIn = defaults.klIn
    settings.klEstimator = defaults.klEstimator
    settings.klGradient = defaults.klGradient
    settings.clip = defaults.clip
  }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try settings.validate()
    // A prompt's responses stay together.
    try require(
      "minibatches", settings.minibatches <= settings.promptsPerUpdate,
      "at most one per prompt (\(settings.promptsPerUpdate))", settings.minibatches)
    try validateAdvantages()
    try validateRatio()
  }

  private func validateAdvantages() throws {
    let needsGroups = baseline.needsGroups || scaleRewards == .group
    try require(
      "responses_per_prompt", settings.responsesPerPrompt >= (needsGroups ? 2 : 1),
      "at least 2 where responses to one prompt are compared (baseline, scale_rewards)",
      settings.responsesPerPrompt)
    try require(
      "prompts_per_update", settings.promptsPerUpdate * settings.responsesPerPrompt >= 2,
      "at least 2 responses in a round", settings.promptsPerUpdate * settings.responsesPerPrompt)
  }

  private func validateRatio() throws {
    try require(
      "clip", settings.clip == 0 || (1e-6..<1).contains(settings.clip), "0, or a number below 1",
      settings.clip)
    let none = "0 where clip is 0: there is no ratio"
    for (name, value) in [
      ("clip_higher", settings.clipHigher), ("dual_clip", settings.dualClip),
      ("ratio_threshold", settings.ratioThreshold),
      ("max_policy_kl", settings.maxPolicyKL),
    ] { try require(name, settings.clip > 0 || value == 0, none, value) }
    try require(
      "epochs", settings.clip > 0 || settings.epochs == 1,
      "1 where clip is 0: a second pass is off its policy",
      settings.epochs)
    try require(
      "loss_reduction", ratioLevel == .token || lossReduction == .sequence,
      "sequence where ratio_level is \(ratioLevel.rawValue)", lossReduction.rawValue)
  }
}
