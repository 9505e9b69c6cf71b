/// Settings of the watch over an on-line stage: alarms, sample tables, saved rollouts.
///
/// The limits' reasons and sources are in Documentation/Watching.md. A limit of 0 switches its monitor
/// off, but for `min_agreement`, where -1 does.
public struct WatchConfiguration: ConfigurationSection {
  /// Whether an alarm only warns, or stops the run as well, with checkpoint and artifacts kept.
  public var onAlarm = AlarmAction.warn
  /// Rounds at the start whose mean the later ones are held against.
  public var baselineUpdates = 3
  /// The greatest mean length, as a multiple of that at the start.
  public var maxLengthGrowth = 2.0
  /// The greatest share of responses that the limit of new tokens cuts.
  public var maxClipped = 0.5
  /// The least share of distinct bigrams, as a multiple of that at the start.
  public var minDistinct = 0.5
  /// The greatest share of responses that are caught in a loop.
  public var maxLooping = 0.1
  /// The greatest KL from the reference, in nats per response: the run's budget.
  public var maxKL = 50.0
  /// The least entropy, as a multiple of that at the start.
  public var minEntropy = 0.25
  /// A judge that trains nothing, to hold the training judge against; may be empty.
  public var heldOut = JudgeChoice()
  /// Rounds between two looks of the held-out judge; the rounds of the start and the last are judged too.
  public var heldOutEvery = 5
  /// How much more the training score may have risen than the held-out score, in standard deviations at
  /// the start.
  public var maxDivergence = 1.0
  /// The least rank correlation of training and held-out scores.
  public var minAgreement = 0.0
  /// Rounds between tables of samples, besides those of the first and the last; 0 for none at all.
  public var samplesEvery = 10
  /// Prompts in a table of samples.
  public var samplePrompts = 4
  /// Rounds between saved rollout buffers; 0 for none.
  public var saveRolloutsEvery = 0

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try requireCount("baseline_updates", baselineUpdates)
    try requireCount("held_out_every", heldOutEvery)
    for (name, value) in [
      ("max_length_growth", maxLengthGrowth), ("max_kl", maxKL), ("max_divergence", maxDivergence),
    ] { try require(name, (0...1e6).contains(value), "a number from 0 to 1000000", value) }
    for (name, value) in [
      ("max_clipped", maxClipped), ("min_distinct", minDistinct), ("max_looping", maxLooping),
      ("min_entropy", minEntropy),
    ] { try require(name, (0...1).contains(value), "a number from 0 to 1", value) }
    if !heldOut.isEmpty {
      try heldOut.validate("held_out")
      try require(
        "held_out", heldOut.handling.onFailure == .stop,
        "on_failure: stop, since every response is compared", "skip")
    }
    try require(
      "min_agreement", (-1...1).contains(minAgreement), "a number from -1 to 1", minAgreement)
    for (name, value) in [
      ("samples_every", samplesEvery), ("sample_prompts", samplePrompts),
      ("save_rollouts_every", saveRolloutsEvery),
    ] { try require(name, (0...1_000_000).contains(value), "an integer from 0 to 1000000", value) }
  }

  /// What the watch reads: the held-out judge, if there is one.
  var inputs: [String] { heldOut.isEmpty ? [] : heldOut.inputs }

  /// Refuses a held-out judge that is the training judge, or made of the same models, or that compares the
  /// responses to a prompt where there is one.
  ///
  /// - Parameters:
  ///   - judge: what the stage trains on.
  ///   - responses: to each prompt, K.
  func requireHeldOut(from judge: JudgeChoice, responses: Int) throws {
    try require(
      "watch.held_out",
      heldOut.isEmpty || (heldOut != judge && Set(heldOut.inputs).isDisjoint(with: judge.inputs)),
      "a judge that the stage does not train on", heldOut.summary)
    try require(
      "watch.held_out", responses >= 2 || !heldOut.needsOpponents,
      "no preference_reward where the stage samples one response to a prompt: it has no others",
      heldOut.summary)
  }
}

/// What an alarm does.
public enum AlarmAction: String, Codable, Sendable, CaseIterable {
  /// The run goes on.
  case warn
  /// The run stops after the round, which is saved.
  case stop
}
