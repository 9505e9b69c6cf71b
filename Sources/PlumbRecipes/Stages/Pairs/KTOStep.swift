import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbTensors

/// An answer with a verdict, as a policy learns from it.
struct VerdictRow {
  let prompt: [Int32]
  let response: [Int32]
  let isDesirable: Bool
  /// Sum of log-probabilities under the reference; NaN until filled.
  var reference = Float.nan

  var group: TokenGroup { TokenGroup(prompt: prompt, responses: [response], example: 0) }
  var tokenCount: Int { prompt.count + response.count }
}

/// A prompt with another prompt's answer, from which KTO estimates its baseline.
struct MismatchedRow {
  let group: TokenGroup
  /// Sum of log-probabilities under the reference; NaN until filled.
  var reference = Float.nan

  /// Gives each row of a batch the answer of the row after it, and the last one that of the first.
  ///
  /// As in the paper (arXiv 2402.01306) the answers are those of the batch, so that the baseline
  /// is about them. A row whose follower has the same prompt takes the next answer to another prompt,
  /// where there is one; answers are cut to fit `longest` tokens.
  static func rows(of batch: [VerdictRow], longest: Int) -> [MismatchedRow] {
    guard batch.count > 1 else { return [] }
    return batch.indices.map { index in
      let followers = (1..<batch.count).map { (index + $0) % batch.count }
      let other = followers.first { batch[$0].prompt != batch[index].prompt } ?? followers[0]
      let room = max(1, longest - batch[index].prompt.count)
      return MismatchedRow(
        group: TokenGroup(
          prompt: batch[index].prompt, responses: [Array(batch[other].response.prefix(room))],
          example: 0))
    }
  }
}

/// One optimizer step of KTO, however the batch is cut into micro-batches.
struct KTOStep {
  let beta: Float
  let desirableWeight: Float
  let undesirableWeight: Float
  /// Tokens that go through the model at once.
  let microBatchTokens: Int

  init(_ configuration: KTOConfiguration) {
    beta = Float(configuration.beta)
    desirableWeight = Float(configuration.desirableWeight)
    undesirableWeight = Float(configuration.undesirableWeight)
    microBatchTokens = configuration.microBatchTokens
  }

  /// Accumulates the gradient of the mean over a batch.
  ///
  /// - Parameters:
  ///   - mismatched: of the same batch; none for a baseline of 0.
  /// - Returns: `loss`, `kl` (the baseline, nats per response), and means over the desirable answers
  ///   (`chosen`) and the others (`rejected`), where the batch has any: `rewards/*`, `logps/*`,
  ///   `lengths/*`; `rewards/margins` where it has both; `rewards/accuracies`, `desirable`.
  func accumulate(
    _ batch: [VerdictRow], mismatched: [MismatchedRow], model: CausalLM,
    gradients: inout GradientBlock
  ) -> StepOutcome {
    let baseline = baseline(mismatched, model)
    return pass(
      batch, baseline: baseline, extraTokens: mismatched.reduce(0) { $0 + $1.group.tokenCount }
    ) { run in
      let part = objective(run, baseline, batch.count, model)
      gradients.accumulate(part.0.loss)
      return part
    }
  }

  /// The same statistics of held-out rows, without a graph.
  func evaluate(
    _ rows: [VerdictRow], mismatched: [MismatchedRow], model: CausalLM
  ) -> [String: Double] {
    var frozen = model
    frozen.parameters.isFrozen = true
    let baseline = baseline(mismatched, frozen)
    return pass(rows, baseline: baseline, extraTokens: 0) {
      objective($0, baseline, rows.count, frozen)
    }.statistics
  }

  /// The mean log-ratio of mismatched rows, not below 0; without a graph.
  func baseline(_ rows: [MismatchedRow], _ model: CausalLM) -> Float {
    guard !rows.isEmpty else { return 0 }
    var frozen = model
    frozen.parameters.isFrozen = true
    let sums = cut(rows.map(\.group.tokenCount)).flatMap { run in
      self.sums(of: run.map { rows[$0].group }, frozen).scalars
    }
    return ktoBaseline(logRatios: zip(sums, rows).map { $0 - $1.reference })
  }

  private func pass(
    _ batch: [VerdictRow], baseline: Float, extraTokens: Int,
    _ compute: ([VerdictRow]) -> (Objective, [Float])
  ) -> StepOutcome {
    var mean = StatisticsMean()
    var loss = 0.0
    var tokens = extraTokens
    for run in cut(batch.map(\.tokenCount)) {
      let rows = run.map { batch[$0] }
      let (objective, logprobs) = compute(rows)
      loss += Double(objective.loss.item)
      tokens += rows.reduce(0) { $0 + $1.tokenCount }
      mean.add(
        objective.statistics.filter { ["desirable", "rewards/accuracies"].contains($0.key) },
        count: rows.count)
      for (row, logprob) in zip(rows, logprobs) {
        let name = row.isDesirable ? "chosen" : "rejected"
        mean.add(
          [
            "rewards/\(name)": Double(beta * (logprob - row.reference)),
            "logps/\(name)": Double(logprob), "lengths/\(name)": Double(row.response.count),
          ], count: 1)
      }
    }
    var statistics = mean.means
    statistics["loss"] = loss
    statistics["kl"] = Double(baseline)
    if let chosen = statistics["rewards/chosen"], let rejected = statistics["rewards/rejected"] {
      statistics["rewards/margins"] = chosen - rejected
    }
    return StepOutcome(statistics: statistics, tokens: tokens)
  }

  private func objective(
    _ rows: [VerdictRow], _ baseline: Float, _ count: Int, _ model: CausalLM
  ) -> (Objective, [Float]) {
    let sums = sums(of: rows.map(\.group), model)
    let objective = kto(
      policy: sums, reference: rows.map(\.reference), desirable: rows.map(\.isDesirable),
      baseline: baseline, beta: beta, desirableWeight: desirableWeight,
      undesirableWeight: undesirableWeight, batchCount: count)
    return (objective, sums.scalars)
  }

  private func sums(of groups: [TokenGroup], _ model: CausalLM) -> Tensor {
    let batch = PackedBatch(groups)
    return batch.logprobs(model).segmentSum(lengths: batch.targetCounts)
  }

  private func cut(_ costs: [Int]) -> [[Int]] {
    BatchPlan.filled(Array(costs.indices), costs: costs, budget: microBatchTokens)
  }
}
