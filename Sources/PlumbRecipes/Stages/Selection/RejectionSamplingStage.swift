import Foundation
import PlumbData
import PlumbModels
import PlumbRollouts

/// Settings of rejection-sampling fine-tuning.
public struct RejectionSamplingConfiguration: StageConfiguration, SharingSettings {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "rejection-sampling"

  /// What GPO and rejection sampling have in common.
  public var settings = JudgedRoundsSettings()
  /// Responses kept of each prompt, the best.
  public var keep = 1
  /// The lowest score that is kept, for judges with scores; the default keeps all.
  public var minScore = -1_000_000.0
  /// Whether prompts whose responses are all equal to the judge are left out: no best one is there to learn.
  public var skipTies = true
  /// Kept responses in one optimizer step.
  public var batchResponses = 16

  /// The defaults.
  public init() { settings.responses = 8 }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try settings.validate()
    try require(
      "keep", (1..<settings.responses).contains(keep),
      "an integer from 1 to \(settings.responses - 1), below responses",
      keep)
    try requireCount("batch_responses", batchResponses)
    try require(
      "min_score", (-1e6...1e6).contains(minScore), "a number from -1000000 to 1000000", minScore)
  }
}

/// Fine-tunes a policy on the best of its own responses, round after round.
///
/// Best-of-n fine-tuning, RAFT (Dong et al. 2023, arXiv 2304.06767, algorithm 1): sample n responses to each
/// prompt, keep the best by a judge, maximise their likelihood.
struct RejectionSamplingStage: Stage {
  let configuration: RejectionSamplingConfiguration

  var inputs: [String] { configuration.settings.inputs }

  static var product: StageProduct { .model(.language) }

  var models: [ModelUse] { configuration.settings.models }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let prompts = configuration.iterations * configuration.promptsPerIteration
    return policyPlan(
      "\(configuration.iterations) rounds of \(configuration.promptsPerIteration) prompts, the best "
        + "\(configuration.keep) of \(configuration.responses) responses by "
        + "\(configuration.judge.summary)\(adapterNote(configuration.lora))",
      parameters: try parameterCount(context, model: configuration.policy),
      responses: prompts * configuration.responses, newTokens: configuration.sampling.maxNewTokens,
      trainingPasses: configuration.epochs * configuration.keep / configuration.responses)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let start = try configuration.settings.start(context)
    var trainer = RejectionSampler(
      configuration, policy: start.policy, prompts: start.prompts.count, seed: context.seed,
      warn: context.warn)
    let watched = try start.train(
      &trainer, settings: configuration.settings.rounds(start.prompts))
    return try policyResult(
      context, trainer.trained,
      responses: configuration.promptsPerIteration * configuration.responses,
      metrics: [
        ("loss", "loss on the kept responses (nats/token)", "nats/token"),
        ("objective/scores", "score of all responses", ""),
        ("rejection/kept_score", "score of the kept responses", ""),
        ("objective/kl", "KL from the start (nats/response)", "nats/response"),
        ("completions/mean_length", "length (tokens)", "tokens"),
      ], watched: watched)
  }
}
