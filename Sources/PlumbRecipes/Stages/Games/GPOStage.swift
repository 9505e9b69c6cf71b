import Foundation
import PlumbData
import PlumbModels
public import PlumbObjectives
import PlumbRollouts

/// Settings of GPO and of SPPO, its bounded sibling.
public struct GPOConfiguration: StageConfiguration, SharingSettings {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "gpo"

  /// What GPO and rejection sampling have in common.
  public var settings = JudgedRoundsSettings()
  /// Log-odds as they are (GPO) or probabilities (SPPO).
  public var loss = GameLoss.gpo
  /// The responses to each prompt that are learnt from.
  public var trainOn = GameResponses.all
  /// The step size of the game is 1 / beta.
  public var beta = 1.0
  /// The policy that log-ratios are taken to.
  public var reference = GameReference.previous
  /// What stands for log Z in the target.
  public var logPartition = PartitionTerm.zero
  /// Whether a response's own comparison counts in its mean over the K opponents.
  public var includeSelf = true
  /// Whether log-ratios are divided by a power of the response's length (LN-GPO).
  public var lengthNormalize = false
  /// The power of the length.
  public var lengthExponent = 1.0
  /// The largest size of a target log-ratio, in nats; 0 for no bound.
  public var targetBound = 0.0
  /// Prompts in one optimizer step.
  public var batchPrompts = 8

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try settings.validate()
    try requireCount("batch_prompts", batchPrompts)
    try requirePositive("beta", beta)
    try require(
      "target_bound", (0...1e6).contains(targetBound), "a number from 0 to 1000000", targetBound)
    try require(
      "length_exponent", (0...10).contains(lengthExponent), "a number from 0 to 10", lengthExponent)
  }
}

/// What GPO and SPPO differ in: the score of a response against the policy's own samples.
public enum GameLoss: String, Codable, Sendable, CaseIterable {
  /// Mean log-odds, unbounded (arXiv 2410.02197).
  case gpo
  /// Mean probability less one half, at most one half in size (arXiv 2405.00675).
  case sppo
}

/// The responses to a prompt that a game is learnt from; opponents are always all of them.
public enum GameResponses: String, Codable, Sendable, CaseIterable {
  /// All K.
  case all
  /// Those of the highest and of the lowest mean preference, as the published pipelines train.
  case bestWorst = "best-worst"
}

/// The policy that the log-ratios of a game are taken to.
public enum GameReference: String, Codable, Sendable, CaseIterable {
  /// The policy of the round before: steps of a game without an anchor.
  case previous
  /// The policy that the stage started from: the game whose players pay for leaving it.
  case fixed
}

/// General Preference Optimization: policies that play against their own samples; and SPPO.
///
/// The squared loss of arXiv 2410.02197, eq. 5.3, moves log pi / pi_t towards the mean preference score over
/// K sampled opponents, divided by beta.
///
/// Not *Generalized* Preference Optimization (arXiv 2402.05749).
struct GPOStage: Stage {
  let configuration: GPOConfiguration

  static var revision: Int { 2 }

  var inputs: [String] { configuration.settings.inputs }

  static var product: StageProduct { .model(.language) }

  var models: [ModelUse] { configuration.settings.models }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let responses =
      configuration.iterations * configuration.promptsPerIteration * configuration.responses
    return policyPlan(
      "\(configuration.loss.rawValue.uppercased()): \(configuration.iterations) rounds of "
        + "\(configuration.promptsPerIteration) prompts, \(configuration.responses) responses each, "
        + "judged by \(configuration.judge.summary)\(adapterNote(configuration.lora))",
      parameters: try parameterCount(context, model: configuration.policy), responses: responses,
      newTokens: configuration.sampling.maxNewTokens, trainingPasses: configuration.epochs)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let start = try configuration.settings.start(context)
    var trainer = GameTrainer(
      configuration, policy: start.policy, prompts: start.prompts.count, seed: context.seed)
    let watched = try start.train(
      &trainer, settings: configuration.settings.rounds(start.prompts))
    let loss = configuration.loss.rawValue
    return try policyResult(
      context, trainer.trained,
      responses: configuration.promptsPerIteration * configuration.responses,
      metrics: [
        ("loss", "loss (nats²)", "nats²"),
        (
          "\(loss)/score_std",
          configuration.loss == .gpo
            ? "spread of the mean preference (nats)" : "spread of the win probability",
          configuration.loss == .gpo ? "nats" : ""
        ),
        ("objective/scores", "score of the judge", ""),
        ("objective/kl", "KL from the start (nats/response)", "nats/response"),
        ("completions/mean_length", "length (tokens)", "tokens"),
      ], watched: watched)
  }
}

/// The standard deviation over all values; 0 for none.
func standardDeviation(_ values: [Float]) -> Double {
  guard !values.isEmpty else { return 0 }
  let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
  let squares = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
  return (squares / Double(values.count)).squareRoot()
}
