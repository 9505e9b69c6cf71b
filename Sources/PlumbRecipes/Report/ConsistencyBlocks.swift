public import PlumbEvaluation
import PlumbPreferences

extension ConsistencyCalibration {
  /// The measures side by side, and their reliability.
  public func section(title: String) -> ReportSection {
    let table = TextTable(
      columns: ["confidence", "mean", "ECE", "Brier score"],
      rows: measures.map { measure, figures in
        [
          measure.label, NumberText.fixed(figures.meanConfidence, 3),
          NumberText.interval(figures.ece, figures.eceInterval?.ends),
          NumberText.interval(figures.brier, figures.brierInterval?.ends),
        ]
      })
    let series = measures.map { measure, figures in
      Chart.Series(
        measure.label,
        figures.bins.filter { $0.count > 0 }.map {
          Chart.Point($0.meanProbability, $0.winRate, weight: Double($0.count))
        })
    }
    return ReportSection(
      title,
      [
        .paragraph(
          "The commonest answer is right for \(NumberText.interval(accuracy, accuracyInterval.ends)) "
            + "of \(questions) \(isByPrompt ? "pairs" : "questions"). Measures of arXiv 2402.13904; "
            + "95 % intervals over \(isByPrompt ? "prompts" : "questions")."
        ),
        .table(table),
        .charts([
          Chart(
            "Reliability", caption: "Dots grow with the number of questions.",
            x: .init("confidence", range: 0...1), y: .init("share right", range: 0...1),
            .reliability(series))
        ]),
      ])
  }
}

extension SampleConsistency.Measure {
  /// The measure in words.
  var label: String {
    switch self {
    case .agreement: "agreement"
    case .entropy: "entropy"
    case .fsd: "first-second distance"
    }
  }
}
