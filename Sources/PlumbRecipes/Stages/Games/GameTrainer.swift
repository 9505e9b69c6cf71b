import Foundation
import PlumbData
public import PlumbModels
import PlumbObjectives
public import PlumbRollouts
import PlumbTensors

/// A policy that learns by GPO or SPPO from its own judged responses.
///
/// Reads sampled and judged rollouts and nothing else, like `PPOTrainer`.
public struct GameTrainer {
  private let configuration: GPOConfiguration
  private let seed: UInt64
  private var optimizer: PolicyOptimizer

  /// Starts from a policy.
  ///
  /// - Parameters:
  ///   - configuration: the settings; file names are not read.
  ///   - policy: the policy to improve.
  ///   - prompts: how many there are; with fewer than a round takes, a round has fewer steps.
  ///   - seed: of the order of the minibatches.
  public init(
    _ configuration: GPOConfiguration, policy: CausalLM, prompts: Int, seed: UInt64
  ) {
    self.configuration = configuration
    self.seed = seed
    let round = min(prompts, configuration.promptsPerIteration)
    let batches = (round + configuration.batchPrompts - 1) / configuration.batchPrompts
    optimizer = PolicyOptimizer(
      policy, settings: configuration.optimizer,
      steps: configuration.iterations * configuration.epochs * batches)
  }

  /// The policy as it is now.
  public var policy: CausalLM { optimizer.policy }

  /// One round: targets from the preference tables, then the squared loss over all minibatches.
  ///
  /// - Parameters:
  ///   - buffer: sampled from `policy`, every group with a preference table; log-probabilities are filled in.
  ///   - reference: the frozen reference policy.
  ///   - update: number of the round, part of the key of the random numbers.
  /// - Returns: the metrics of the round; see `Documentation/Stages/gpo.md`.
  /// - Throws: `RolloutError` for a group that was not judged, or if the buffer says that it was sampled with a
  ///   filter or greedily.
  public mutating func improve(
    on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
  ) throws -> [String: Double] {
    try buffer.requireUnfiltered()
    buffer.recomputeLogprobs(policy: policy)
    buffer.fillReferenceLogprobs(model: reference)
    var metrics = buffer.statistics()
    let game = try PreferenceGame(buffer, configuration: configuration)
    for (name, value) in game.statistics {
      metrics["\(configuration.loss.rawValue)/\(name)"] = value
    }
    var mean = StatisticsMean()
    var work = TrainingWork()
    for pass in 0..<configuration.epochs {
      var stream = RandomStream(seed: seed, purpose: "gpo/minibatches", step: update, row: pass)
      let groups = stream.permutation(game.groups.count).map { game.groups[$0] }
      for start in stride(from: 0, to: groups.count, by: configuration.batchPrompts) {
        let chosen = Array(groups[start..<min(groups.count, start + configuration.batchPrompts)])
        mean.add(try step(on: chosen, of: buffer, targets: game.targets), count: 1)
        work.count(chosen.joined().reduce(0) { $0 + buffer[$1].tokens.count })
      }
    }
    metrics.merge(mean.means) { $1 }
    metrics.merge(work.metrics) { $1 }
    return metrics
  }

  private mutating func step(
    on groups: [[ResponsePlace]], of buffer: RolloutBuffer, targets: [ResponsePlace: Float]
  ) throws -> [String: Double] {
    let configuration = configuration
    return try optimizer.step { policy, gradients in
      var mean = StatisticsMean()
      var loss = 0.0
      let count = groups.reduce(0) { $0 + $1.count }
      let field: RolloutField =
        configuration.reference == .previous ? .behaviourLogprobs : .referenceLogprobs
      for places in buffer.microBatches(groups, tokenBudget: configuration.microBatchTokens) {
        let batch = buffer.batch(places)
        let logprobs = batch.logprobs(model: policy, temperature: buffer.logprobTemperature)
          .logprobs
        let old = try buffer.values(of: field, in: batch)
        let objective = gpo(
          logRatio: batch.sequenceLogprobs(logprobs - Tensor(old)),
          targets: batch.places.map { targets[$0, default: 0] },
          lengths: configuration.lengthNormalize ? batch.lengths : nil,
          lengthExponent: Float(configuration.lengthExponent), batchCount: count)
        gradients.accumulate(objective.loss)
        loss += Double(objective.loss.item)
        mean.add(objective)
      }
      var statistics: [String: Double] = ["loss": loss]
      for (name, value) in mean.means {
        statistics[name.replacing("gpo/", with: "\(configuration.loss.rawValue)/")] = value
      }
      return statistics
    }
  }
}

extension GameTrainer: OnPolicyLearner {
  var trained: CausalLM { policy }
  func save(to folder: URL) throws { try optimizer.save(to: folder) }
  mutating func load(from folder: URL) throws { try optimizer.load(from: folder) }
}

extension RolloutBuffer {
  /// Chosen responses in runs of whole prompts whose packed tokens stay within a budget.
  ///
  /// A prompt that is larger than the budget with its responses stands alone.
  func microBatches(_ groups: [[ResponsePlace]], tokenBudget: Int) -> [[ResponsePlace]] {
    let costs = groups.map { places in
      places.reduce(places.first.map { self.groups[$0.group].promptTokens.count } ?? 0) {
        $0 + self[$1].tokens.count
      }
    }
    return BatchPlan.filled(Array(groups.indices), costs: costs, budget: tokenBudget).map { run in
      run.flatMap { groups[$0] }
    }
  }
}
