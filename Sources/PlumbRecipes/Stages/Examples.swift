import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbTensors
import PlumbTokenizers

extension BatchPlan {
  /// Steps of `epochs` passes over examples; a fraction of an epoch is rounded up to a step.
  func steps(epochs: Double) -> Int {
    max(1, Int((Double(batches(epoch: 0).count) * epochs).rounded(.up)))
  }

  /// The examples of step `step`, from 1, where every epoch has equally many batches.
  func examples(ofStep step: Int) -> [Int] {
    let count = batches(epoch: 0).count
    return batches(epoch: (step - 1) / count)[(step - 1) % count]
  }
}

/// One optimizer step of cross-entropy: the mean over all targets of a batch, however it is cut.
func crossEntropyStep(
  _ batches: [PackedBatch], model: CausalLM, gradients: inout GradientBlock
) -> StepOutcome {
  let count = batches.reduce(0) { $0 + $1.targets.count }
  var mean = StatisticsMean()
  for batch in batches where !batch.targets.isEmpty {
    let objective = sft(logprobs: batch.logprobs(model), batchCount: count)
    gradients.accumulate(objective.loss)
    mean.add(objective)
  }
  return StepOutcome(
    statistics: ["loss": mean.means["nll"] ?? .nan],
    tokens: batches.reduce(0) { $0 + $1.tokens.count })
}

/// The mean negative log-probability per target, nats, without a graph.
func meanLoss(_ model: CausalLM, _ groups: [TokenGroup], tokenBudget: Int) -> Double {
  var frozen = model
  frozen.parameters.isFrozen = true
  var sum = 0.0
  var count = 0
  let runs = BatchPlan.filled(
    Array(groups.indices), costs: groups.map(\.tokenCount), budget: tokenBudget)
  for run in runs {
    let logprobs = PackedBatch(run.map { groups[$0] }).logprobs(frozen).scalars
    sum -= logprobs.reduce(0.0) { $0 + Double($1) }
    count += logprobs.count
  }
  return sum / Double(max(1, count))
}

extension PackedBatch {
  /// Log-probabilities of the targets, [M].
  func logprobs(_ model: CausalLM) -> Tensor {
    model.logprobs(tokens: tokens, layout: layout, rows: rows, targets: targets).logprobs
  }
}

/// Tells the user what encoding left out or cut.
func note(_ context: StageContext, _ what: String, _ report: EncodingReport) {
  let dropped = report.dropped.values.reduce(0, +)
  if dropped + report.promptsCut + report.responsesCut > 0 {
    context.note(
      "\(what): \(report.kept) of \(report.rows) rows kept; \(report.promptsCut) prompts and "
        + "\(report.responsesCut) responses cut to length")
  }
}

extension StageContext {
  /// The rows of a data file; how many were left out, and why, is told to the user.
  func usable<Row>(_ found: (rows: [Row], report: DataReport)) -> [Row] {
    note(found.report)
    return found.rows
  }

  /// Tells the user what reading a data file left out.
  func note(_ report: DataReport) {
    guard report.droppedCount > 0 else { return }
    let reasons = report.dropped.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      .map { "\($0.key): \($0.value)" }.joined(separator: ", ")
    note(
      "\(URL(filePath: report.file).lastPathComponent): \(report.droppedCount) of \(report.rows) "
        + "rows left out (\(reasons))")
  }
}
