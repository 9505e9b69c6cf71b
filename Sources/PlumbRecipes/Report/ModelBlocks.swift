import PlumbEvaluation
import PlumbPreferences

extension MeasuredModels {
  /// A row for every model, its reliability, and its slices behind a fold.
  var section: ReportSection {
    var blocks: [ReportBlock] = [
      .paragraph(explanation), .table(calibrationTable), .table(styleTable),
    ]
    let found = models.compactMap { model in model.found.map { (model.name, $0.analysis) } }
    if found.count <= Self.mostCharts, !found.isEmpty {
      blocks.append(.charts(found.map { $1.reliabilityChart(title: $0) }))
    }
    blocks += found.map { name, analysis in
      ReportBlock.details(
        summary: "\(name): reliability and slices",
        text: ([analysis.reliabilityTable] + analysis.sliceTables).map(\.text)
          .joined(separator: "\n"))
    }
    return ReportSection("Calibration and style of each model", blocks)
  }

  private var explanation: String {
    "Test pairs, each counting alike; 95 % intervals from \(Self.resamples) bootstrap draws of whole "
      + "prompts. ECE has both orders of each pair, folded ECE the confidence of the likelier answer, "
      + "adaptive ECE bins of equal mass. T is the temperature that makes the model's own validation "
      + "pairs likeliest (\"separable\": it predicts all of them rightly; \"no signal\": none is better "
      + "than a coin; –: there are no such pairs). The style control is fitted on the same validation "
      + "pairs; with † there are none, and it is fitted on the other folds of the test pairs, by "
      + "prompt. φ goes from −1 to 1: how far the model's choice, and people's, go along with the "
      + "longer answer, and with the one with more Markdown."
  }

  /// A row per model: calibration as it is and with the temperature.
  var calibrationTable: TextTable {
    TextTable(
      title: "Calibration of each model",
      columns: [
        "model", "pairs", "accuracy", "NLL (nats)", "Brier score", "ECE", "folded ECE",
        "adaptive ECE", "T", "ECE with T", "NLL with T",
      ],
      rows: models.map { name, found in
        guard let analysis = found?.analysis else {
          return [name] + [String](repeating: "–", count: 10)
        }
        func short(_ metric: CalibrationMetric, of measured: MeasuredCalibration?) -> String {
          measured.map { NumberText.fixed($0.value(metric), 3) } ?? "–"
        }
        let (all, effect) = (analysis.all, analysis.temperature)
        let temperature = effect.map { effect in
          effect.fit.temperature.map {
            NumberText.interval($0, effect.interval?.ends, decimals: 2)
          } ?? effect.fit.status
        }
        return [
          name, "\(all.calibration.pairs)", all.text(.accuracy), short(.nll, of: all),
          short(.brier, of: all), all.text(.ece), short(.foldedECE, of: all),
          short(.adaptiveECE, of: all), temperature ?? "–",
          effect?.after?.text(.ece) ?? "–", short(.nll, of: effect?.after),
        ]
      })
  }

  /// A row per model: what is left of its accuracy without the answers' looks.
  var styleTable: TextTable {
    TextTable(
      title: "Style of each model",
      columns: [
        "model", "accuracy, chosen longer", "accuracy, chosen shorter",
        "accuracy, style-controlled", "accuracy, style alone", "φ length, model",
        "φ length, people", "φ Markdown, model", "φ Markdown, people",
      ],
      rows: models.map { name, found in
        guard let style = found?.analysis.style else {
          return [name] + [String](repeating: "–", count: 8)
        }
        let mark = if case .crossFit = style.fit { " †" } else { "" }
        func phi(_ property: String) -> [String] {
          let found = style.associations.first { $0.property == property }?.association
          return [found?.prediction, found?.label].map { value in
            value.map { NumberText.fixed($0, 3) } ?? "–"
          }
        }
        return [
          name, style.chosenLonger?.text(.accuracy) ?? "–",
          style.chosenShorter?.text(.accuracy) ?? "–", style.controlled.text(.accuracy) + mark,
          style.styleOnly.text(.accuracy) + mark,
        ] + phi(StyleFeature.length.rawValue) + phi("markdown")
      })
  }
}

extension PreferenceAnalysis {
  /// The reliability diagram with its counts, as text.
  fileprivate var reliabilityTable: TextTable {
    TextTable(
      title: "Reliability, both orders of each pair",
      columns: ["from"]
        + calibrations.flatMap { name, _ in
          ["entries, \(name)", "mean predicted", "observed"]
        },
      rows: all.calibration.bins.indices.map { bin in
        [NumberText.fixed(all.calibration.bins[bin].lowerBound, 2)]
          + calibrations.flatMap { _, measured in
            let bin = measured.calibration.bins[bin]
            return bin.count == 0
              ? ["0", "–", "–"]
              : [
                "\(bin.count)", NumberText.fixed(bin.meanProbability, 3),
                NumberText.fixed(bin.winRate, 3),
              ]
          }
      })
  }
}
