import Foundation
import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbRollouts
import PlumbTensors

/// What learns from the best and the worst of K sampled responses.
struct OnlineDPOLearner: OnPolicyLearner {
  private(set) var policy: CausalLM
  private let configuration: OnlineDPOConfiguration
  private let step: PairStep
  private let seed: UInt64
  private let rates: LearningRates
  private var optimizer: AdamW
  private var gradients: GradientBlock

  var trained: CausalLM { policy }

  init(_ configuration: OnlineDPOConfiguration, policy: CausalLM, seed: UInt64) {
    self.configuration = configuration
    self.seed = seed
    self.policy = policy
    self.policy.checkpointsLayers = configuration.optimizer.gradientCheckpointing
    step = PairStep(
      settings: configuration.lossSettings, microBatchTokens: configuration.microBatchTokens,
      temperature: Float(configuration.sampling.temperature))
    optimizer = AdamW(configuration.optimizer.adamW, for: policy.parameters.trainable)
    gradients = GradientBlock(for: policy.parameters.trainable)
    rates = configuration.optimizer.learningRates(
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
    for pass in 0..<configuration.epochs {
      var stream = RandomStream(
        seed: seed, purpose: "online-dpo/minibatches", step: update, row: pass)
      let order = stream.permutation(pairs.count)
      for (number, start) in stride(from: 0, to: order.count, by: configuration.batchPairs)
        .enumerated()
      {
        let batch = order[start..<min(order.count, start + configuration.batchPairs)].map {
          pairs[$0]
        }
        // By place, not by steps taken: skipped pairs must not stretch the schedule.
        let place = (update - 1) * configuration.epochs + pass
        mean.add(
          move(batch, done: place * Self.slots(configuration) + number), count: batch.count)
      }
    }
    return metrics.merging(mean.means) { $1 }
  }

  /// One optimizer step.
  private mutating func move(_ batch: [PolicyPair], done: Int) -> [String: Double] {
    gradients.reset()
    var statistics = step.accumulate(batch, model: policy, gradients: &gradients).statistics
    let rate = rates.learningRate(at: done)
    let update = policy.parameters.withTrainable {
      optimizer.update(&$0, gradients: gradients, learningRate: rate)
    }
    statistics["grad_norm"] = update.gradientNorm
    statistics["learning_rate"] = Double(rate)
    statistics["skipped_steps"] = update.isSkipped ? 1 : 0
    return statistics
  }

  func save(to folder: URL) throws {
    try policy.parameters.trainable.write(to: folder.appending(path: "parameters.safetensors"))
    try optimizer.write(to: folder.appending(path: "optimizer.safetensors"))
  }

  mutating func load(from folder: URL) throws {
    try policy.parameters.withTrainable {
      try $0.read(from: folder.appending(path: "parameters.safetensors"))
    }
    optimizer = try AdamW(
      contentsOf: folder.appending(path: "optimizer.safetensors"),
      configuration: optimizer.configuration, for: policy.parameters.trainable)
  }
}
