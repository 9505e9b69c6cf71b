/// Settings of a mixture of reward models.
public struct MaxMinConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "max-min"

  /// What belongs to one cluster as a whole.
  public enum Grouping: String, Codable, Sendable, CaseIterable {
    /// Every source.
    case source
    /// Every annotator of a source, as its rows name them.
    case annotator
    /// Made-up annotators of a source, to whom its prompts are dealt.
    case dealt
  }

  /// The language model that every reward model starts from.
  public var model = ""
  /// The head.
  public var head = RewardHeadChoice.linear
  /// The sources, at least one.
  public var sources: [PreferenceSourceConfiguration] = []
  /// What belongs to one cluster as a whole: `source`, `annotator` or `dealt`.
  public var groupBy = Grouping.source
  /// The key under which rows name their annotator.
  public var groupField = "group"
  /// Made-up annotators of every source, where they are dealt.
  public var annotatorsPerSource = 8
  /// Reward models in the mixture.
  public var clusters = 2
  /// Rounds of expectation and maximisation.
  public var iterations = 10
  /// Passes over a cluster's pairs in one round; the single model gets as many in all.
  public var epochs = 1.0
  /// Pairs in one optimizer step.
  public var batchPairs = 32
  /// Trainings, each with other heads and another order of the pairs.
  public var seeds = 3
  /// The longest prompt plus response, in tokens.
  public var maxLength = 384
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192
  /// Whether rewards are brought to mean 0 and variance 1 on the training responses, so that the minimum
  /// over clusters compares like with like.
  public var normaliseRewards = true
  /// Whether the models are kept, for stages that use them (`models.json` lists them).
  public var keepModels = true
  /// The optimizer, which starts anew in every round.
  public var optimizer = OptimizerConfiguration()

  /// The defaults; the rate is constant, since every round starts from warm weights.
  public init() {
    optimizer.schedule = .constant
    optimizer.warmupFraction = 0
  }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try requireDistinct(sources)
    try require("group_field", !groupField.isEmpty, "a key", "nothing")
    for (name, value) in [
      ("annotators_per_source", annotatorsPerSource), ("clusters", clusters),
      ("iterations", iterations), ("seeds", seeds),
    ] { try require(name, (1...1000).contains(value), "an integer from 1 to 1000", value) }
    try validatePairTraining(
      epochs: epochs, batch: batchPairs, maxLength: maxLength, validations: 0,
      microBatchTokens: microBatchTokens)
  }

  var files: [String] { sources.flatMap(\.files) }

  var training: PairTrainingSettings {
    PairTrainingSettings(
      epochs: epochs, batchPairs: batchPairs, microBatchTokens: microBatchTokens, validations: 0,
      optimizer: optimizer)
  }
}
