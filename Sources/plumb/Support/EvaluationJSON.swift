import PlumbCheckpoints
import PlumbEvaluation
import PlumbPreferences

/// The analysis of a preference model as JSON; `Documentation/Calibration.md` defines every key.
enum EvaluationJSON {
  /// The one object that `plumb evaluate` prints.
  ///
  /// - Parameters:
  ///   - order: what the order of the responses decides; nil but for pair models.
  ///   - unknownPeople: pairs that no member of a mixture is known for; nil but for mixtures.
  ///   - isComplete: with intervals, bins and settings; else the figures that were asked for.
  static func object(
    of analysis: PreferenceAnalysis, order: MeasuredOrderBias?, dropped: [String: Int],
    unknownPeople: Int? = nil, isComplete: Bool, kind: String
  ) -> JSONValue {
    let calibration = analysis.all.calibration
    var fields: [(String, JSONValue)] = [
      ("accuracy", .number(calibration.accuracy)), ("nll", .number(calibration.nll)),
      ("brier", .number(calibration.brier)), ("ece", .number(calibration.ece)),
      ("folded_ece", .number(calibration.foldedECE)), ("pairs", .integer(calibration.pairs)),
      ("dropped", .integer(dropped.values.reduce(0, +))),
      ("adaptive_ece", .number(calibration.adaptiveECE)), ("mce", .number(calibration.mce)),
      ("ace", .number(calibration.ace)),
    ]
    if !dropped.isEmpty {
      fields.append(("dropped_reasons", counts(dropped)))
    }
    if let unknownPeople { fields.append(("unknown_people", .integer(unknownPeople))) }
    if isComplete {
      if let order {
        fields += [
          ("order_flips", .number(order.bias.flips)),
          ("first_place_logit", .number(order.bias.firstPlaceLogit)),
          ("order_logit_magnitude", .number(order.bias.meanMagnitude)),
        ]
      }
      fields += [
        ("model_kind", .string(kind)), ("prompts", .integer(analysis.all.prompts)),
        ("ties", .integer(analysis.ties)), ("bins", .integer(analysis.options.bins)),
        ("seed", .integer(Int(clamping: analysis.options.seed))),
        ("resamples", .integer(analysis.options.resamples)),
        ("intervals", intervals(analysis.all, order: order)),
        ("ece_by_bins", fieldsOf(analysis.eceByBins.map { ("\($0.bins)", .number($0.ece)) })),
        ("reliability", reliability(calibration.bins)),
      ]
    }
    if let temperature = analysis.temperature {
      fields.append(("temperature", Self.temperature(temperature)))
    }
    if !analysis.slices.isEmpty {
      fields.append(
        (
          "slices",
          fieldsOf(
            analysis.slices.map { key, slices in
              (
                key.rawValue,
                .array(
                  slices.map { slice in
                    .object(
                      [JSONField(key: "name", value: .string(slice.name))]
                        + (measured(slice.measured).object ?? []))
                  })
              )
            })
        ))
    }
    if let style = analysis.style { fields.append(("style", Self.style(style))) }
    return fieldsOf(fields)
  }

  /// Pairs, prompts, every figure, and their intervals.
  static func measured(_ measured: MeasuredCalibration) -> JSONValue {
    fieldsOf(
      [
        ("pairs", .integer(measured.calibration.pairs)), ("prompts", .integer(measured.prompts)),
      ]
        + CalibrationMetric.allCases.map { ($0.rawValue, .number(measured.value($0))) }
        + [("intervals", intervals(measured))])
  }

  static func intervals(
    _ measured: MeasuredCalibration, order: MeasuredOrderBias? = nil
  ) -> JSONValue {
    var fields = CalibrationMetric.allCases.map { ($0.rawValue, ends(measured.intervals[$0])) }
    if let order {
      fields += [
        ("order_flips", ends(order.flips)), ("first_place_logit", ends(order.firstPlaceLogit)),
        ("order_logit_magnitude", ends(order.meanMagnitude)),
      ]
    }
    return fieldsOf(fields)
  }

  static func ends(_ interval: Interval?) -> JSONValue {
    interval.map { .array([.number($0.lower), .number($0.upper)]) } ?? .null
  }

  static func optional(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }

  static func reliability(_ bins: [ReliabilityBin]) -> JSONValue {
    .array(
      bins.map { bin in
        .fields([
          "from": .number(bin.lowerBound), "count": .integer(bin.count),
          "mean_probability": bin.count == 0 ? .null : .number(bin.meanProbability),
          "win_rate": bin.count == 0 ? .null : .number(bin.winRate),
        ])
      })
  }

  /// Keys with counts, sorted.
  static func counts(_ counts: [String: Int]) -> JSONValue {
    fieldsOf(counts.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })
  }

  static func fieldsOf(_ fields: [(String, JSONValue)]) -> JSONValue {
    .object(fields.map { JSONField(key: $0.0, value: $0.1) })
  }

  private static func temperature(_ effect: TemperatureEffect) -> JSONValue {
    var fields: [(String, JSONValue)] = [
      ("status", .string(effect.fit.status)),
      ("temperature", optional(effect.fit.temperature)), ("interval", ends(effect.interval)),
      ("validation_pairs", .integer(effect.validationPairs)),
      ("validation_prompts", .integer(effect.validationPrompts)),
      ("left_out_for_shared_prompts", .integer(effect.sharedPrompts)),
      ("validation_nll_before", .number(effect.validationNLL.before)),
      ("validation_nll_after", optional(effect.validationNLL.after)),
    ]
    if let after = effect.after {
      fields.append(("after", measured(after)))
      fields.append(
        (
          "change",
          fieldsOf(
            CalibrationMetric.allCases.map { metric in
              let change = effect.changes[metric]
              return (
                metric.rawValue,
                .fields([
                  "value": optional(change?.value), "interval": ends(change?.interval),
                ])
              )
            })
        ))
    }
    return fieldsOf(fields)
  }

  private static func style(_ style: StyleAnalysis) -> JSONValue {
    var fields: [(String, JSONValue)] = []
    switch style.fit {
    case .validation(let pairs, let shared):
      fields += [
        ("fitted_on", .string("validation")), ("fit_pairs", .integer(pairs)),
        ("left_out_for_shared_prompts", .integer(shared)),
      ]
    case .crossFit(let folds):
      fields += [("fitted_on", .string("other folds")), ("folds", .integer(folds))]
    }
    fields += [
      ("separable", .bool(style.isSeparated)), ("alpha", .number(style.alpha)),
      (
        "beta",
        fieldsOf(zip(style.features, style.beta).map { ($0.rawValue, .number($1)) })
      ),
      ("raw", measured(style.raw)), ("no_control", measured(style.noControl)),
      ("controlled", measured(style.controlled)), ("style_only", measured(style.styleOnly)),
      ("chosen_longer", style.chosenLonger.map(measured) ?? .null),
      ("chosen_shorter", style.chosenShorter.map(measured) ?? .null),
      (
        "phi",
        fieldsOf(
          style.associations.map { property, phi in
            (
              property,
              .fields([
                "pairs": .integer(phi.pairs), "prediction": optional(phi.prediction),
                "prediction_interval": ends(phi.predictionInterval),
                "label": optional(phi.label), "label_interval": ends(phi.labelInterval),
              ])
            )
          })
      ),
    ]
    return fieldsOf(fields)
  }
}
