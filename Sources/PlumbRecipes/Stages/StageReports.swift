import Foundation
import PlumbModels

/// A training curve with its validation points, from the stage's own metrics.
func trainingSection(
  _ context: StageContext, metric: String, label: String
) throws -> [ReportSection] {
  let train = smoothed(try context.series(metric))
  let validation = try context.series("eval_\(metric)")
  var series = [Chart.Series("training", train)]
  if !validation.isEmpty {
    series.append(
      Chart.Series("validation", validation.map { Chart.Point(Double($0.step), $0.value) }))
  }
  guard !train.isEmpty else { return [] }
  return [
    ReportSection(
      "\(context.stage): training",
      [
        .charts([
          Chart(
            label, x: .init("step"), y: .init(label), .lines(series))
        ])
      ])
  ]
}

/// The curves of a policy's training, and the last values as figures.
///
/// - Parameters:
///   - policy: as trained; of one with an adapter, its sizes are told.
///   - responses: the responses (or pairs) that one value is a mean over.
///   - watched: what the watch over an on-line stage has to tell.
func policyResult(
  _ context: StageContext, _ policy: CausalLM, responses: Int,
  metrics: [(name: String, label: String, unit: String)], watched: [ReportSection] = []
) throws -> StageResult {
  var charts: [Chart] = []
  var figures = parameterFigures(policy)
  for (name, label, unit) in metrics {
    let series = try context.series(name)
    guard let last = series.last else { continue }
    charts.append(
      Chart(
        label, x: .init("step"), y: .init(label),
        .lines([
          Chart.Series(name, series.map { Chart.Point(Double($0.step), $0.value) })
        ])))
    figures.append(Figure("final/\(name)", last.value, unit: unit, sampleSize: responses))
  }
  return StageResult(
    figures: figures,
    sections: [ReportSection("\(context.stage): training", [.charts(charts)])] + watched)
}

/// Means over runs of steps, so that at most about `points` points are drawn.
func smoothed(_ series: [(step: Int, value: Double)], points: Int = 100) -> [Chart.Point] {
  let width = max(1, series.count / points)
  return stride(from: 0, to: series.count, by: width).map { start in
    let run = series[start..<min(series.count, start + width)]
    let mean = run.reduce(0) { $0 + $1.value } / Double(run.count)
    return Chart.Point(Double(run[run.endIndex - 1].step), mean)
  }
}

/// Rounds, tokens and a rough time of a policy's training, for `--dry-run`.
///
/// Sampling reads every weight once per token and row of 16; training costs 6 FLOP per weight and
/// token, judging and reference passes 2 each; 100 GFLOP/s.
func policyPlan(
  _ summary: String, parameters: Int, responses: Int, newTokens: Int, trainingPasses: Int
) -> StagePlan {
  // Rounds, prompts, responses and tokens of a million each are allowed, and too many for an integer.
  let (product, overflow) = responses.multipliedReportingOverflow(by: newTokens)
  let tokens = overflow ? Int.max : product
  let perToken = Double(parameters) * (2 * 5 + 6 * Double(trainingPasses) * 1.5)
  return StagePlan(
    summary, sizes: ["responses": responses, "tokens": tokens, "parameters": parameters],
    seconds: Double(tokens) * perToken / 100e9)
}
