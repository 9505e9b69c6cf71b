import Foundation
import PlumbModels
import PlumbObjectives
import PlumbRollouts
import PlumbTensors

/// What learns from the best and the worst of K sampled responses.
struct OnlineDPOLearner: OnPolicyLearner {
  private let configuration: OnlineDPOConfiguration
  private let step: PairStep
  private let seed: UInt64
  private var optimizer: PolicyOptimizer

  var policy: CausalLM { optimizer.policy }
  var trained: CausalLM { optimizer.policy }

  init(_ configuration: OnlineDPOConfiguration, policy: CausalLM, seed: UInt64) {
    self.configuration = configuration
    self.seed = seed
    step = PairStep(
      settings: configuration.lossSettings, microBatchTokens: configuration.microBatchTokens,
      temperature: Float(configuration.sampling.temperature))
    optimizer = PolicyOptimizer(
      policy, settings: configuration.optimizer,
      steps: configuration.updates * configuration.epochs * Self.slots(configuration))
  }

  /// Optimizer steps of one pass where every prompt gives a pair.
  private static func slots(_ configuration: OnlineDPOConfiguration) -> Int {
    (configuration.promptsPerUpdate + configuration.batchPairs - 1) / configuration.batchPairs
  }

  /// Pairs the best with the worst response of each group and takes optimizer steps on them.
  ///
  /// A group without a best and a worst one (a tie, or the same tokens) gives no pair; where none does,
  /// nothing is learnt in the round. Metrics beside those of `PairStep`, means over the round:
  /// `pairs/count`, `pairs/skipped` (the share of groups without a pair), `objective/scores_margin`
  /// (best less worst, in the judge's scores, where it has scores).
  mutating func improve(
    on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
  ) throws -> [String: Double] {
    buffer.fillReferenceLogprobs(model: reference)
    var metrics = buffer.statistics()
    let chosen = try buffer.bestAndWorst()
    metrics["pairs/count"] = Double(chosen.count)
    metrics["pairs/skipped"] = 1 - Double(chosen.count) / Double(max(1, buffer.groups.count))
    let margins = chosen.compactMap { pair in
      buffer[pair.best].score.flatMap { best in buffer[pair.worst].score.map { best - $0 } }
    }
    if !margins.isEmpty, margins.count == chosen.count {
      metrics["objective/scores_margin"] =
        margins.reduce(0.0) { $0 + Double($1) } / Double(margins.count)
    }
    let pairs = chosen.map { PolicyPair($0, of: buffer) }
    var mean = StatisticsMean()
    var work = TrainingWork()
    for pass in 0..<configuration.epochs {
      var stream = RandomStream(
        seed: seed, purpose: "online-dpo/minibatches", step: update, row: pass)
      let order = stream.permutation(pairs.count)
      for (number, start) in stride(from: 0, to: order.count, by: configuration.batchPairs)
        .enumerated()
      {
        let numbers = order[start..<min(order.count, start + configuration.batchPairs)]
        let batch = numbers.map { pairs[$0] }
        // By place, not by steps taken: skipped pairs must not stretch the schedule.
        let place = (update - 1) * configuration.epochs + pass
        mean.add(
          move(batch, at: place * Self.slots(configuration) + number), count: batch.count)
        work.count(
          numbers.reduce(0) {
            $0 + buffer[chosen[$1].best].tokens.count + buffer[chosen[$1].worst].tokens.count
          })
      }
    }
    return metrics.merging(mean.means) { $1 }.merging(work.metrics) { $1 }
  }

  /// One optimizer step.
  private mutating func move(_ batch: [PolicyPair], at place: Int) -> [String: Double] {
    let step = step
    return optimizer.step(at: place) { policy, gradients in
      step.accumulate(batch, model: policy, gradients: &gradients).statistics
    }
  }

  func save(to folder: URL) throws { try optimizer.save(to: folder) }
  mutating func load(from folder: URL) throws { try optimizer.load(from: folder) }
}
