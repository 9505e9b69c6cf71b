public import PlumbEvaluation
import PlumbPreferences

extension PreferenceAnalysis {
  /// Everything in one section, for the report of a stage.
  public func section(title: String) -> ReportSection {
    var blocks = figureBlocks + [.charts(reliabilityCharts)]
    for section in detailSections { blocks += [.heading(section.title)] + section.blocks }
    return ReportSection(title, blocks)
  }

  /// Everything in sections of its own, for a page.
  public var sections: [ReportSection] {
    [
      ReportSection("Figures", figureBlocks),
      ReportSection("Reliability", [.charts(reliabilityCharts)]),
    ] + detailSections
  }

  private var detailSections: [ReportSection] {
    var sections: [ReportSection] = []
    if let temperature {
      sections.append(ReportSection("Temperature", temperatureBlocks(temperature)))
    }
    if !divided.isEmpty { sections.append(ReportSection("Slices", sliceBlocks)) }
    if let style { sections.append(ReportSection("Style", styleBlocks(style))) }
    return sections
  }

  private var figureBlocks: [ReportBlock] {
    let rows = CalibrationMetric.allCases.map { metric in
      [metric.label, all.text(metric)]
    }
    let draws =
      options.resamples == 0
      ? "no intervals" : "intervals from \(options.resamples) bootstrap draws of whole prompts"
    let ties = ties == 0 ? "" : " In \(ties) pairs the model sees no difference; they count half."
    return [
      .table(TextTable(columns: ["figure", "value and 95 % interval"], rows: rows)),
      .paragraph(
        "\(all.calibration.pairs) pairs of \(all.prompts) prompts; \(options.bins) bins; \(draws). "
          + "ECE with "
          + eceByBins.map { "\($0.bins) bins: \(NumberText.fixed($0.ece, 3))" }
          .joined(separator: ", ") + ".\(ties)"),
    ]
  }

  /// The model as it is and, where there is one, with the temperature, by name.
  var calibrations: [(name: String, measured: MeasuredCalibration)] {
    var found: [(name: String, measured: MeasuredCalibration)] = [("model", all)]
    if let after = temperature?.after, let value = temperature?.fit.temperature {
      found.append(("with temperature \(NumberText.short(value, digits: 3))", after))
    }
    return found
  }

  /// Predicted against observed preference.
  func reliabilityChart(title: String) -> Chart {
    func points(_ measured: MeasuredCalibration) -> [Chart.Point] {
      measured.calibration.bins.filter { $0.count > 0 }.map { bin in
        let count = Double(bin.count)
        return Chart.Point(
          bin.meanProbability, bin.winRate,
          interval: Interval.wilson(
            successes: min(count, bin.winRate * count), trials: bin.count
          ).range, weight: count)
      }
    }
    return Chart(
      "\(title) (ECE \(NumberText.fixed(all.calibration.ece, 3)))",
      caption:
        "Both orders of each pair; dots grow with the number of pairs. Bars: Wilson's 95 % "
        + "interval of the pairs in a bin.",
      x: .init("predicted preference", range: 0...1), y: .init("observed", range: 0...1),
      .reliability(calibrations.map { Chart.Series($0.name, points($0.measured)) }))
  }

  /// Predicted against observed preference, and how many entries each bin has.
  private var reliabilityCharts: [Chart] {
    [
      reliabilityChart(title: "Reliability"),
      Chart(
        "Entries per bin", caption: "Both orders of each pair, so the figure is symmetric.",
        x: .init("predicted preference", range: 0...1), y: .init("entries"),
        .histogram(calibrations.map { histogram($0.name, $0.measured) })),
    ]
  }

  private func histogram(_ name: String, _ measured: MeasuredCalibration) -> Chart.Histogram {
    let bins = measured.calibration.bins
    return Chart.Histogram(
      name, edges: bins.map(\.lowerBound) + [1], counts: bins.map { Double($0.count) })
  }

  private func temperatureBlocks(_ effect: TemperatureEffect) -> [ReportBlock] {
    let leftOut =
      effect.sharedPrompts == 0
      ? ""
      : " \(effect.sharedPrompts) validation pairs whose prompt is in the test were left out."
    let place =
      "on \(effect.validationPairs) validation pairs of \(effect.validationPrompts) prompts"
    guard let temperature = effect.fit.temperature, let after = effect.after else {
      let why =
        effect.fit == .separable
        ? "the model predicts every validation pair rightly, so the likelihood grows without end as "
          + "the temperature goes to 0"
        : "the model's log-odds do not point to the chosen answers on average, so no temperature "
          + "makes them better than a coin"
      return [.paragraph("No temperature was fitted \(place): \(why).\(leftOut)")]
    }
    let rows = CalibrationMetric.allCases.map { metric in
      let change = effect.changes[metric]
      return [
        metric.label, all.text(metric), after.text(metric),
        NumberText.interval(change?.value ?? 0, change?.interval?.ends),
      ]
    }
    let value = NumberText.interval(temperature, effect.interval?.ends)
    return [
      .paragraph(
        "T = \(value), fitted \(place) by likelihood; p = σ(z / T). Above 1, the model was too sure "
          + "of itself. It moves no pair across ½, so accuracy stays.\(leftOut)"),
      .table(
        TextTable(
          columns: ["test figure", "as it is", "with temperature", "change"], rows: rows)),
    ]
  }

  /// The properties by which the pairs fall into more than one slice.
  private var divided: [(key: SliceKey, slices: [PreferenceSlice])] {
    slices.filter { $0.slices.count > 1 }
  }

  /// The figures of slices, a table for each property.
  var sliceTables: [TextTable] {
    let metrics: [CalibrationMetric] = [.accuracy, .nll, .ece, .brier]
    return divided.map { key, slices in
      TextTable(
        title: "By \(key.title)", columns: ["slice", "pairs", "prompts"] + metrics.map(\.label),
        rows: slices.map { slice in
          [slice.name, "\(slice.measured.calibration.pairs)", "\(slice.measured.prompts)"]
            + metrics.map(slice.measured.text)
        })
    }
  }

  private var sliceBlocks: [ReportBlock] {
    let charts = divided.map { key, slices in
      Chart(
        "Accuracy by \(key.title)",
        y: .init("accuracy", range: 0...1),
        .bars(
          slices.map {
            Chart.Bar(
              $0.name, $0.measured.value(.accuracy),
              interval: $0.measured.intervals[.accuracy]?.range)
          }))
    }
    return sliceTables.map(ReportBlock.table) + [.charts(charts)]
  }
}

extension SliceKey {
  /// The property in words.
  var title: String {
    switch self {
    case .source: "source"
    case .length: "length in tokens"
    case .longer: "longer answer"
    case .margin: "margin"
    case .turns: "user turns"
    }
  }
}

extension MeasuredCalibration {
  /// A figure with its interval.
  func text(_ metric: CalibrationMetric) -> String {
    NumberText.interval(value(metric), intervals[metric]?.ends)
  }
}

extension Interval {
  /// Both ends, lower first.
  var ends: [Double] { [lower, upper] }
}
