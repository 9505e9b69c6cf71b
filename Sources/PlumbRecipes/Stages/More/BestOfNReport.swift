import PlumbEvaluation
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// Tables, plots and claims of rejection sampling.
struct BestOfNReport {
  let found: BestOfN
  let configuration: BestOfNConfiguration
  let stage: String
  let buffer: RolloutBuffer

  private var prompts: Int { found.verdicts.count }

  var result: StageResult {
    let schemes = schemeTable
    var blocks: [ReportBlock] = [
      .paragraph(
        "\(prompts) prompts that no stage trained on. Of \(configuration.n) answers of "
          + "'\(configuration.policy)' every model chooses one; '\(configuration.judge)' holds it against "
          + "\(configuration.baselineSamples) other answers of the policy. A tie counts half; intervals "
          + "are 95 % bootstrap intervals over prompts. The ceiling chooses by the judge itself."),
      .table(schemes),
    ]
    if found.entries.count > 1 { blocks.append(.charts([bars])) }
    let correlations = correlations
    if !correlations.isEmpty {
      blocks += [
        .heading("Does calibration go with alignment?"),
        .paragraph(
          "One point per model: its mean expected calibration error on the held-out pairs of all sources, "
            + "and its alignment gain, the win rate over single samples less one half. Seeds of a scheme "
            + "resemble each other, so the intervals of the coefficients draw whole schemes again."),
        .table(correlationTable(correlations)),
        .charts([
          scatter("Alignment gain against calibration error", "mean ECE on held-out pairs") {
            $0.ece
          },
          scatter("Alignment gain against accuracy", "mean accuracy on held-out pairs") {
            $0.accuracy
          },
        ]),
      ]
    }
    let modelTable = modelTable
    blocks.append(.details(summary: "Every model", text: modelTable.text))
    var sections = [ReportSection("\(stage): best of \(configuration.n)", blocks)]
    if configuration.samples > 0 {
      sections.append(ReportSection("\(stage): answers", [.samples(samples)]))
    }
    return StageResult(
      figures: figures(correlations), claims: claims(correlations), tables: [schemes],
      sections: sections)
  }

  private func cell(_ rate: WinRate) -> String {
    NumberText.interval(rate.rate, [rate.interval.lower, rate.interval.upper])
  }

  private var schemeTable: TextTable {
    TextTable(
      title: "Best of \(configuration.n) over the policy's single samples",
      columns: ["chosen by", "models", "mean ECE", "win rate"],
      rows: found.schemes.map { name, models in
        let errors = models.compactMap { found.entries[$0].ece }
        return [
          name, "\(models.count)",
          errors.isEmpty
            ? "–" : NumberText.fixed(errors.reduce(0, +) / Double(errors.count), 4),
          cell(found.winRate(models: models)),
        ]
      } + [
        ["the judge itself (ceiling)", "1", "–", cell(found.winRate(found.ceiling))],
        ["nobody (the first answer)", "0", "–", cell(found.winRate(found.blind))],
      ])
  }

  private var modelTable: TextTable {
    TextTable(
      columns: ["model", "scheme", "accuracy", "ECE", "win rate", "wins", "ties", "losses"],
      rows: found.entries.indices.map { index in
        let entry = found.entries[index]
        let rate = found.winRate(found.picks[index])
        return [
          entry.name, entry.scheme, entry.accuracy.map { NumberText.fixed($0, 3) } ?? "–",
          entry.ece.map { NumberText.fixed($0, 4) } ?? "–", cell(rate), "\(rate.wins)",
          "\(rate.ties)", "\(rate.losses)",
        ]
      })
  }

  private var bars: Chart {
    Chart(
      "Win rate over single samples",
      caption: "Choices by each scheme's models; 95 % intervals over prompts. One half is no gain.",
      x: .init(""), y: .init("win rate"),
      .bars(
        found.schemes.map { name, models in
          let rate = found.winRate(models: models)
          return Chart.Bar(name, rate.rate, interval: rate.interval.range)
        }))
  }

  private func scatter(
    _ title: String, _ label: String, _ x: (BestOfN.Point) -> Double
  ) -> Chart {
    let points = found.points
    var names: [String] = []
    for point in points where !names.contains(point.entry.scheme) {
      names.append(point.entry.scheme)
    }
    return Chart(
      title, caption: "\(points.count) models; vertical bars are 95 % intervals over prompts.",
      x: .init(label), y: .init("alignment gain"),
      .scatter(
        names.map { name in
          Chart.Series(
            name,
            points.filter { $0.entry.scheme == name }.map { point in
              let interval = point.gain.interval
              return Chart.Point(
                x(point), point.alignmentGain,
                interval: (interval.lower - 0.5)...(interval.upper - 0.5))
            })
        }))
  }

  /// What is correlated with the gain, and how strongly.
  private typealias Named = (name: String, label: String, value: Correlation)

  private var correlations: [Named] {
    let points = found.points
    let gains = points.map(\.alignmentGain)
    let schemes = points.map(\.entry.scheme)
    return [("ece", "ECE", points.map(\.ece)), ("accuracy", "accuracy", points.map(\.accuracy))]
      .flatMap { name, label, values in
        Correlation.Method.allCases.compactMap { method in
          Correlation(method, values, gains, clusters: schemes, seed: found.seed).map {
            (
              "\(method.rawValue)_\(name)_gain",
              "\(label) and gain, \(method == .pearson ? "Pearson's r" : "Spearman's ρ")", $0
            )
          }
        }
      }
  }

  private func correlationTable(_ correlations: [Named]) -> TextTable {
    TextTable(
      columns: ["correlation of", "models", "schemes", "coefficient"],
      rows: correlations.map { _, label, value in
        [
          label, "\(value.points)", "\(value.clusters)",
          NumberText.interval(
            value.coefficient, [value.interval.lower, value.interval.upper], decimals: 2),
        ]
      })
  }

  private func figures(_ correlations: [Named]) -> [Figure] {
    func figure(_ name: String, _ rate: WinRate) -> Figure {
      Figure(
        "\(name)/win_rate", rate.rate, interval: rate.interval.range, sampleSize: prompts)
    }
    var figures = found.schemes.map {
      figure("scheme/\($0.name)", found.winRate(models: $0.models))
    }
    figures += found.entries.indices.map {
      figure("model/\(found.entries[$0].name)", found.winRate(found.picks[$0]))
    }
    figures.append(figure("ceiling", found.winRate(found.ceiling)))
    figures.append(figure("blind", found.winRate(found.blind)))
    if let duel = found.duel("more", "multi-task") {
      figures.append(figure("more_vs_multi-task", duel))
    }
    return figures
      + correlations.map {
        Figure(
          $0.name, $0.value.coefficient, interval: $0.value.interval.range,
          sampleSize: $0.value.clusters)
      }
  }

  private func claims(_ correlations: [Named]) -> [Claim] {
    var claims: [Claim] = []
    if let duel = found.duel("more", "multi-task") {
      claims.append(
        Claim(
          "best of \(configuration.n) by MORE beats that by MultiTask under the judge "
            + "(win rate, ties half: lower end of the 95 % interval)",
          measured: duel.interval.lower, .above, 0.5,
          paper:
            "wins/ties/losses 44/22/34 (1.4B), 45/21/34 (2.8B), 45/23/32 (7B) (arXiv 2312.07401, "
            + "Table 1)"))
    }
    if let pearson = correlations.first(where: { $0.name == "pearson_ece_gain" }) {
      claims.append(
        Claim(
          "a lower calibration error goes with a higher alignment gain (Pearson's r, upper end of "
            + "the 95 % interval over \(pearson.value.clusters) schemes)",
          measured: pearson.value.interval.upper, .below, 0,
          paper:
            "the same direction for 7B models, without a coefficient (arXiv 2312.07401, Figure 7)"
        ))
    }
    return claims
  }

  private var samples: [SampleRow] {
    (0..<min(configuration.samples, prompts)).map { index in
      let group = buffer.groups[index]
      let scores = found.verdicts[index].scores
      func answer(_ name: String, _ place: Int) -> SampleRow.Answer {
        SampleRow.Answer(
          model: name, text: group.responses[place].text,
          note: scores.map { "judge \(NumberText.fixed($0[place], 2))" } ?? "")
      }
      let chosen = found.schemes.prefix(6).map { name, models in
        answer("by \(name)", found.picks[models[0]][index])
      }
      return SampleRow(
        prompt: group.prompt.map(\.content).joined(separator: "\n\n"),
        answers: chosen + [answer("single sample", found.n)])
    }
  }
}
