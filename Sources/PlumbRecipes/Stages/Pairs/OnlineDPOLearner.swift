import Foundation
import PlumbModels
import PlumbObjectives
import PlumbRollouts
import PlumbTensors

/// What learns from the best and the worst of K sampled responses.
struct OnlineDPOLearner: OnPolicyLearner {
  private let configuration: OnlineDPOConfiguration
  private let step: PairStep
  private let references: OnlineReferences
  private let seed: UInt64
  private var optimizer: PolicyOptimizer

  var policy: CausalLM { optimizer.policy }
  var trained: CausalLM { optimizer.policy }

  /// Starts from a policy.
  ///
  /// - Parameters:
  ///   - configuration: the settings; file names are not read.
  ///   - policy: the policy to improve.
  ///   - seed: of the order of the pairs, and of the references' own answers.
  ///   - references: what pairs are compared with; without models, the policy as the stage started.
  init(
    _ configuration: OnlineDPOConfiguration, policy: CausalLM, seed: UInt64,
    references: OnlineReferences = OnlineReferences()
  ) {
    self.configuration = configuration
    self.references = references
    self.seed = seed
    step = PairStep(
      settings: configuration.pairSettings, microBatchTokens: configuration.microBatchTokens,
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
  /// - Throws: `RolloutError` for a group that was not judged, for responses that were sampled with a filter
  ///   or greedily, or for a reference whose log-probabilities are not finite.
  mutating func improve(
    on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
  ) throws -> [String: Double] {
    try buffer.requireUnfiltered()
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
    var pairs = chosen.map { PolicyPair($0, of: buffer) }
    try compare(&pairs, start: reference, update: update)
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
        work.count(batch.reduce(0) { $0 + $1.responses.joined().count })
      }
    }
    return metrics.merging(mean.means) { $1 }.merging(work.metrics) { $1 }
  }

  /// Compares pairs with the references and their own answers, where the recipe asks for either.
  private func compare(_ pairs: inout [PolicyPair], start: CausalLM, update: Int) throws {
    let isAnchored = configuration.anchorWeight > 0
    guard !pairs.isEmpty, isAnchored || !references.models.isEmpty else { return }
    let references = references.orStart(configuration.policy, start)
    if isAnchored {
      var options = configuration.sampling.options(seed: seed)
      options.maximumNewTokens = configuration.anchorTokens
      // Rows behind those of the round: an answer must not share its draws with a response, or the first
      // round would anchor the policy to its own words.
      try references.answer(
        &pairs, options: options, update: update,
        firstRow: configuration.promptsPerUpdate * configuration.responses)
    }
    try references.fill(&pairs, step: step)
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
