import PlumbData
import PlumbEvaluation

/// Gains by a base preference model, set by set and suite by suite.
struct FinetuneReport {
  let configuration: PreferenceFinetuneConfiguration
  let tests: SuiteLayout
  /// Training pairs of each set.
  let counts: [Int]
  let records: [PreferenceFinetuneStage.Cell: PreferenceFinetuneStage.Record]

  /// Accuracy and loss of one set on some tests, without and with the base.
  struct Gain {
    let set: Int
    let suite: PreferenceSuite
    let name: String
    let rows: Int
    let without: Double
    let with: Double
    /// With minus without; over test prompts and runs.
    let accuracy: Contrast
    let nll: Contrast

    /// The gain as a share of the accuracy without the base, as the paper's tables have it.
    var relative: Double { accuracy.value / without }
    var relativeInterval: ClosedRange<Double> {
      (accuracy.interval.lower / without)...(accuracy.interval.upper / without)
    }
  }

  private func gains(_ suite: PreferenceSuite, _ name: String, _ rows: [Int]) -> [Gain] {
    guard tests.hasSample(rows) else { return [] }
    return counts.indices.map { set in
      func contrast(_ value: (Double) -> Double) -> (losses: ScalingLosses, found: Contrast) {
        let values = (0..<configuration.runs).map { run in
          [false, true].map { hasBase in
            (records[.init(size: set, run: run, hasBase: hasBase)]?.logOdds ?? []).map {
              value(Double($0))
            }
          }
        }
        // Two "sizes": without the base, and with it.
        let losses = tests.losses(rows, sizes: [1, 2], values: values)
        return (losses, Contrast(losses, factors: [-1, 1]))
      }
      let accuracy = contrast(pairPoints)
      let means = accuracy.losses.means
      return Gain(
        set: set, suite: suite, name: name, rows: rows.count, without: means[0], with: means[1],
        accuracy: accuracy.found, nll: contrast(pairLoss).found)
    }
  }

  func result() -> StageResult {
    let suites = tests.suites.flatMap { gains($0, $0.rawValue, tests.rows(of: $0)) }
    let tasks = tests.tasks.indices.flatMap { task in
      gains(tests.tasks[task].suite, tests.tasks[task].name, tests.rows(ofTask: task))
    }
    let all = gains(.subjective, "all suites", Array(0..<tests.count))
    let main = table("Fine-tuning with and without the base", suites + all, withPaper: true)
    let blocks: [ReportBlock] = [
      .paragraph(
        "Every training is done \(configuration.runs) times; the two of a pair share data, order and "
          + "seed. The weights of the lowest validation loss are kept. Gains are relative, as in the "
          + "paper: (with − without) / without. Intervals are 95 %, over test prompts and runs; all "
          + "suites: mean over all tasks."),
      .table(main), .table(validationTable), .charts([chart(suites)]),
    ]
    return StageResult(
      figures: (suites + all + tasks).flatMap(figures), claims: claims(suites, all),
      tables: [main],
      sections: [
        ReportSection("Fine-tuning from a base preference model", blocks),
        ReportSection("Gains by task", [.table(table("", tasks, withPaper: false))]),
      ])
  }

  private func setName(_ set: Int) -> String {
    let names =
      counts.count == 3
      ? ["small", "medium", "large"] : counts.indices.map { "set \($0 + 1)" }
    return "\(names[set]) (\(counts[set]))"
  }

  private func table(_ title: String, _ gains: [Gain], withPaper: Bool) -> TextTable {
    TextTable(
      title: title,
      columns: [
        "set (pairs)", "tests", "n", "without", "with", "relative gain", "NLL change (nats)",
      ] + (withPaper ? [Self.paperColumn] : []),
      rows: gains.sorted { $0.set < $1.set }.map { gain in
        let relative = [gain.relativeInterval.lowerBound, gain.relativeInterval.upperBound]
        let nll = gain.nll.interval
        return [
          setName(gain.set), gain.name, "\(gain.rows)", NumberText.percent(gain.without),
          NumberText.percent(gain.with),
          NumberText.interval(gain.relative * 100, relative.map { $0 * 100 }, decimals: 1) + " %",
          NumberText.interval(gain.nll.value, [nll.lower, nll.upper]),
        ] + (withPaper ? [paper(gain) ?? "–"] : [])
      })
  }

  /// The paper corrects its accuracies for style, which shrinks the gains of the adversarial suite.
  static let paperColumn =
    "WorldPM 7B, relative gain (style-controlled in the paper, raw here)"

  private func paper(_ gain: Gain) -> String? {
    guard counts.count == 3, gain.name == gain.suite.rawValue,
      let share = WorldPMGains.relative(gain.suite, set: gain.set)
    else { return nil }
    let raw = WorldPMGains.raw(gain.suite, set: gain.set)
      .map { "; raw \(NumberText.fixed($0 * 100, 1)) %" }
    return "\(WorldPMGains.sets[gain.set]): \(NumberText.fixed(share * 100, 1)) %" + (raw ?? "")
  }

  private var validationTable: TextTable {
    TextTable(
      title: "Lowest validation loss (nats), means over runs",
      columns: ["set (pairs)", "without", "with"],
      rows: counts.indices.map { set in
        [setName(set)]
          + [false, true].map { hasBase in
            let losses = (0..<configuration.runs).compactMap {
              records[.init(size: set, run: $0, hasBase: hasBase)]?.validation
            }
            return NumberText.fixed(losses.reduce(0, +) / Double(max(1, losses.count)), 4)
          }
      })
  }

  private func chart(_ gains: [Gain]) -> Chart {
    Chart(
      "Relative gain in accuracy by the base",
      caption: "Bars are 95 % intervals over test prompts and runs.",
      y: .init("relative gain (%)"),
      .bars(
        gains.sorted { $0.set < $1.set }.map { gain in
          let interval = gain.relativeInterval
          return Chart.Bar(
            gain.name, gain.relative * 100,
            interval: (interval.lowerBound * 100)...(interval.upperBound * 100),
            series: setName(gain.set))
        }))
  }

  private func figures(_ gain: Gain) -> [Figure] {
    let name = "\(counts[gain.set])/\(gain.name)"
    return [
      Figure("\(name)/accuracy_without", gain.without, sampleSize: gain.rows),
      Figure("\(name)/accuracy_with", gain.with, sampleSize: gain.rows),
      Figure(
        "\(name)/relative_gain", gain.relative, interval: gain.relativeInterval,
        sampleSize: gain.rows),
      Figure(
        "\(name)/nll_change", gain.nll.value, interval: gain.nll.interval.range, unit: "nats",
        sampleSize: gain.rows),
    ]
  }

  private func claims(_ suites: [Gain], _ all: [Gain]) -> [Claim] {
    let gained = suites.map { gain in
      Claim(
        "\(gain.suite.rawValue), \(setName(gain.set)): the base raises accuracy (lower end of the "
          + "relative gain's 95 % interval)",
        measured: gain.relativeInterval.lowerBound, .above, 0,
        paper: paper(gain).map {
          "\($0) (7B; arXiv 2505.10527, Table 2, style-controlled; raw: Tables 8 and 9)"
        })
    }
    guard let first = all.first, let last = all.last, counts.count > 1 else { return gained }
    return gained + [
      Claim(
        "the gain over all suites is greater for the smallest set than for the largest "
          + "(difference of relative gains)",
        measured: first.relative - last.relative, .above, 0,
        paper: counts.count == 3
          ? "7B, style-controlled: \(WorldPMGains.overall(set: 0)) with HelpSteer2 (7K), "
            + "\(WorldPMGains.overall(set: 2)) with RLHFlow (800K) (arXiv 2505.10527, Table 2)"
          : nil)
    ]
  }
}

/// Accuracies without and with WorldPM, 7B, style-controlled (arXiv 2505.10527, Table 2), in per cent.
enum WorldPMGains {
  /// The paper's sets from small to large.
  static let sets = ["HelpSteer2 (7K)", "UltraFeedback (100K)", "RLHFlow (800K)"]

  /// [set] pairs of (without, with) of each benchmark that the paper counts to a suite (A.4).
  private static let accuracies: [PreferenceSuite: [[(without: Double, with: Double)]]] = [
    // RewardBench chat-hard, RM-Bench chat, OffsetBias.
    .adversarial: [
      [(81.25, 83.99), (78.29, 82.17), (78.87, 86.60)],
      [(77.52, 79.82), (80.23, 81.01), (81.68, 82.94)],
      [(81.47, 82.57), (82.17, 82.56), (83.43, 85.69)],
    ],
    // PPE MBPP, GPQA, IFEval, MMLU; RM-Bench math and code.
    .objective: [
      [
        (72.24, 73.55), (56.27, 56.70), (58.81, 57.34), (63.55, 66.52), (70.70, 75.99),
        (57.68, 60.96),
      ],
      [
        (69.77, 73.55), (56.19, 55.43), (57.42, 57.03), (65.64, 66.66), (72.12, 75.71),
        (59.21, 62.94),
      ],
      [
        (75.06, 76.83), (57.34, 57.60), (62.09, 62.38), (67.97, 70.27), (76.56, 80.43),
        (65.35, 67.76),
      ],
    ],
    // PPE human preference, RMB helpful.
    .subjective: [
      [(63.32, 64.93), (74.33, 77.02)], [(63.22, 63.86), (78.37, 78.82)],
      [(66.18, 66.78), (78.66, 79.27)],
    ],
  ]

  /// The relative gain of a suite's mean accuracy.
  static func relative(_ suite: PreferenceSuite, set: Int) -> Double? {
    guard let table = accuracies[suite], table.indices.contains(set) else { return nil }
    return share(table[set])
  }

  /// The relative gain of a suite's mean accuracy without style control (Tables 8 and 9), where all its
  /// benchmarks are known to us: the adversarial suite after the small set.
  static func raw(_ suite: PreferenceSuite, set: Int) -> Double? {
    // RewardBench chat-hard, RM-Bench chat, OffsetBias.
    suite == .adversarial && set == 0
      ? share([(62.50, 74.89), (51.94, 65.12), (63.76, 82.40)]) : nil
  }

  /// The relative gain of the mean over all benchmarks above.
  static func overall(set: Int) -> String {
    let all = PreferenceSuite.allCases.flatMap { accuracies[$0]?[set] ?? [] }
    return NumberText.fixed(share(all) * 100, 1) + " %"
  }

  private static func share(_ rows: [(without: Double, with: Double)]) -> Double {
    rows.reduce(0) { $0 + $1.with } / rows.reduce(0) { $0 + $1.without } - 1
  }
}
