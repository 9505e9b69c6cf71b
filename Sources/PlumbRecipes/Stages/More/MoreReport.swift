import PlumbEvaluation
import PlumbPreferences

/// Tables, plots and claims of a comparison of schemes.
struct MoreReport {
  let results: SchemeResults
  let sources: [PreferenceSource]
  let configuration: MoreConfiguration
  let stage: String
  let seed: UInt64

  var result: StageResult {
    let table = table
    var blocks: [ReportBlock] = [
      .paragraph(
        "\(configuration.seeds) seed(s) of every training. Accuracy in percent and expected calibration "
          + "error (ten bins, both orders of each pair), means over seeds with 95 % intervals: prompts and "
          + "seeds drawn again. Top judges every source by its own model. Averaging takes the mean reward "
          + "of the single-source models. |Δr| is the mean size of the difference of rewards."),
      .table(table), .charts([errorBars, reliability]),
    ]
    if results.scores(of: .top) != nil, sources.count > 1 {
      blocks += [
        .paragraph(
          "What a model of one source says about the others: where sources disagree, the average of their "
            + "models cannot serve all."), .table(crossTable),
      ]
    }
    if !weightCurves.isEmpty { blocks.append(.charts([weightChart])) }
    blocks += [
      .heading("The paper's table"),
      .paragraph(
        "MORE, arXiv 2312.07401, Table 2: five sources of 40 000 pairs each, one seed, no intervals."
      ),
      .table(Self.paperTable),
    ]
    return StageResult(
      figures: figures, claims: claims, tables: [table],
      sections: [ReportSection("\(stage): reward models of \(sources.count) source(s)", blocks)])
  }

  private func text(
    _ measure: HeldOutSources.Measure, _ scores: SchemeResults.Scores, source: Int? = nil
  ) -> String {
    guard let found = results.held.value(measure, scores.bySeed, source: source, seed: seed) else {
      return "–"
    }
    let ends = [found.interval.lower, found.interval.upper]
    return measure == .accuracy
      ? NumberText.interval(found.value * 100, ends.map { $0 * 100 }, decimals: 1)
      : NumberText.interval(found.value, ends, decimals: measure == .spread ? 2 : 4)
  }

  private var table: TextTable {
    TextTable(
      title: "Reward models by scheme",
      columns: ["scheme"] + sources.map(\.name) + ["average", "ECE", "|Δr|"],
      rows: results.scores.map { scores in
        [scores.scheme.rawValue]
          + sources.indices.map { text(.accuracy, scores, source: $0) }
          + [text(.accuracy, scores), text(.ece, scores), text(.spread, scores)]
      })
  }

  /// Accuracy of each single-source model on each source, percent.
  private var crossTable: TextTable {
    let tops = zip(results.cells, results.records).filter { $0.0.scheme == .top }
    return TextTable(
      title: "Accuracy of single-source models (%)", columns: ["trained on"] + sources.map(\.name),
      rows: sources.indices.map { own in
        let models = tops.filter { $0.0.source == own }.map(\.1.logOdds)
        return [sources[own].name]
          + sources.indices.map { other in
            guard !sources[other].test.isEmpty, !models.isEmpty else { return "–" }
            let sum = models.reduce(0) {
              $0 + Calibration(rewardDifferences: $1[other]).accuracy
            }
            return NumberText.fixed(sum / Double(models.count) * 100, 1)
          }
      })
  }

  private var figures: [Figure] {
    var figures = sources.map {
      Figure(
        "train_pairs/\($0.name)", Double($0.train.count), unit: "pairs", sampleSize: $0.train.count)
    }
    for scores in results.scores {
      for (name, measure) in [
        ("accuracy", HeldOutSources.Measure.accuracy), ("ece", .ece), ("nll", .nll),
        ("reward_difference", .spread),
      ] {
        for source in [nil] + results.held.measured.map(Optional.some) {
          guard let found = results.held.value(measure, scores.bySeed, source: source, seed: seed)
          else {
            continue
          }
          figures.append(
            Figure(
              "\(scores.scheme.rawValue)/\(name)" + (source.map { "/\(sources[$0].name)" } ?? ""),
              found.value, interval: found.interval.range, unit: measure == .nll ? "nats" : "",
              sampleSize: results.held.pairCount(source)))
        }
      }
    }
    for (name, first, second) in Self.contrasts {
      guard let first = results.scores(of: first), let second = results.scores(of: second) else {
        continue
      }
      for (label, measure) in [("accuracy", HeldOutSources.Measure.accuracy), ("ece", .ece)] {
        guard
          let found = results.held.value(
            measure, first.bySeed, less: second.bySeed, seed: seed)
        else { continue }
        figures.append(
          Figure(
            "\(name)/\(label)", found.value, interval: found.interval.range,
            sampleSize: results.held.pairCount()))
      }
    }
    return figures
  }

  private static let contrasts: [(String, MoreConfiguration.Scheme, MoreConfiguration.Scheme)] = [
    ("more_less_multi-task", .more, .multiTask), ("more_less_top", .more, .top),
    ("averaging_less_multi-task", .averaging, .multiTask),
  ]

  private func contrast(
    _ measure: HeldOutSources.Measure, _ first: MoreConfiguration.Scheme,
    _ second: MoreConfiguration.Scheme
  ) -> HeldOutSources.Measured? {
    guard let first = results.scores(of: first), let second = results.scores(of: second) else {
      return nil
    }
    return results.held.value(measure, first.bySeed, less: second.bySeed, seed: seed)
  }

  /// The paper's findings, held where the whole interval of a difference says so.
  private var claims: [Claim] {
    var claims: [Claim] = []
    if let ece = contrast(.ece, .more, .multiTask) {
      claims.append(
        Claim(
          "MORE is better calibrated than MultiTask (difference of mean ECE over sources, upper end of "
            + "the 95 % interval)", measured: ece.interval.upper, .below, 0,
          paper:
            "−0.018 (Pythia-1.4B), −0.009 (2.8B), −0.011 (LLaMA2-7B), −0.006 (13B); one seed, no "
            + "interval (arXiv 2312.07401, Table 2)"))
    }
    if let accuracy = contrast(.accuracy, .more, .multiTask) {
      claims.append(
        Claim(
          "MORE costs at most 1 point of mean accuracy against MultiTask (lower end of the 95 % "
            + "interval)", measured: accuracy.interval.lower, .atLeast, -0.01,
          paper: "+0.96, +0.01, +0.19 and −0.58 points (arXiv 2312.07401, Table 2)"))
    }
    if let accuracy = contrast(.accuracy, .averaging, .multiTask) {
      claims.append(
        Claim(
          "averaging single-source models is less accurate than MultiTask (difference, upper end of "
            + "the 95 % interval)", measured: accuracy.interval.upper, .below, 0,
          paper: "54.86 against 62.38 % (Pythia-1.4B; arXiv 2312.07401, Table 2)"))
    }
    return claims
  }
}

extension MoreReport {
  private var errorBars: Chart {
    Chart(
      "Expected calibration error",
      caption: "Mean over sources and seeds; 95 % intervals over prompts and seeds.",
      x: .init(""), y: .init("ECE"),
      .bars(
        results.scores.compactMap { scores in
          results.held.value(.ece, scores.bySeed, seed: seed).map {
            Chart.Bar(scores.scheme.rawValue, $0.value, interval: $0.interval.range)
          }
        }))
  }

  /// All sources and seeds of a scheme in one curve.
  private var reliability: Chart {
    Chart(
      "Reliability", caption: "All sources and seeds; both orders of each pair.",
      x: .init("predicted preference", range: 0...1), y: .init("observed", range: 0...1),
      .reliability(
        results.scores.compactMap { scores in
          let all = scores.bySeed.flatMap { $0.flatMap { $0 } }
          guard !all.isEmpty else { return nil }
          return Chart.Series(
            scores.scheme.rawValue,
            Calibration(rewardDifferences: all).bins.filter { $0.count > 0 }.map {
              Chart.Point($0.meanProbability, $0.winRate, weight: Double($0.count))
            })
        }))
  }

  /// The mean λ of every source over the seeds, step by step.
  private var weightCurves: [Chart.Series] {
    let runs = zip(results.cells, results.records).filter { $0.0.scheme == .more }.map(\.1.weights)
    guard let steps = runs.map(\.count).min(), steps > 0 else { return [] }
    return sources.indices.map { source in
      let curve = (0..<steps).map { step in
        (
          step: step + 1,
          value: runs.reduce(0) { $0 + $1[step][source] } / Double(runs.count)
        )
      }
      return Chart.Series(sources[source].name, smoothed(curve, points: 20))
    }
  }

  private var weightChart: Chart {
    Chart(
      "Weights λ of the sources in MORE",
      caption: "Mean over seeds and over runs of steps; 1/\(sources.count) is MultiTask.",
      x: .init("step"), y: .init("λ", range: 0...1), .lines(weightCurves))
  }

  private func smoothed(_ series: [(step: Int, value: Double)], points: Int) -> [Chart.Point] {
    let width = max(1, series.count / points)
    return stride(from: 0, to: series.count, by: width).map { start in
      let run = series[start..<min(series.count, start + width)]
      return Chart.Point(
        Double(run[run.endIndex - 1].step), run.reduce(0) { $0 + $1.value } / Double(run.count))
    }
  }

  /// Accuracy (%) on Helpful, Harmless, OASST1, WebGPT, Summarize, their mean, and the mean ECE.
  private static let paperTable = TextTable(
    columns: [
      "base, scheme", "Helpful", "Harmless", "OASST1", "WebGPT", "Summarize", "average", "ECE",
    ],
    rows: [
      ["Pythia-1.4B, Top", "67.81", "69.07", "62.43", "65.70", "62.56", "65.51", "0.0362"],
      ["Pythia-1.4B, Averaging", "55.73", "51.81", "57.68", "53.60", "55.50", "54.86", "0.0543"],
      ["Pythia-1.4B, MultiTask", "65.00", "64.57", "60.13", "66.00", "57.49", "62.38", "0.0541"],
      ["Pythia-1.4B, MORE", "64.07", "64.57", "62.43", "63.41", "62.22", "63.34", "0.0364"],
      ["Pythia-2.8B, Top", "68.06", "70.84", "60.86", "64.93", "62.33", "66.13", "0.0342"],
      ["Pythia-2.8B, Averaging", "58.80", "52.55", "59.03", "51.83", "51.70", "54.78", "0.0685"],
      ["Pythia-2.8B, MultiTask", "66.49", "66.73", "63.37", "64.48", "58.95", "64.00", "0.0456"],
      ["Pythia-2.8B, MORE", "65.39", "66.34", "63.58", "65.39", "59.39", "64.01", "0.0366"],
      ["LLaMA2-7B, Top", "73.08", "74.84", "63.58", "67.07", "68.65", "69.27", "0.0334"],
      ["LLaMA2-7B, Averaging", "61.90", "54.15", "56.21", "55.16", "63.60", "58.20", "0.0391"],
      ["LLaMA2-7B, MultiTask", "72.10", "72.70", "64.62", "71.95", "69.30", "70.13", "0.0570"],
      ["LLaMA2-7B, MORE", "71.93", "72.70", "65.88", "70.27", "70.85", "70.32", "0.0458"],
      ["LLaMA2-13B, Top", "75.29", "74.82", "65.98", "67.07", "71.18", "71.46", "0.0275"],
      ["LLaMA2-13B, Averaging", "56.04", "49.38", "56.41", "59.32", "45.96", "53.42", "0.0471"],
      ["LLaMA2-13B, MultiTask", "73.85", "73.91", "65.36", "71.98", "69.59", "70.90", "0.0561"],
      ["LLaMA2-13B, MORE", "73.80", "73.22", "64.95", "69.51", "70.14", "70.32", "0.0502"],
    ])
}
