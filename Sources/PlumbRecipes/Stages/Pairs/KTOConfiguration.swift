/// Settings of KTO.
public struct KTOConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "kto"

  /// The policy to start from, also the frozen reference.
  public var policy = ""
  /// Files of answers with a verdict: `{prompt, completion, label}`; a pair gives two.
  public var rows: [String] = []
  /// Files of rows whose loss decides which weights are kept; none keeps the last.
  public var validation: [String] = []
  /// The inverse strength of the tie to the reference.
  public var beta = 0.1
  /// The weight of desirable answers.
  public var desirableWeight = 1.0
  /// The weight of undesirable answers.
  public var undesirableWeight = 1.0
  /// What an answer's log-ratio is held against: that of `mismatched` answers of the batch, or `zero`.
  public var baseline = KTOBaseline.mismatched
  /// A folder that keeps reference log-probabilities for other runs; empty for one of this run.
  public var referenceCache = ""
  /// Passes over the rows.
  public var epochs = 1.0
  /// Rows in one optimizer step.
  public var batchRows = 32
  /// The longest prompt plus response, in tokens; longer rows are left out.
  public var maxLength = 384
  /// Validations over the whole training.
  public var validations = 4
  /// Steps between checkpoints.
  public var checkpointEvery = 20
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192
  /// The adapter to train in place of all weights.
  public var lora = AdapterConfiguration()
  /// The optimizer.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a stage or a model folder", "nothing")
    try require("rows", !rows.isEmpty, "at least one file", "none")
    try requirePositive("beta", beta)
    try requirePositive("desirable_weight", desirableWeight)
    try requirePositive("undesirable_weight", undesirableWeight)
    try requireCount("batch_rows", batchRows)
    try require(
      "batch_rows", batchRows > 1 || baseline == .zero,
      "at least 2: the baseline comes from the other answers of a batch", batchRows)
    try validatePairTraining(
      epochs: epochs, batch: batchRows, maxLength: maxLength, validations: validations,
      microBatchTokens: microBatchTokens)
  }
}

/// What KTO holds an answer's log-ratio against.
public enum KTOBaseline: String, Codable, Sendable, CaseIterable {
  /// The mean log-ratio of prompts with other prompts' answers, not below 0 (KTO).
  case mismatched
  /// Nothing (APO-zero on unpaired rows).
  case zero
}
