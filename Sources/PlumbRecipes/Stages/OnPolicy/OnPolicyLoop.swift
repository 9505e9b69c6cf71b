import Foundation
import PlumbData
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// What improves a policy on responses that it sampled itself.
protocol OnPolicyLearner {
  /// The policy as it is now, to sample from; may share its weights with the learner.
  var policy: CausalLM { get }
  /// The policy as it is now, with weights of its own, to be written.
  var trained: CausalLM { get }
  /// Why the stage should stop after the last round; nil to go on.
  var stopReason: String? { get }
  /// Whether it learns something of responses that the judge does not tell apart.
  var learnsFromTies: Bool { get }

  /// One round on judged responses.
  ///
  /// - Parameters:
  ///   - buffer: sampled from `policy` and judged; log-probabilities, values and so on may be filled.
  ///   - reference: the frozen policy that the stage started from.
  ///   - update: number of the round, from 1; part of the key of random numbers.
  /// - Returns: the metrics of the round.
  mutating func improve(
    on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
  ) throws -> [String: Double]

  /// Writes everything that a round changes into a folder.
  func save(to folder: URL) throws
  /// Goes on from what `save` wrote.
  mutating func load(from folder: URL) throws
}

extension OnPolicyLearner {
  var stopReason: String? { nil }
  var learnsFromTies: Bool { false }
}

/// What looks at every round of an on-line stage, and may stop it.
protocol RolloutObserver {
  /// Looks at a judged buffer after its round and before the round's metrics are written.
  ///
  /// - Returns: further metrics of the round.
  mutating func observe(_ buffer: RolloutBuffer, update: Int) throws -> [String: Double]
  /// Writes what later rounds depend on into the folder of a checkpoint, under names of its own.
  func save(to folder: URL) throws
  /// Goes on from what `save` wrote.
  mutating func load(from folder: URL) throws
  /// Ends the stage after a round by throwing, where it is told to and something is wrong.
  ///
  /// - Parameters:
  ///   - checkpoint: writes the state after the round; called before it throws.
  ///   - artifacts: writes what the stage would leave behind; called before it throws.
  func stopIfAlarmed(
    after update: Int, checkpoint: (URL) throws -> Void, artifacts: () throws -> Void) throws
}

/// How an on-line stage samples, and how often it saves.
struct OnPolicySettings {
  /// All prompts; a round takes some of them, and every prompt comes once before any comes again.
  var prompts: [PolicyPrompt]
  /// Rounds.
  var updates: Int
  /// Prompts in one round.
  var promptsPerUpdate: Int
  /// Responses to each prompt, K.
  var responsesPerPrompt: Int
  /// How responses are sampled.
  var sampling: SamplingConfiguration
  /// Rounds between checkpoints.
  var checkpointEvery: Int
  /// What happens to a group whose scores or preferences are not finite.
  var onBadScore = BadScoreChoice.stop
  /// Whether scores are brought to mean 0 and variance 1 on samples of the reference.
  var normalizesScores = false
  /// Whether the judge gives a response no score unless it has others to compare it with.
  var needsOpponents = false
}

/// Rounds of an on-line stage: sample, judge, improve, watch, finish the step.
///
/// A stage that is stopped or killed anywhere and resumed ends in the same bytes as one left alone. One
/// that is interrupted while it samples, or whose judge fails, saves the state after the round before;
/// responses that are complete are saved with it, to be judged and not sampled again.
///
/// Beside the metrics of the learner and the watch: `judge/responses` (in the first round with those that
/// scores were normalised on), `judge/skipped_groups` and `judge/flat_groups`. Rounds in which the judge
/// tells no two responses apart are warned of.
/// - Parameters:
///   - learner: what is trained.
///   - settings: how to sample, and how often to save.
///   - judge: fills scores and preferences of every group.
///   - reference: the frozen policy that the stage started from.
///   - encoder: tokenizer and template of the policy.
///   - context: where the stage continues from and reports to.
///   - watch: looks at each round; none where nil.
func runOnPolicy<L: OnPolicyLearner>(
  _ learner: inout L, settings: OnPolicySettings, judge: any Judge, reference: CausalLM,
  encoder: ConversationEncoder, context: StageContext, watch: inout (any RolloutObserver)?
) throws {
  let plan = BatchPlan(
    costs: settings.prompts.map(\.tokens.count), size: .examples(settings.promptsPerUpdate),
    seed: context.seed, dropsRemainder: true)
  var reference = reference
  reference.parameters.isFrozen = true
  var kept: RolloutBuffer?
  var fit: NormalisationFit?
  let first = try context.resume { folder in
    try learner.load(from: folder)
    try watch?.load(from: folder)
    fit = try NormalisationFit.load(from: folder)
    kept = try RolloutCollection.load(from: folder)
  }
  var judge = judge
  if settings.normalizesScores {
    let found =
      try fit
      ?? NormalisationFit(
        judge, reference: reference, settings: settings, encoder: encoder, context: context)
    judge = NormalizedJudge(judge: judge, normalisation: found.normalisation)
    fit = found
  }
  var flatRounds = FlatRounds()
  for update in first..<max(first, settings.updates + 1) {
    let collection = RolloutCollection(
      prompts: plan.examples(ofStep: update).map { settings.prompts[$0] }, settings: settings,
      judge: judge, encoder: encoder, context: context, update: update)
    var (buffer, metrics) = try collection.collect(kept: kept, policy: learner.policy) {
      try save(learner, watch, fit, to: $0)
    }
    kept = nil
    if update == 1, let fit { metrics["judge/responses", default: 0] += Double(fit.responses) }
    if !buffer.groups.isEmpty {
      let flat = buffer.flatShare
      metrics["judge/flat_groups"] = flat
      if flat == 1, !learner.learnsFromTies, flatRounds.isDue(at: update) {
        context.warn(
          "update \(update): the judge tells no two responses to a prompt apart; nothing to learn")
      }
      let found = try learner.improve(on: &buffer, reference: reference, update: update)
      metrics.merge(found) { $1 }
      warnOfNonFinite(metrics, update: update, context)
      metrics.merge(try watch?.observe(buffer, update: update) ?? [:]) { $1 }
    }
    // Copies that share their weights, and are gone before the next round writes them.
    let (current, watching, fitted) = (learner, watch, fit)
    try context.finishStep(
      update, of: settings.updates, metrics: metrics,
      loss: metrics["loss"] ?? metrics["loss/policy_avg"],
      tokens: buffer.groups.reduce(0) { $0 + $1.tokenCount } + Int(metrics["train/tokens"] ?? 0),
      checkpointEvery: settings.checkpointEvery
    ) { try save(current, watching, fitted, to: $0) }
    try watch?.stopIfAlarmed(after: update) {
      try save(learner, watch, fit, to: $0)
    } artifacts: {
      try learner.trained.write(to: context.directory, encoder: encoder)
    }
    if let reason = learner.stopReason {
      try context.checkpoint(update) { try save(learner, watch, fit, to: $0) }
      throw RunError.stopped(stage: context.stage, step: update, reason: reason)
    }
  }
}

/// Says that a round has taught nothing, or less than it seems.
private func warnOfNonFinite(_ metrics: [String: Double], update: Int, _ context: StageContext) {
  let skipped = metrics["skipped_steps"] ?? 0
  if skipped > 0 {
    context.warn(
      "update \(update): \(NumberText.percent(skipped)) of the optimizer steps left out, their gradient "
        + "is not finite; a lower learning rate, or a judge with smaller scores, may help")
  }
  for name in ["loss", "loss/policy_avg"] {
    if let loss = metrics[name], !loss.isFinite {
      context.warn("update \(update): '\(name)' is not finite (\(loss))")
    }
  }
}

private func save(
  _ learner: some OnPolicyLearner, _ watch: (any RolloutObserver)?, _ fit: NormalisationFit?,
  to folder: URL
) throws {
  try learner.save(to: folder)
  try watch?.save(to: folder)
  try fit?.save(to: folder)
}
