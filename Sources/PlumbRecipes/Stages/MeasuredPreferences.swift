import PlumbEvaluation
import PlumbPreferences

/// A preference model's figures on held-out pairs, with intervals that respect shared prompts.
struct MeasuredPreferences {
  let metrics: Calibration
  let accuracy: Interval
  let nll: Interval
  let brier: Interval
  let ece: Interval
  let bySource: [(source: String, metrics: Calibration)]

  init(_ model: PreferenceModel, pairs: [EncodedPair], seed: UInt64) throws {
    let found = try PreferenceEvaluation(model: model, pairs: pairs.map(\.group))
    metrics = found.metrics
    // Pairs of one prompt resemble each other, so whole prompts are drawn again.
    let groups = Dictionary(grouping: pairs.indices) { pairs[$0].group.prompt }
      .values.sorted { $0[0] < $1[0] }
    let odds = found.logOdds
    func interval(_ name: @escaping (Calibration) -> Double) -> Interval {
      .bootstrap(groups: groups, resamples: 500, seed: seed) { rows in
        name(Calibration(rewardDifferences: rows.map { odds[$0] }))
      }
    }
    accuracy = interval(\.accuracy)
    nll = interval(\.nll)
    brier = interval(\.brier)
    ece = interval(\.ece)
    let sources = Dictionary(grouping: pairs.indices) { pairs[$0].source }
    bySource = sources.sorted { $0.key < $1.key }.map { source, rows in
      (source, Calibration(rewardDifferences: rows.map { odds[$0] }))
    }
  }

  var figures: [Figure] {
    let n = metrics.pairs
    var all = [
      Figure("test_accuracy", metrics.accuracy, interval: accuracy.range, sampleSize: n),
      Figure("test_nll", metrics.nll, interval: nll.range, unit: "nats", sampleSize: n),
      Figure("test_brier", metrics.brier, interval: brier.range, sampleSize: n),
      Figure("test_ece", metrics.ece, interval: ece.range, sampleSize: n),
    ]
    if bySource.count > 1 {
      all += bySource.flatMap { source, metrics in
        let n = metrics.pairs
        let accuracy = Interval.wilson(successes: metrics.accuracy * Double(n), trials: n)
        return [
          Figure(
            "test_accuracy/\(source)", metrics.accuracy, interval: accuracy.range, sampleSize: n),
          Figure("test_nll/\(source)", metrics.nll, unit: "nats", sampleSize: n),
          Figure("test_ece/\(source)", metrics.ece, sampleSize: n),
        ]
      }
    }
    return all
  }

  func section(title: String) -> ReportSection {
    func row(_ name: String, _ m: Calibration) -> [String] {
      [
        name, "\(m.pairs)", NumberText.percent(m.accuracy), NumberText.fixed(m.nll, 3),
        NumberText.fixed(m.brier, 3), NumberText.fixed(m.ece, 3),
      ]
    }
    let table = TextTable(
      columns: ["source", "pairs", "accuracy", "NLL", "Brier", "ECE"],
      rows: [row("all", metrics)]
        + (bySource.count > 1 ? bySource.map { row($0.source, $0.metrics) } : []))
    return ReportSection(title, [.table(table), .charts([reliability])])
  }

  /// Predicted against observed preference; both orders of every pair, ten bins.
  private var reliability: Chart {
    let points = metrics.bins.filter { $0.count > 0 }.map {
      Chart.Point($0.meanProbability, $0.winRate, weight: Double($0.count))
    }
    return Chart(
      "Reliability (ECE \(NumberText.fixed(metrics.ece, 3)))",
      caption: "Both orders of each pair; dots grow with the number of pairs.",
      x: .init("predicted preference", range: 0...1), y: .init("observed", range: 0...1),
      .reliability([Chart.Series("model", points)]))
  }
}

extension Interval {
  /// The interval as a range.
  var range: ClosedRange<Double> { lower...upper }
}
