import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbTensors

/// One optimizer step of a loss on pairs, however the batch is cut into micro-batches.
struct PairStep {
  let settings: PairLossSettings
  /// Tokens that go through the model at once.
  let microBatchTokens: Int
  /// Whether the responses of a pair share one computation of their prompt.
  var sharesPrompts = true
  /// Divides the logits.
  var temperature: Float = 1

  /// Accumulates the gradient of the mean over a batch.
  ///
  /// - Returns: `loss` (all terms with their weights), the statistics of the losses, `nll_loss` (nats per
  ///   token of the chosen responses) where it is a term, `anchor/*` where answers are anchored, and
  ///   `lengths/chosen`, `lengths/rejected` in tokens.
  func accumulate(
    _ batch: [PolicyPair], model: CausalLM, gradients: inout GradientBlock
  ) -> StepOutcome {
    let runs = cut(batch)
    var mean = StatisticsMean()
    var total = 0.0
    var tokens = 0
    // A loss that compares the whole batch has, for each pair, a slope that depends on all of them.
    var slopes: (chosen: [Float], rejected: [Float])?
    if settings.comparesWholeBatch && runs.count > 1 {
      let (objective, found) = wholeBatch(batch, runs, model)
      mean.add(objective)
      total = Double(objective.loss.item)
      slopes = found
    }
    let chosenTokens = batch.reduce(0) { $0 + $1.chosen.count }
    for run in runs {
      let pairs = run.map { batch[$0] }
      let forward = forward(pairs, model)
      tokens += forward.tokenCount
      var loss: Tensor
      if let slopes {
        loss =
          (forward.chosen * Tensor(run.map { slopes.chosen[$0] })).sum()
          + (forward.rejected * Tensor(run.map { slopes.rejected[$0] })).sum()
      } else {
        let objective = objective(forward, pairs, batchCount: batch.count)
        mean.add(objective)
        loss = objective.loss
        total += Double(loss.item)
      }
      if settings.sftWeight > 0 {
        let term = sft(logprobs: forward.chosenTokens, batchCount: chosenTokens)
        mean.add(["nll_loss": term.statistics["nll"] ?? .nan], count: term.count)
        loss = loss + term.loss * settings.sftWeight
        total += Double(term.loss.item * settings.sftWeight)
      }
      if let base = forward.base {
        let term = baseAnchor(
          policy: base, reference: pairs.map(\.reference.base), batchCount: batch.count)
        mean.add(term)
        loss = loss + term.loss * settings.anchorWeight
        total += Double(term.loss.item * settings.anchorWeight)
      }
      gradients.accumulate(loss)
    }
    return StepOutcome(
      statistics: mean.means.merging(Self.lengths(batch)) { $1 }.merging(["loss": total]) { $1 },
      tokens: tokens)
  }

  /// The same statistics of held-out pairs, without a graph, as one batch.
  ///
  /// Also `rewards/accuracies_shorter` and `rewards/accuracies_longer`: the accuracy among the pairs
  /// whose chosen response has fewer, or more, tokens than the rejected one, where there are such.
  func evaluate(_ pairs: [PolicyPair], model: CausalLM) -> [String: Double] {
    let sums = sums(of: pairs, model: model)
    let forward = (chosen: Tensor(sums.chosen), rejected: Tensor(sums.rejected))
    let rows = rows(forward.chosen, forward.rejected, pairs)
    let objective = pairObjective(
      settings.losses, rows, settings.options, isPerToken: settings.isPerToken)
    var result = objective.statistics.merging(Self.lengths(pairs)) { $1 }
    var loss = Double(objective.loss.item)
    if settings.sftWeight > 0 {
      let tokens = pairs.reduce(0) { $0 + $1.chosen.count }
      let nll = -sums.chosen.reduce(0.0) { $0 + Double($1) } / Double(tokens)
      result["nll_loss"] = nll
      loss += nll * Double(settings.sftWeight)
    }
    if let base = sums.base {
      let term = baseAnchor(policy: Tensor(base), reference: pairs.map(\.reference.base))
      result.merge(term.statistics) { $1 }
      loss += Double(term.loss.item * settings.anchorWeight)
    }
    result["loss"] = loss
    for (name, isMeant) in [
      ("shorter", { (pair: PolicyPair) in pair.chosen.count < pair.rejected.count }),
      ("longer", { (pair: PolicyPair) in pair.chosen.count > pair.rejected.count }),
    ] {
      let places = pairs.indices.filter { isMeant(pairs[$0]) }
      guard !places.isEmpty else { continue }
      let part = pairObjective(
        settings.losses,
        self.rows(
          forward.chosen.elements(at: places), forward.rejected.elements(at: places),
          places.map { pairs[$0] }),
        settings.options, isPerToken: settings.isPerToken)
      result["rewards/accuracies_\(name)"] = part.statistics["rewards/accuracies"]
    }
    return result
  }

  /// Sums of log-probabilities of the responses of pairs, without a graph, in the order of the pairs.
  func sums(
    of pairs: [PolicyPair], model: CausalLM
  ) -> (chosen: [Float], rejected: [Float], base: [Float]?) {
    sums(of: pairs, cut(pairs), model)
  }

  private func cut(_ pairs: [PolicyPair]) -> [[Int]] {
    BatchPlan.filled(
      Array(pairs.indices), costs: pairs.map(\.tokenCount), budget: microBatchTokens)
  }

  private func forward(_ pairs: [PolicyPair], _ model: CausalLM) -> PairForward {
    PairForward(pairs, sharesPrompts: sharesPrompts) { batch in
      model.logprobs(
        tokens: batch.tokens, layout: batch.layout, rows: batch.rows, targets: batch.targets,
        temperature: temperature
      ).logprobs
    }
  }

  private func rows(_ chosen: Tensor, _ rejected: Tensor, _ pairs: [PolicyPair]) -> PairRows {
    PairRows(
      chosen: chosen, rejected: rejected, chosenLengths: pairs.map(\.chosen.count),
      rejectedLengths: pairs.map(\.rejected.count),
      reference: (pairs.map(\.reference.chosen), pairs.map(\.reference.rejected)))
  }

  private func objective(
    _ forward: PairForward, _ pairs: [PolicyPair], batchCount: Int?
  ) -> Objective {
    pairObjective(
      settings.losses, rows(forward.chosen, forward.rejected, pairs), settings.options,
      isPerToken: settings.isPerToken, batchCount: batchCount)
  }

  /// Sums of log-probabilities without a graph.
  private func sums(
    of pairs: [PolicyPair], _ runs: [[Int]], _ model: CausalLM
  ) -> (chosen: [Float], rejected: [Float], base: [Float]?) {
    var frozen = model
    frozen.parameters.isFrozen = true
    let parts = runs.map { forward($0.map { pairs[$0] }, frozen) }
    let base = parts.compactMap(\.base).flatMap(\.scalars)
    return (
      parts.flatMap(\.chosen.scalars), parts.flatMap(\.rejected.scalars), base.isEmpty ? nil : base
    )
  }

  /// The loss of a whole batch, and its slope in the log-probability of each response.
  ///
  /// By the chain rule the gradient of the batch is the sum over micro-batches of slope times gradient of
  /// the log-probability: one more forward pass takes the place of a batch that does not fit.
  private func wholeBatch(
    _ batch: [PolicyPair], _ runs: [[Int]], _ model: CausalLM
  ) -> (objective: Objective, slopes: (chosen: [Float], rejected: [Float])) {
    let values = sums(of: batch, runs, model)
    let chosen = Tensor.variable(values.chosen, shape: [batch.count])
    let rejected = Tensor.variable(values.rejected, shape: [batch.count])
    let objective = pairObjective(
      settings.losses, rows(chosen, rejected, batch), settings.options,
      isPerToken: settings.isPerToken)
    let gradients = Gradients(of: objective.loss)
    let none = [Float](repeating: 0, count: batch.count)
    return (
      objective, (gradients[chosen]?.scalars ?? none, gradients[rejected]?.scalars ?? none)
    )
  }

  private static func lengths(_ pairs: [PolicyPair]) -> [String: Double] {
    let count = Double(max(1, pairs.count))
    return [
      "lengths/chosen": Double(pairs.reduce(0) { $0 + $1.chosen.count }) / count,
      "lengths/rejected": Double(pairs.reduce(0) { $0 + $1.rejected.count }) / count,
    ]
  }
}
