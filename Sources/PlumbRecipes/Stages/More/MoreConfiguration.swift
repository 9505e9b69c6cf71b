public import PlumbData
public import PlumbObjectives

/// Settings of reward models from several sources.
public struct MoreConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "more"

  /// A way to make one reward model, or a group of them, from several sources.
  public enum Scheme: String, Codable, Sendable, CaseIterable {
    /// One model per source.
    case top
    /// The mean reward of the single-source models.
    case averaging
    /// One model, the mean loss of all sources.
    case multiTask = "multi-task"
    /// One model, the sources' losses weighted by the minimum norm of the head's gradients.
    case more
  }

  /// The language model that every reward model starts from.
  public var model = ""
  /// The head; the gradients that weights are solved from are those of its last linear layer.
  public var head = RewardHeadChoice.linear
  /// The sources, at least one.
  public var sources: [PreferenceSourceConfiguration] = []
  /// What is trained.
  public var schemes = Scheme.allCases
  /// Trainings of each scheme, each with another head and order of the pairs.
  public var seeds = 3
  /// Pairs of every source in one optimizer step.
  public var batchPairsPerSource = 16
  /// How rows get into a batch: `equal` shares, or `pooled` (MORE's "no resampling").
  public var sampling = SourceMixture.Sampling.equal
  /// Pairs that an epoch draws of every source; 0 for as many as the largest has.
  ///
  /// Smaller sources are gone through more often.
  public var pairsPerSource = 0
  /// The share of the newest gradient in the running mean, `m = (1 − alpha)·m + alpha·g`.
  public var alpha = 0.99
  /// What each gradient is divided by: `l2`, `loss`, `loss+` or `none`.
  public var normalisation = SourceBalance.Normalisation.l2
  /// `wolfe` (exact) or `frank-wolfe` (the published iteration).
  public var solver = SourceBalance.Solver.wolfe
  /// Passes over the pairs.
  public var epochs = 1.0
  /// The longest prompt plus response, in tokens.
  public var maxLength = 384
  /// Test pairs of each source; 0 for all.
  public var maxTestPairs = 0
  /// Validations over each training; 0 keeps the last weights.
  public var validations = 0
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192
  /// Whether the models are kept, for stages that use them (`models.json` lists them).
  public var keepModels = true
  /// The optimizer.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try requireDistinct(sources)
    try require("schemes", !schemes.isEmpty, "at least one scheme", "none")
    try require("alpha", (1e-6...1).contains(alpha), "a number above 0, at most 1", alpha)
    try require("seeds", (1...1000).contains(seeds), "an integer from 1 to 1000", seeds)
    try requireCount("batch_pairs_per_source", batchPairsPerSource)
    for (name, value) in [("pairs_per_source", pairsPerSource), ("max_test_pairs", maxTestPairs)] {
      try require(name, (0...10_000_000).contains(value), "an integer of at least 0", value)
    }
    try validatePairTraining(
      epochs: epochs, batch: batchPairsPerSource, maxLength: maxLength, validations: validations,
      microBatchTokens: microBatchTokens)
  }

  var files: [String] { sources.flatMap(\.files) }

  var training: PairTrainingSettings {
    PairTrainingSettings(
      epochs: epochs, batchPairs: batchPairsPerSource, microBatchTokens: microBatchTokens,
      validations: validations, optimizer: optimizer)
  }
}
