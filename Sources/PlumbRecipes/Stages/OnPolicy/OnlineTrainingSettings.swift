import PlumbRollouts

/// What every stage has that samples from its policy and trains it, round after round.
public struct OnlineTrainingSettings: InlineSection {
  /// The policy to start from, also the frozen reference.
  public var policy = ""
  /// Files of prompts.
  public var prompts: [String] = []
  /// How responses are sampled.
  public var sampling = SamplingConfiguration()
  /// Passes over the responses of a round.
  public var epochs = 1
  /// Rounds between checkpoints.
  public var checkpointEvery = 5
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
    try require("prompts", !prompts.isEmpty, "at least one file", "none")
    try requireCount("epochs", epochs)
  }
}

extension OnlineTrainingSettings {
  /// What a stage reads whose responses go to `judge`.
  func inputs(judge: JudgeChoice) -> [String] { [policy] + judge.inputs + prompts + watch.inputs }

  /// The models of a stage with K responses to a prompt.
  ///
  /// - Parameter needsScores: whether it learns from one number per response.
  func models(judge: JudgeChoice, responses: Int, needsScores: Bool = false) -> [ModelUse] {
    [ModelUse(policy, as: .policy)] + judge.models(scores: needsScores ? .training : nil)
      + watch.heldOut.models(scores: responses < 2 ? .heldOut : nil)
  }

  /// The rounds of a stage.
  func rounds(
    _ updates: Int, _ prompts: [PolicyPrompt], promptsPerUpdate: Int, responsesPerPrompt: Int,
    onBadScore: BadScoreChoice = .stop
  ) -> OnPolicySettings {
    OnPolicySettings(
      prompts: prompts, updates: updates, promptsPerUpdate: promptsPerUpdate,
      responsesPerPrompt: responsesPerPrompt, sampling: sampling,
      checkpointEvery: checkpointEvery, onBadScore: onBadScore)
  }
}
