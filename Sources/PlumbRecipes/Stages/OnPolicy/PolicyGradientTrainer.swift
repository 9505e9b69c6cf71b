import Foundation
public import PlumbModels
import PlumbObjectives
public import PlumbRollouts
import PlumbTensors

/// A policy that learns from the rewards of whole responses: GRPO, RLOO or REINFORCE.
///
/// Reads sampled and scored rollouts and nothing else, so that it serves a recipe as well as a program
/// of one's own.
///
/// ```swift
/// var trainer = PolicyGradientTrainer<GRPO>(configuration, policy: policy, seed: 1)
/// for update in 1...20 {
///   var buffer = try RolloutBuffer.sample(policy: trainer.policy, …)   // and scores of each response
///   let metrics = try trainer.improve(on: &buffer, reference: policy, update: update)
/// }
/// ```
public struct PolicyGradientTrainer<Method: PolicyGradientMethod> {
  let configuration: PolicyGradientConfiguration<Method>
  let seed: UInt64
  /// The policy as it is now, to sample from.
  public internal(set) var policy: CausalLM
  /// Why the stage should stop after the last round: the ratio left its range.
  public private(set) var stopReason: String?
  var learner: BlockLearner

  /// Starts from a policy.
  ///
  /// - Parameters:
  ///   - configuration: the settings; file names are not read.
  ///   - policy: the policy to improve.
  ///   - seed: of the order of the minibatches.
  public init(
    _ configuration: PolicyGradientConfiguration<Method>, policy: CausalLM, seed: UInt64
  ) {
    self.configuration = configuration
    self.seed = seed
    self.policy = policy
    self.policy.checkpointsLayers = configuration.optimizer.gradientCheckpointing
    learner = BlockLearner(
      policy.parameters.trainable, settings: configuration.optimizer,
      steps: configuration.updates * configuration.epochs * configuration.minibatches)
  }

  /// One round: rewards, advantages, and the updates over all minibatches.
  ///
  /// Fills log-probabilities and advantages of the buffer.
  /// - Parameters:
  ///   - buffer: sampled from `policy`, every response with a score.
  ///   - reference: the frozen reference policy.
  ///   - update: number of the round, part of the key of the random numbers.
  /// - Returns: the metrics of the round; see `Documentation/Stages/grpo.md`.
  /// - Throws: `RolloutError` if the buffer says that it was sampled with a filter or greedily, if a score is
  ///   missing, or if the first ratio is not 1. Log-probabilities are filled from `policy` before the ratio is
  ///   taken, so it holds training to that pass, and does not find responses of another policy.
  public mutating func improve(
    on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
  ) throws -> [String: Double] {
    try buffer.requireUnfiltered()
    let scores = try configuration.settings.shaping.rewards(of: buffer)
    let all = cut(buffer, chosen: nil, pass: 0, update: update)
    let packing = all.flatMap(\.parts)
    var metrics = ["entropy": fillLogprobs(&buffer, packing: packing)]
    buffer.fillReferenceLogprobs(model: reference, batches: packing)
    metrics.merge(buffer.statistics(estimator: configuration.klEstimator)) { $1 }
    let (found, taught) = fillAdvantages(&buffer, scores: scores)
    metrics.merge(found) { $1 }

    let isWhole = taught.count == buffer.responseCount
    let passes = (0..<configuration.epochs).map { pass in
      pass == 0 && isWhole ? all : cut(buffer, chosen: taught, pass: pass, update: update)
    }
    if !isWhole, !taught.isEmpty {
      // What is left out changes the packing, in which log-probabilities must be made for a ratio of
      // exactly 1.
      _ = fillLogprobs(&buffer, packing: passes[0].flatMap(\.parts))
    }
    let passing = PolicyPasses(
      ratio: configuration.settings.ratioGuard, maxPolicyKL: configuration.maxPolicyKL)
    let filled = buffer
    let steps = try passing.run(passes, update: update) { minibatch, isFirst in
      try step(filled, minibatch, isFirst: isFirst)
    }
    stopReason = steps.stopReason
    return metrics.merging(steps.metrics) { $1 }
  }

  /// The minibatches of a pass.
  private func cut(
    _ buffer: RolloutBuffer, chosen: [ResponsePlace]?, pass: Int, update: Int
  ) -> [Minibatch] {
    var stream = RandomStream(
      seed: seed, purpose: "\(Method.kind)/minibatches", step: update, row: pass)
    return buffer.minibatches(
      chosen, count: configuration.minibatches, tokenBudget: configuration.microBatchTokens,
      stream: &stream, keepsGroups: true)
  }

  /// Behaviour log-probabilities in the packing of training; the mean entropy over response tokens.
  private func fillLogprobs(_ buffer: inout RolloutBuffer, packing: [[ResponsePlace]]) -> Double {
    var frozen = policy
    frozen.parameters = policy.parameters.frozen
    var entropy = 0.0
    var tokens = 0
    for places in packing {
      let batch = buffer.batch(places)
      let (logprobs, entropies) = batch.logprobs(
        model: frozen, temperature: buffer.logprobTemperature, withEntropy: true)
      buffer.set(.behaviourLogprobs, to: logprobs.scalars, in: batch)
      entropy += entropies.reduce(0.0) { $0 + Double($1) }
      tokens += entropies.count
    }
    return entropy / Double(max(1, tokens))
  }

  /// Rewards and advantages of every response, the same for all of its tokens.
  ///
  /// - Returns: metrics, and the responses that teach something.
  private func fillAdvantages(
    _ buffer: inout RolloutBuffer, scores: [Float]
  ) -> (metrics: [String: Double], taught: [ResponsePlace]) {
    var rest = scores[...]
    let rewards = buffer.groups.map { group in
      group.responses.map { response in
        let score = rest.removeFirst()
        guard configuration.klIn == .reward, configuration.klCoefficient > 0 else { return score }
        let divergence = zip(response.behaviourLogprobs, response.referenceLogprobs)
          .reduce(0.0) { $0 + Double(configuration.klEstimator($1.0 - $1.1)) }
        return score - Float(configuration.klCoefficient * divergence)
      }
    }
    var advantages = responseAdvantages(
      rewards, baseline: configuration.baseline, scale: configuration.scaleRewards)
    if configuration.normalizeAdvantages { advantages = whitened(advantages, keepingMean: false) }
    var taught: [ResponsePlace] = []
    for (group, values) in advantages.enumerated() {
      for (number, value) in values.enumerated() {
        let count = buffer.groups[group].responses[number].tokens.count
        buffer.groups[group].responses[number].advantages = [Float](repeating: value, count: count)
      }
      if configuration.onZeroAdvantage == .keep || values.contains(where: { $0 != 0 }) {
        taught += values.indices.map { ResponsePlace(group: group, response: $0) }
      }
    }
    let deviations = rewards.map { rewardDeviation($0) }
    let groups = Double(rewards.count)
    let flat = rewards.joined()
    return (
      [
        "reward": flat.reduce(0.0) { $0 + Double($1) } / Double(max(1, flat.count)),
        "reward_std": deviations.reduce(0, +) / groups,
        "frac_reward_zero_std": Double(deviations.count { $0 < 1e-8 }) / groups,
        "policy/skipped_prompts": groups - Double(Set(taught.map(\.group)).count),
      ], taught
    )
  }
}
