import PlumbObjectives
import PlumbRollouts

/// A policy-gradient method without a critic: a name and what its settings are unless a recipe says
/// otherwise.
///
/// All methods are one trainer, which estimates advantages from the rewards of whole responses; they
/// differ in defaults alone.
public protocol PolicyGradientMethod: Sendable {
  /// The name of its stages in a recipe, under `kind:`.
  static var kind: String { get }
  /// In a few words, for plans.
  static var title: String { get }
  /// What its settings are.
  static var defaults: PolicyGradientDefaults { get }
}

/// The settings in which the methods differ.
public struct PolicyGradientDefaults: Sendable {
  var promptsPerUpdate = 16
  var responsesPerPrompt = 4
  var minibatches = 1
  var klCoefficient = 0.05
  var klIn = KLPlace.reward
  var klEstimator = KLEstimator.k1
  var klGradient = KLGradient.unbiased
  var baseline = AdvantageBaseline.group
  var scaleRewards = AdvantageScale.none
  var clip = 0.2
  var ratioLevel = RatioLevel.sequence
  var lossReduction = LossReduction.sequence
}

/// Group relative policy optimization.
///
/// Shao et al. 2024, "DeepSeekMath", arXiv 2402.03300, §4.1. The rewards of a prompt's responses, standardised within the group, are the advantage of every
/// token; the divergence is a term of the loss, k3 with its own gradient.
public enum GRPO: PolicyGradientMethod {
  /// `grpo`.
  public static let kind = "grpo"
  /// In a few words.
  public static let title = "group relative policy optimization"
  /// What its settings are unless a recipe says otherwise.
  public static let defaults = PolicyGradientDefaults(
    promptsPerUpdate: 8, responsesPerPrompt: 8, klCoefficient: 0.04, klIn: .loss, klEstimator: .k3,
    klGradient: .automatic, baseline: .group, scaleRewards: .group, ratioLevel: .token,
    lossReduction: .sequence)
}

/// REINFORCE with a leave-one-out baseline.
///
/// Ahmadian et al. 2024, arXiv 2402.14740. As TRL has it: the divergence is taken off the reward, and the ratio of whole responses is clipped.
public enum RLOO: PolicyGradientMethod {
  /// `rloo`.
  public static let kind = "rloo"
  /// In a few words.
  public static let title = "REINFORCE, leave-one-out"
  /// What its settings are unless a recipe says otherwise.
  public static let defaults = PolicyGradientDefaults(baseline: .leaveOneOut)
}

/// REINFORCE with the mean reward of the round as its baseline.
///
/// Williams 1992. With `normalize_advantages: true` the advantages of a round have mean 0 and variance 1, as in
/// REINFORCE++ (Hu 2025, arXiv 2501.03262).
public enum REINFORCE: PolicyGradientMethod {
  /// `reinforce`.
  public static let kind = "reinforce"
  /// In a few words.
  public static let title = "REINFORCE"
  /// What its settings are unless a recipe says otherwise.
  public static let defaults = PolicyGradientDefaults(
    promptsPerUpdate: 64, responsesPerPrompt: 1, baseline: .batch, clip: 0)
}

/// Whose probability the ratio to the policy that sampled is taken of.
public enum RatioLevel: String, Codable, Sendable, CaseIterable {
  /// Each token's.
  case token
  /// The response's: the product over its tokens.
  case sequence
  /// The geometric mean over the tokens of a response, as GSPO (arXiv 2507.18071).
  case sequenceMean = "sequence-mean"
}

/// How the losses of tokens become one.
public enum LossReduction: String, Codable, Sendable, CaseIterable {
  /// The mean over all tokens of a minibatch.
  case token
  /// The mean over responses of the mean over their tokens; of a ratio of sequences, the mean.
  case sequence
  /// The sum over tokens, divided by responses and the longest response ("Dr. GRPO", arXiv
  /// 2503.20783).
  case constant
}

/// What happens to prompts whose responses all have an advantage of 0.
public enum ZeroAdvantageChoice: String, Codable, Sendable, CaseIterable {
  /// They stay: their tokens count in means, and in the divergence where that is in the loss.
  case keep
  /// They are left out of the round's minibatches (DAPO's filter, arXiv 2503.14476, §3.2, without its
  /// resampling).
  case skip
}
