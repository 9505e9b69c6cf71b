import PlumbEvaluation
import PlumbPreferences

/// Calibration and style of every preference model of a stage that trains many, side by side.
///
/// The models have been run already: their log-odds are measured, none is run again. A model's
/// temperature and style control are fitted on its validation pairs and applied to its test pairs.
struct MeasuredModels {
  /// What one model said of the chosen answers.
  struct Predictions {
    /// Unique in the stage; its figures begin with it.
    let name: String
    /// The pairs that are measured; without any, the model has a row of dashes.
    let test: [ScoredPair]
    /// The pairs that temperature and style control are fitted on; may be empty.
    let validation: [ScoredPair]
  }

  /// In the order of the tables; nil for a model that cannot be measured.
  let models: [(name: String, found: MeasuredPreferences?)]

  /// Draws of the prompts for each interval: fewer than for a single model, since there are many.
  static let resamples = 200

  /// With more models than this, their reliability stands in the folded texts alone.
  static let mostCharts = 12

  /// - Parameter seed: of the intervals.
  init(_ predictions: [Predictions], seed: UInt64) {
    var options = AnalysisOptions()
    // Pairs by the longer answer are a part of the style.
    options.slices = SliceKey.allCases.filter { $0 != .longer }
    options.resamples = Self.resamples
    options.seed = seed
    models = predictions.map { model in
      let pairs = model.test + model.validation
      // A training that ended in numbers that are none must not take the others' report with it.
      let isUsable = !model.test.isEmpty && pairs.allSatisfy(\.logOdds.isFinite)
      return (
        model.name,
        isUsable
          ? MeasuredPreferences(model.test, validation: model.validation, options: options) : nil
      )
    }
  }

  /// `MODEL/test_ece` and so on.
  var figures: [Figure] { models.flatMap { $0.found?.figures(of: $0.name) ?? [] } }
}

extension [ScoredPair] {
  /// Log-odds with the facts of their pairs; empty where the one does not belong to the other, such as
  /// records of a run that kept no log-odds.
  init(_ logOdds: [Double]?, _ facts: [PairFacts]) {
    guard let logOdds, logOdds.count == facts.count else {
      self = []
      return
    }
    self = zip(logOdds, facts).map { ScoredPair(logOdds: $0, facts: $1) }
  }
}

extension StageResult {
  /// The same with the tables and figures of every model.
  func adding(_ measured: MeasuredModels) -> StageResult {
    var result = self
    result.figures += measured.figures
    if !measured.models.isEmpty { result.sections.append(measured.section) }
    return result
  }
}
