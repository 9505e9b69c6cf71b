import PlumbRollouts

/// What GPO and rejection sampling have in common: rounds of K responses to each prompt, held against each
/// other by a judge.
public struct JudgedRoundsSettings: InlineSection {
  /// The policy to start from.
  public var policy = ""
  /// The judge: a general preference model, or any other.
  public var judge = JudgeChoice()
  /// Files of prompts.
  public var prompts: [String] = []
  /// Rounds of sampling; each samples from the policy of the round before.
  public var iterations = 6
  /// Prompts in one round.
  public var promptsPerIteration = 32
  /// Responses to each prompt, K.
  public var responses = 4
  /// How responses are sampled.
  public var sampling = SamplingConfiguration()
  /// Passes over the responses of a round.
  public var epochs = 1
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
    for (name, value) in [
      ("iterations", iterations), ("prompts_per_iteration", promptsPerIteration),
      ("epochs", epochs), ("micro_batch_tokens", microBatchTokens),
    ] { try requireCount(name, value) }
  }
}

extension JudgedRoundsSettings {
  /// What a stage reads.
  var inputs: [String] { [policy] + judge.inputs + prompts + watch.inputs }

  /// Policy, judge, watch and prompts.
  func start(_ context: StageContext) throws -> OnPolicyStart {
    try OnPolicyStart(
      context, policy: policy, lora: lora, judge: judge, watch: watch, prompts: prompts,
      sampling: sampling, rounds: iterations)
  }

  /// The rounds of the stage.
  func rounds(_ prompts: [PolicyPrompt]) -> OnPolicySettings {
    OnPolicySettings(
      prompts: prompts, updates: iterations, promptsPerUpdate: promptsPerIteration,
      responsesPerPrompt: responses, sampling: sampling, checkpointEvery: checkpointEvery,
      passes: epochs)
  }
}
