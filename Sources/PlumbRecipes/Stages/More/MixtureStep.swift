import PlumbData
import PlumbObjectives
import PlumbPreferences
import PlumbTensors

/// One optimizer step on pairs of several sources, whose losses have weights.
///
/// MORE, arXiv 2312.07401, eq. 7: `L = Σ_k λ_k L_k`. The gradient of each `L_k` in the reward head alone
/// gives λ; then the whole model is updated with the weighted loss. Every pair of source k counts
/// `K·λ_k` in a mean over the batch, K being the sources present: with equal shares that is
/// `Σ_k λ_k L_k`, from a pool it is what the published code computes, and `λ = 1/K` is MultiTask to the
/// bit.
struct MixtureStep {
  /// Tokens that go through the model at once.
  ///
  /// λ needs the features of the whole batch before any gradient: a batch that fits is computed once,
  /// a larger one a second time, first without a graph.
  let microBatchTokens: Int
  /// The weights of the sources from the gradients and the losses of those present; nil for the plain
  /// mean over the batch, which then needs no gradient of the head.
  var solve: ((_ gradients: [[Float]?], _ losses: [Double]) -> [Double])?

  /// What a step found.
  struct Outcome {
    var step: StepOutcome
    /// The weights, [K]; empty where none were solved for.
    var weights: [Double]
  }

  /// A pair with the place of its source.
  private struct Row {
    let pair: EncodedPair
    let source: Int
  }

  /// Accumulates the gradient of one batch.
  ///
  /// - Parameter batch: the pairs of each source, [K]; a list may be empty, but not all.
  func run(
    _ batch: [[EncodedPair]], model: RewardModel, gradients: inout GradientBlock
  ) throws -> Outcome {
    let rows = batch.enumerated().flatMap { source, pairs in
      pairs.map { Row(pair: $0, source: source) }
    }
    precondition(!rows.isEmpty, "MixtureStep: expected at least one pair")
    let parts = BatchPlan.filled(
      Array(rows.indices), costs: rows.map(\.pair.group.tokenCount), budget: microBatchTokens
    ).map { part in part.map { rows[$0] } }
    guard let solve else {
      return Outcome(
        step: try accumulate(parts, count: rows.count, weights: nil, model, &gradients), weights: []
      )
    }

    var found = HeadReadings(sources: batch.count)
    if parts.count == 1 {
      let (chosen, rejected) = try forward(parts[0], model, into: &found)
      let weights = solve(found.gradients, found.losses)
      let objective = bradleyTerry(
        chosen: chosen, rejected: rejected, weights: pairWeights(parts[0], weights, found))
      gradients.accumulate(objective.loss)
      return Outcome(
        step: outcome([objective], parts, weights, found), weights: weights)
    }
    var frozen = model
    frozen.parameters = model.parameters.frozen
    for part in parts { _ = try forward(part, frozen, into: &found) }
    let weights = solve(found.gradients, found.losses)
    var step = try accumulate(
      parts, count: rows.count, weights: { pairWeights($0, weights, found) }, model, &gradients)
    step.statistics.merge(statistics(weights, found)) { $1 }
    return Outcome(step: step, weights: weights)
  }

  /// Rewards of one part with their graph; its features go into the readings.
  private func forward(
    _ part: [Row], _ model: RewardModel, into found: inout HeadReadings
  ) throws -> (chosen: Tensor, rejected: Tensor) {
    let batch = try model.batch(part.map(\.pair.group))
    let (rewards, features) = model.rewardsAndFeatures(batch)
    let chosen = rewards.elements(at: batch.chosenIndices)
    let rejected = rewards.elements(at: batch.rejectedIndices)
    found.add(
      chosen: features.rows(at: batch.chosenIndices),
      rejected: features.rows(at: batch.rejectedIndices),
      differences: zip(chosen.scalars, rejected.scalars).map { $0 - $1 },
      sources: part.map(\.source))
    return (chosen, rejected)
  }

  private func accumulate(
    _ parts: [[Row]], count: Int, weights: (([Row]) -> [Float])?, _ model: RewardModel,
    _ gradients: inout GradientBlock
  ) throws -> StepOutcome {
    var objectives: [Objective] = []
    for part in parts {
      let rewards = try model.pairRewards(model.batch(part.map(\.pair.group)))
      let objective = bradleyTerry(
        chosen: rewards.chosen, rejected: rewards.rejected, weights: weights?(part),
        batchCount: count)
      gradients.accumulate(objective.loss)
      objectives.append(objective)
    }
    return outcome(objectives, parts, [], nil)
  }

  private func pairWeights(
    _ part: [Row], _ weights: [Double], _ found: HeadReadings
  ) -> [Float] {
    let present = Double(found.presentCount)
    return part.map { Float(present * weights[$0.source]) }
  }

  private func outcome(
    _ objectives: [Objective], _ parts: [[Row]], _ weights: [Double], _ found: HeadReadings?
  ) -> StepOutcome {
    var mean = StatisticsMean()
    for objective in objectives { mean.add(objective) }
    var values = mean.means
    values["loss"] = values["nll"]
    if let found { values.merge(statistics(weights, found)) { $1 } }
    return StepOutcome(
      statistics: values,
      tokens: parts.flatMap { $0 }.reduce(0) { $0 + $1.pair.group.tokenCount })
  }

  /// `lambda/k`: the weight of source k; `nll/k`: its mean loss in the batch, nats.
  private func statistics(_ weights: [Double], _ found: HeadReadings) -> [String: Double] {
    var values: [String: Double] = [:]
    for (source, weight) in weights.enumerated() where found.counts[source] > 0 {
      values["lambda/\(source)"] = weight
      values["nll/\(source)"] = found.losses[source]
    }
    return values
  }
}

/// The head's gradients and the losses of each source, gathered over the parts of a batch.
private struct HeadReadings {
  private(set) var counts: [Int]
  private var lossSums: [Double]
  private var gradientSums: [[Double]]

  init(sources: Int) {
    counts = [Int](repeating: 0, count: sources)
    lossSums = [Double](repeating: 0, count: sources)
    gradientSums = [[Double]](repeating: [], count: sources)
  }

  var presentCount: Int { counts.count { $0 > 0 } }

  /// The gradient of each source's mean loss, [H]; nil for a source without a pair.
  var gradients: [[Float]?] {
    counts.indices.map { source in
      counts[source] == 0 ? nil : gradientSums[source].map { Float($0 / Double(counts[source])) }
    }
  }

  /// Each source's mean loss, nats; 0 for a source without a pair.
  var losses: [Double] {
    counts.indices.map { counts[$0] == 0 ? 0 : lossSums[$0] / Double(counts[$0]) }
  }

  mutating func add(
    chosen: Tensor, rejected: Tensor, differences: [Float], sources: [Int]
  ) {
    for source in Set(sources).sorted() {
      let rows = sources.indices.filter { sources[$0] == source }
      let own = rows.map { differences[$0] }
      let gradient = headGradient(
        chosen: chosen.rows(at: rows), rejected: rejected.rows(at: rows), differences: own)
      let weight = Double(rows.count)
      if gradientSums[source].isEmpty {
        gradientSums[source] = gradient.map { Double($0) * weight }
      } else {
        for (column, value) in gradient.enumerated() {
          gradientSums[source][column] += Double(value) * weight
        }
      }
      counts[source] += rows.count
      lossSums[source] += -Tensor(own).logSigmoid().scalars.reduce(0.0) { $0 + Double($1) }
    }
  }
}
