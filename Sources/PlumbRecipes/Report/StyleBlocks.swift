import PlumbEvaluation
import PlumbPreferences

extension PreferenceAnalysis {
  /// What is left of a model's agreement with people without the answers' looks.
  func styleBlocks(_ style: StyleAnalysis) -> [ReportBlock] {
    let fit =
      switch style.fit {
      case .validation(let pairs, let shared):
        "on \(pairs) validation pairs"
          + (shared == 0 ? "" : " (\(shared) more share a prompt with the test and were left out)")
      case .crossFit(let folds): "on the other folds of the test pairs (\(folds) folds by prompt)"
      }
    let rows = [
      ("as it is (D)", style.raw), ("no control (D·α)", style.noControl),
      ("style-controlled (D·α + Zᵀβ)", style.controlled), ("style alone (Zᵀβ)", style.styleOnly),
    ].map { name, measured in
      [name, "\(measured.calibration.pairs)", measured.text(.accuracy), measured.text(.nll)]
    }
    let weights = zip(style.features, style.beta).map { feature, weight in
      "\(feature.rawValue) \(NumberText.fixed(weight, 3))"
    }
    let separated =
      style.isSeparated
      ? " The fit separates its pairs, so the sizes of the weights say nothing." : ""
    var blocks: [ReportBlock] = [
      .table(
        TextTable(columns: ["preference", "pairs", "accuracy", "NLL (nats)"], rows: rows)),
      .paragraph(
        "Weights: α \(NumberText.fixed(style.alpha, 3)); \(weights.joined(separator: ", ")). "
          + "Fitted \(fit), never on the pairs they are applied to (WorldPM, arXiv 2505.10527, "
          + "§3.3, fits on the evaluated pairs).\(separated)"),
    ]
    let sides = [
      ("chosen answer longer", style.chosenLonger), ("chosen answer shorter", style.chosenShorter),
    ].compactMap { name, measured in
      measured.map { [name, "\($0.calibration.pairs)", $0.text(.accuracy), $0.text(.nll)] }
    }
    if !sides.isEmpty {
      blocks.append(
        .table(TextTable(columns: ["pairs with", "pairs", "accuracy", "NLL (nats)"], rows: sides)))
    }
    let phis = style.associations.filter { $0.association.pairs > 0 }
    guard !phis.isEmpty else { return blocks }
    func text(_ phi: Double?, _ interval: Interval?) -> String {
      phi.map { NumberText.interval($0, interval?.ends) } ?? "–"
    }
    blocks += [
      .table(
        TextTable(
          title: "φ with having more of …",
          columns: ["property", "pairs that differ", "model's choice", "people's choice"],
          rows: phis.map { property, phi in
            [
              property, "\(phi.pairs)", text(phi.prediction, phi.predictionInterval),
              text(phi.label, phi.labelInterval),
            ]
          })),
      .charts([
        Chart(
          "φ with having more of …",
          caption: "A model that leans on a property more than people do has the higher bar.",
          y: .init("φ"),
          .bars(
            phis.flatMap { property, phi in
              [
                phi.prediction.map {
                  Chart.Bar(
                    property, $0, interval: phi.predictionInterval?.range, series: "model's choice")
                },
                phi.label.map {
                  Chart.Bar(
                    property, $0, interval: phi.labelInterval?.range, series: "people's choice")
                },
              ].compactMap { $0 }
            }))
      ]),
    ]
    return blocks
  }
}
