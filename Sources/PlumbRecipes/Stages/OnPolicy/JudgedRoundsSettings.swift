import PlumbRollouts

/// What GPO and rejection sampling have in common: rounds of K responses to each prompt, held against each
/// other by a judge.
public struct JudgedRoundsSettings: InlineSection, SharingSettings {
  /// What every on-line stage reads.
  public var settings = OnlineTrainingSettings()
  /// The judge: a general preference model, or any other.
  public var judge = JudgeChoice()
  /// Rounds of sampling; each samples from the policy of the round before.
  public var iterations = 6
  /// Prompts in one round.
  public var promptsPerIteration = 32
  /// Responses to each prompt, K.
  public var responses = 4
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192

  /// The defaults.
  public init() { settings.checkpointEvery = 1 }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try settings.validate()
    try judge.validate("judge")
    try require("responses", (2...1000).contains(responses), "an integer from 2 to 1000", responses)
    try settings.watch.requireHeldOut(from: judge, responses: responses)
    for (name, value) in [
      ("iterations", iterations), ("prompts_per_iteration", promptsPerIteration),
      ("micro_batch_tokens", microBatchTokens),
    ] { try requireCount(name, value) }
  }
}

extension JudgedRoundsSettings {
  /// What a stage reads.
  var inputs: [String] { settings.inputs(judge: judge) }

  /// The models of a stage.
  var models: [ModelUse] { settings.models(judge: judge, responses: responses) }

  /// Policy, judge, watch and prompts.
  func start(_ context: StageContext) throws -> OnPolicyStart {
    try OnPolicyStart(context, settings, judge: judge, rounds: iterations, responses: responses)
  }

  /// The rounds of the stage.
  func rounds(_ prompts: [PolicyPrompt]) -> OnPolicySettings {
    settings.rounds(
      iterations, prompts, promptsPerUpdate: promptsPerIteration, responsesPerPrompt: responses)
  }
}
