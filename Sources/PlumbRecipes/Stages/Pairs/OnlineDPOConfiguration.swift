public import PlumbObjectives

/// Settings of preference optimization on sampled pairs.
public struct OnlineDPOConfiguration: StageConfiguration, SharingSettings,
  PairReferenceConfiguration
{
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "online-dpo"

  /// What every on-line stage reads.
  public var settings = OnlineTrainingSettings()
  /// The judge that says which response is the best and which the worst.
  public var judge = JudgeChoice()
  /// Rounds of sampling.
  public var updates = 20
  /// Prompts in one round.
  public var promptsPerUpdate = 32
  /// Responses to each prompt, K.
  public var responses = 4
  /// What happens to a prompt whose responses the judge cannot score: `stop` or `skip`.
  public var onBadScore = BadScoreChoice.stop
  /// The loss.
  public var loss = PairLoss.sigmoid
  /// Further losses on the same pairs, with their weights; the main one has weight 1.
  public var extraLosses: [String: Double] = [:]
  /// The inverse strength of the tie to the reference, or the scale of the margin.
  public var beta = 0.1
  /// The assumed share of flipped labels; 0 where the loss does not read it.
  public var labelSmoothing = 0.0
  /// SimPO's target margin, after beta; 0 for other losses.
  public var margin = 0.0
  /// The weight of ORPO's odds ratio; 0 for other losses.
  public var lambda = 0.0
  /// The temperature of DiscoPOP's blend; 0 for other losses.
  public var tau = 0.0
  /// Whether log-ratios are divided by the length of the response.
  public var lengthNormalize = false
  /// The weight of the negative log-probability per token of the best responses.
  public var sftWeight = 0.0
  /// Models to compare the policy with in place of itself, as it was; several are merged.
  public var references: [String] = []
  /// How much each of `references` counts, of any sum; none counts them equally.
  public var referenceWeights: [Double] = []
  /// The weight of the tie to the reference's own answers (BAPO).
  public var anchorWeight = 0.0
  /// The longest of these answers, in tokens.
  public var anchorTokens = 64
  /// Pairs in one optimizer step.
  public var batchPairs = 16
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try settings.validate()
    try judge.validate("judge")
    try require("responses", (2...1000).contains(responses), "an integer from 2 to 1000", responses)
    try settings.watch.requireHeldOut(from: judge, responses: responses)
    for (name, value) in [
      ("updates", updates), ("prompts_per_update", promptsPerUpdate), ("batch_pairs", batchPairs),
      ("micro_batch_tokens", microBatchTokens),
    ] { try requireCount(name, value) }
    try validateLosses()
    try validateReferences()
  }
}
