import Foundation
import PlumbModels
import PlumbObjectives
import PlumbRollouts
import PlumbTensors

/// A policy that learns the best of its own responses by heart.
struct RejectionSampler: OnPolicyLearner {
  private let configuration: RejectionSamplingConfiguration
  private let seed: UInt64
  private let warn: (String) -> Void
  private var optimizer: PolicyOptimizer

  /// Starts from a policy.
  ///
  /// - Parameters:
  ///   - configuration: the settings; file names are not read.
  ///   - policy: the policy to improve.
  ///   - prompts: how many there are; with fewer than a round takes, a round has fewer steps.
  ///   - seed: of the order of the minibatches.
  ///   - warn: told of rounds that keep nothing.
  init(
    _ configuration: RejectionSamplingConfiguration, policy: CausalLM, prompts: Int, seed: UInt64,
    warn: @escaping (String) -> Void
  ) {
    self.configuration = configuration
    self.seed = seed
    self.warn = warn
    let kept = min(prompts, configuration.promptsPerIteration) * configuration.keep
    let batches = (kept + configuration.batchResponses - 1) / configuration.batchResponses
    optimizer = PolicyOptimizer(
      policy, settings: configuration.optimizer,
      steps: configuration.iterations * configuration.epochs * batches)
  }

  var policy: CausalLM { optimizer.policy }
  var trained: CausalLM { optimizer.policy }
  var learnsFromTies: Bool { !configuration.skipTies }

  /// One round: choose, then cross-entropy on what was chosen.
  mutating func improve(
    on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
  ) throws -> [String: Double] {
    buffer.recomputeLogprobs(policy: policy)
    buffer.fillReferenceLogprobs(model: reference)
    var metrics = buffer.statistics()
    let best = try BestResponses(
      buffer, keep: configuration.keep, minScore: configuration.minScore,
      skipsTies: configuration.skipTies)
    metrics.merge(best.statistics) { $1 }
    // Where all tie and ties teach nothing, the loop has said so.
    if best.places.isEmpty, learnsFromTies || best.statistics["rejection/flat_groups"] != 1 {
      warn("update \(update): no response is good enough to be kept (min_score); nothing to learn")
    }
    var mean = StatisticsMean()
    var work = TrainingWork()
    for pass in 0..<configuration.epochs {
      var stream = RandomStream(
        seed: seed, purpose: "rejection-sampling/minibatches", step: update, row: pass)
      let places = stream.permutation(best.places.count).map { best.places[$0] }
      for start in stride(from: 0, to: places.count, by: configuration.batchResponses) {
        let chosen = Array(places[start..<min(places.count, start + configuration.batchResponses)])
        mean.add(step(on: chosen, of: buffer), count: 1)
        work.count(chosen.reduce(0) { $0 + buffer[$1].tokens.count })
      }
    }
    metrics.merge(mean.means) { $1 }
    metrics.merge(work.metrics) { $1 }
    return metrics
  }

  /// One optimizer step: the mean over all tokens of the batch, however it is cut.
  private mutating func step(
    on places: [ResponsePlace], of buffer: RolloutBuffer
  ) -> [String: Double] {
    let budget = configuration.microBatchTokens
    return optimizer.step { policy, gradients in
      let count = places.reduce(0) { $0 + buffer[$1].tokens.count }
      var mean = StatisticsMean()
      for run in buffer.microBatches(places.map { [$0] }, tokenBudget: budget) {
        // Temperature 1: the policy that is written is to answer by itself, however it was sampled.
        let objective = sft(
          logprobs: buffer.batch(run).logprobs(model: policy).logprobs, batchCount: count)
        gradients.accumulate(objective.loss)
        mean.add(objective)
      }
      return ["loss": mean.means["nll"] ?? .nan]
    }
  }

  func save(to folder: URL) throws { try optimizer.save(to: folder) }
  mutating func load(from folder: URL) throws { try optimizer.load(from: folder) }
}
