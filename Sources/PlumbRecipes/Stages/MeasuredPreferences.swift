import PlumbEvaluation
import PlumbPreferences

/// A preference model's figures on held-out pairs, with intervals that respect shared prompts.
struct MeasuredPreferences {
  let analysis: PreferenceAnalysis

  /// All figures of all pairs.
  var metrics: Calibration { analysis.all.calibration }

  /// Runs a model over pairs.
  ///
  /// - Parameters:
  ///   - model: a model of any kind.
  ///   - pairs: held-out pairs; at least one.
  ///   - validation: where a temperature and the style control are fitted; without, there is no
  ///     temperature, and the style control is cross-fitted by prompt.
  ///   - seed: of the intervals.
  init(
    _ model: PreferenceModel, pairs: [EncodedPair], validation: [EncodedPair] = [], seed: UInt64
  ) throws {
    func scored(_ pairs: [EncodedPair]) throws -> [ScoredPair] {
      guard !pairs.isEmpty else { return [] }
      let odds = try PreferenceEvaluation(model: model, pairs: pairs.map(\.group)).logOdds
      return zip(odds, pairs).map { ScoredPair(logOdds: $0, facts: $1.scoredFacts) }
    }
    var options = AnalysisOptions()
    options.resamples = 500
    options.seed = seed
    self.init(try scored(pairs), validation: try scored(validation), options: options)
  }

  /// Measures what a model has said already.
  ///
  /// - Parameters:
  ///   - test: at least one pair.
  ///   - validation: as above.
  ///   - options: what to find out.
  init(_ test: [ScoredPair], validation: [ScoredPair], options: AnalysisOptions) {
    analysis = PreferenceAnalysis(test, validation: validation, options: options)
  }

  var figures: [Figure] { overallFigures + sourceFigures + temperatureFigures + styleFigures }

  /// The same without those of single sources, named `MODEL/…`: for stages that train many models.
  func figures(of model: String) -> [Figure] {
    (overallFigures + temperatureFigures + styleFigures).map { figure in
      var named = figure
      named.name = "\(model)/\(figure.name)"
      return named
    }
  }

  private var overallFigures: [Figure] {
    [CalibrationMetric.accuracy, .nll, .brier, .ece, .foldedECE, .adaptiveECE]
      .map { figure("test_\($0.rawValue)", $0, of: analysis.all) }
  }

  private var sourceFigures: [Figure] {
    let slices = analysis.slices.first { $0.key == .source }?.slices ?? []
    guard slices.count > 1 else { return [] }
    return slices.flatMap { slice in
      [CalibrationMetric.accuracy, .nll, .ece].map {
        figure("test_\($0.rawValue)/\(slice.name)", $0, of: slice.measured)
      }
    }
  }

  private var temperatureFigures: [Figure] {
    guard let effect = analysis.temperature, let temperature = effect.fit.temperature,
      let after = effect.after
    else { return [] }
    return [
      Figure(
        "temperature", temperature, interval: effect.interval?.range,
        sampleSize: effect.validationPairs)
    ]
      + [CalibrationMetric.nll, .brier, .ece, .foldedECE, .adaptiveECE].map {
        figure("test_\($0.rawValue)_with_temperature", $0, of: after)
      }
  }

  private var styleFigures: [Figure] {
    guard let style = analysis.style else { return [] }
    var figures = [
      figure("test_accuracy_style_controlled", .accuracy, of: style.controlled),
      figure("test_nll_style_controlled", .nll, of: style.controlled),
      figure("test_accuracy_style_only", .accuracy, of: style.styleOnly),
    ]
    for (name, measured) in [("longer", style.chosenLonger), ("shorter", style.chosenShorter)] {
      guard let measured else { continue }
      figures.append(figure("test_accuracy_chosen_\(name)", .accuracy, of: measured))
    }
    for (property, association) in style.associations
    where ["length", "markdown"].contains(property) {
      for (who, phi, interval) in [
        ("prediction", association.prediction, association.predictionInterval),
        ("label", association.label, association.labelInterval),
      ] {
        guard let phi else { continue }
        figures.append(
          Figure(
            "test_phi_\(who)_\(property)", phi, interval: interval?.range,
            sampleSize: association.pairs))
      }
    }
    return figures
  }

  private func figure(
    _ name: String, _ metric: CalibrationMetric, of measured: MeasuredCalibration
  ) -> Figure {
    Figure(
      name, measured.value(metric), interval: measured.intervals[metric]?.range,
      unit: metric == .nll ? "nats" : "", sampleSize: measured.calibration.pairs)
  }

  func section(title: String) -> ReportSection { analysis.section(title: title) }
}

extension Interval {
  /// The interval as a range.
  var range: ClosedRange<Double> { lower...upper }
}
