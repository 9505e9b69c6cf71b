import Foundation
import PlumbData
import PlumbModels
import PlumbRollouts

/// Settings of rejection-sampling fine-tuning.
public struct RejectionSamplingConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "rejection-sampling"

  /// The policy to start from.
  public var policy = ""
  /// Whose best responses are learnt: a model, a rule, several judges, or an endpoint.
  public var judge = JudgeChoice()
  /// Files of prompts.
  public var prompts: [String] = []
  /// Rounds of sampling; each samples from the policy of the round before.
  public var iterations = 6
  /// Prompts in one round.
  public var promptsPerIteration = 32
  /// Responses sampled to each prompt, n.
  public var responses = 8
  /// Responses kept of each prompt, the best.
  public var keep = 1
  /// The lowest score that is kept, for judges with scores; the default keeps all.
  public var minScore = -1_000_000.0
  /// Whether prompts whose responses are all equal to the judge are left out: no best one is there to learn.
  public var skipTies = true
  /// How responses are sampled.
  public var sampling = SamplingConfiguration()
  /// Passes over the kept responses of a round.
  public var epochs = 1
  /// Kept responses in one optimizer step.
  public var batchResponses = 16
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192
  /// Rounds between checkpoints.
  public var checkpointEvery = 1
  /// Alarms, tables of samples and saved rollouts.
  public var watch = WatchConfiguration()
  /// The adapter to train in place of all weights.
  public var lora = AdapterConfiguration()
  /// The optimizer; its schedule runs over all optimizer steps.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a stage or a model folder", "nothing")
    try judge.validate("judge")
    try watch.requireHeldOut(from: judge)
    try require("prompts", !prompts.isEmpty, "at least one file", "none")
    try require("responses", (2...1000).contains(responses), "an integer from 2 to 1000", responses)
    try require(
      "keep", (1..<responses).contains(keep),
      "an integer from 1 to \(responses - 1), below responses",
      keep)
    for (name, value) in [
      ("iterations", iterations), ("prompts_per_iteration", promptsPerIteration),
      ("epochs", epochs), ("batch_responses", batchResponses),
      ("micro_batch_tokens", microBatchTokens),
    ] { try requireCount(name, value) }
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

  var inputs: [String] {
    [configuration.policy] + configuration.judge.inputs + configuration.prompts
      + configuration.watch.inputs
  }

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
    let (start, encoder) = try loadPolicy(
      context, configuration.policy, adapter: configuration.lora)
    let judge = try recipeJudge(configuration.judge, context: context, policy: encoder)
    let watch = try RolloutWatch(
      configuration.watch, updates: configuration.iterations, context: context, encoder: encoder)
    let prompts = try policyPrompts(
      context, configuration.prompts, encoder: encoder,
      models: [start.configuration] + judge.readers + watch.readers,
      newTokens: configuration.sampling.maxNewTokens)
    var trainer = RejectionSampler(
      configuration, policy: start, prompts: prompts.count, seed: context.seed, warn: context.warn)
    let watched = try runWatched(
      &trainer,
      settings: OnPolicySettings(
        prompts: prompts, updates: configuration.iterations,
        promptsPerUpdate: configuration.promptsPerIteration,
        responsesPerPrompt: configuration.responses, sampling: configuration.sampling,
        checkpointEvery: configuration.checkpointEvery, passes: configuration.epochs),
      judge: judge.judge, reference: start, encoder: encoder, context: context, watch: watch)
    try trainer.trained.write(to: context.directory, encoder: encoder)
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
