import Foundation
import PlumbData
import PlumbEvaluation

/// Curves, laws and verdicts of a scaling grid.
struct ScalingReport {
  let configuration: PreferenceScalingConfiguration
  let tests: SuiteLayout
  let seed: UInt64
  /// [model][run].
  let records: [[PreferenceScalingStage.Record]]

  /// One model on one set of tests.
  struct Curve {
    let model: String
    let parameters: Int
    let suite: PreferenceSuite
    let name: String
    let rows: Int
    let means: [Double]
    let verdict: ScalingVerdict
  }

  private var sizes: [Double] { configuration.sizes.map(Double.init) }

  /// The names of the models: their sizes, with a number where two are alike.
  private var labels: [String] {
    var seen: [String: Int] = [:]
    return records.map { runs in
      let label = Self.label(runs.first?.parameters ?? 0)
      seen[label, default: 0] += 1
      return seen[label] == 1 ? label : "\(label) (\(seen[label] ?? 0))"
    }
  }

  /// `1.31M` for a model of 1 312 000 parameters.
  static func label(_ parameters: Int) -> String {
    let millions = Double(parameters) / 1e6
    return NumberText.fixed(millions, millions < 10 ? 2 : 0) + "M"
  }

  private func curves(_ suite: PreferenceSuite, _ name: String, _ rows: [Int]) -> [Curve] {
    guard tests.hasSample(rows) else { return [] }
    return zip(labels, records).map { label, runs in
      let losses = tests.losses(
        rows, sizes: sizes,
        values: runs.map { $0.logOdds.map { $0.map { pairLoss(Double($0)) } } })
      let parameters = runs.first?.parameters ?? 0
      return Curve(
        model: label, parameters: parameters, suite: suite, name: name,
        rows: rows.count, means: losses.means,
        verdict: ScalingVerdict(losses, margin: configuration.flatMargin, seed: seed))
    }
  }

  func result() -> StageResult {
    let suites = tests.suites.map { suite in
      (suite: suite, curves: curves(suite, suite.rawValue, tests.rows(of: suite)))
    }
    let tasks = tests.tasks.indices.flatMap { task in
      curves(tests.tasks[task].suite, tests.tasks[task].name, tests.rows(ofTask: task))
    }
    let beside = besideThePaper(suites)
    var blocks: [ReportBlock] = [
      .paragraph(rule), .table(beside), .charts(suites.map { chart($0.suite, $0.curves) }),
      .table(table("Laws by suite", suites.flatMap { $0.curves })),
      .charts(suites.map { overParameters($0.suite, $0.curves) }),
    ]
    let validation = validationChart()
    if let validation { blocks.append(.charts([validation])) }
    return StageResult(
      figures: suites.flatMap { $0.curves.flatMap(figures) } + tasks.flatMap(figures),
      claims: claims(suites),
      tables: [beside, table("Laws by suite", suites.flatMap { $0.curves })],
      sections: [
        ReportSection("Scaling of preference modelling", blocks),
        ReportSection("Scaling by task", [.table(table("", tasks))]),
      ])
  }

  private var rule: String {
    "Each model is trained \(configuration.runs) times in one pass over the pairs; losses are measured "
      + "along the way. The rule was fixed beforehand. Flat: the 95 % interval of the change over all "
      + "sizes lies within ±\(NumberText.short(configuration.flatMargin)) nats. Otherwise rises or "
      + "falls: the slope over log2 of the pairs differs from 0 (p < 0.05, test prompts and runs both "
      + "taken as samples). Power law: it falls, does not fall ever faster, and a·x^−b + c, or its limit, "
      + "a line in log x, has the lower AICc than a constant. Undetermined: anything else. One flat "
      + "curve in twenty will be called otherwise."
  }

  private static let bands = "Bands: 95 % bootstrap intervals over test prompts and runs."

  /// A measured loss with its interval.
  private func point(_ x: Double, _ curve: Curve, size: Int) -> Chart.Point {
    Chart.Point(x, curve.means[size], interval: curve.verdict.pointIntervals[size].range)
  }

  private func chart(_ suite: PreferenceSuite, _ curves: [Curve]) -> Chart {
    let measured = curves.map { curve in
      Chart.Series(curve.model, sizes.indices.map { point(sizes[$0], curve, size: $0) })
    }
    let fits = curves.compactMap { curve -> Chart.Series? in
      guard curve.verdict.kind == .powerLaw, let law = curve.verdict.law else { return nil }
      let (low, high) = (log(sizes[0]), log(sizes[sizes.count - 1]))
      return Chart.Series(
        "\(curve.model), law",
        (0...24).map { step in
          let x = exp(low + (high - low) * Double(step) / 24)
          return Chart.Point(x, law.loss(at: x))
        }, dashed: true)
    }
    return Chart(
      "\(suite.rawValue.capitalized): test loss over data",
      caption: curves.map { "\($0.model): \($0.verdict.kind.rawValue)" }.joined(separator: "; ")
        + ". \(Self.bands)",
      x: .init("training pairs", scale: .logarithmic), y: .init("loss (nats/pair)"),
      .lines(measured + fits))
  }

  private func overParameters(_ suite: PreferenceSuite, _ curves: [Curve]) -> Chart {
    Chart(
      "\(suite.rawValue.capitalized): test loss over model size",
      caption: "One line for each number of training pairs. \(Self.bands)",
      x: .init("parameters", scale: .logarithmic), y: .init("loss (nats/pair)"),
      .lines(
        configuration.sizes.indices.map { size in
          Chart.Series(
            "\(configuration.sizes[size]) pairs",
            curves.map { point(Double($0.parameters), $0, size: size) })
        }))
  }

  private func validationChart() -> Chart? {
    guard records.allSatisfy({ $0.allSatisfy { !$0.validation.isEmpty } }) else { return nil }
    return Chart(
      "Loss on validation pairs of the training distribution", caption: "Means over runs.",
      x: .init("training pairs", scale: .logarithmic), y: .init("loss (nats/pair)"),
      .lines(
        zip(labels, records).map { label, runs in
          Chart.Series(
            label,
            sizes.indices.map { size in
              Chart.Point(
                sizes[size],
                runs.reduce(0) { $0 + $1.validation[size] } / Double(runs.count))
            })
        }))
  }

  private func table(_ title: String, _ curves: [Curve]) -> TextTable {
    let fixed = { (value: Double) in NumberText.fixed(value, 3) }
    return TextTable(
      title: title,
      columns: [
        "tests", "model", "n", "loss, least data", "loss, most", "change (nats)", "p of trend",
        "fit (of resamples)", "a·x^−b + c", "verdict",
      ],
      rows: curves.map { curve in
        let verdict = curve.verdict
        let interval = verdict.change.interval
        let law = verdict.law.map { law in
          let b = verdict.lawIntervals.map { [$0[1].lower, $0[1].upper] }
          let c = verdict.lawIntervals.map { [$0[2].lower, $0[2].upper] }
          return
            "a \(NumberText.short(law.a, digits: 3)), b \(NumberText.interval(law.b, b, decimals: 2)), "
            + "c \(NumberText.interval(law.c, c))"
        }
        let share = NumberText.percent(verdict.lawShare, decimals: 0)
        return [
          curve.name, curve.model, "\(curve.rows)", fixed(curve.means[0]),
          fixed(curve.means[curve.means.count - 1]),
          NumberText.interval(verdict.change.value, [interval.lower, interval.upper]),
          fixed(verdict.slope.pValue), "\(law == nil ? "none" : "found") (\(share))", law ?? "–",
          "\(verdict.kind.rawValue): \(verdict.reason)",
        ]
      })
  }

  private func figures(_ curve: Curve) -> [Figure] {
    let verdict = curve.verdict
    let name = "\(curve.name)/\(curve.model)"
    var figures = [
      Figure(
        "\(name)/change", verdict.change.value, interval: verdict.change.interval.range,
        unit: "nats", sampleSize: curve.rows),
      Figure("\(name)/p_trend", verdict.slope.pValue, sampleSize: curve.rows),
      Figure("\(name)/law_share", verdict.lawShare, sampleSize: curve.rows),
      Figure(
        "\(name)/final_nll", curve.means[curve.means.count - 1], unit: "nats",
        sampleSize: curve.rows),
    ]
    if let law = verdict.law, let intervals = verdict.lawIntervals {
      figures.append(
        Figure("\(name)/exponent", law.b, interval: intervals[1].range, sampleSize: curve.rows))
    }
    return figures
  }

  // MARK: The paper

  /// What WorldPM found for 1.5B, 7B and 72B on up to 15M pairs.
  private static func paper(_ suite: PreferenceSuite) -> String {
    switch suite {
    case .adversarial: "power law for all sizes"
    case .objective: "power law for the largest model only; the smallest shows none"
    case .subjective: "flat or rising for all sizes"
    }
  }

  private func besideThePaper(
    _ suites: [(suite: PreferenceSuite, curves: [Curve])]
  ) -> TextTable {
    TextTable(
      title: "Does the test loss fall as a power law of the data?",
      columns: ["suite", "WorldPM: 1.5B, 7B, 72B on 15M pairs"]
        + labels,
      rows: suites.map { suite, curves in
        [suite.rawValue, Self.paper(suite)]
          + records.indices.map { model in
            model < curves.count ? curves[model].verdict.kind.rawValue : "–"
          }
      })
  }

  private func claims(_ suites: [(suite: PreferenceSuite, curves: [Curve])]) -> [Claim] {
    suites.flatMap { suite, curves -> [Claim] in
      guard let smallest = curves.first, let largest = curves.last, curves.count > 1 else {
        return []
      }
      let paper = "\(Self.paper(suite)) (arXiv 2505.10527, 3.2)"
      let count = Double(curves.count)
      switch suite {
      case .adversarial:
        return [
          Claim(
            "adversarial: sizes with a power law",
            measured: Double(curves.count { $0.verdict.kind == .powerLaw }), .atLeast, count,
            paper: paper)
        ]
      case .objective:
        let differ = largest.verdict.kind == .powerLaw && smallest.verdict.kind != .powerLaw
        return [
          Claim(
            "objective: a power law for the largest model and none for the smallest (1 = yes)",
            measured: differ ? 1 : 0, .atLeast, 1, paper: paper)
        ]
      case .subjective:
        return [
          Claim(
            "subjective: sizes whose loss is flat or rises",
            measured: Double(
              curves.count { $0.verdict.kind == .flat || $0.verdict.kind == .rises }), .atLeast,
            count, paper: paper)
        ]
      }
    }
  }
}
