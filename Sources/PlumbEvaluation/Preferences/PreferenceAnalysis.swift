import PlumbPreferences

/// What to find out about a preference model on pairs.
public struct AnalysisOptions: Hashable, Sendable {
  /// Bins of the calibration errors; MORE logs 5, 10 and 20.
  public var bins = 10
  /// By what the pairs are divided.
  public var slices = SliceKey.allCases
  /// The features of the style control; nil leaves the style out.
  public var style: [StyleFeature]? = StyleFeature.allCases
  /// How often prompts are drawn again for the intervals; 0 for no intervals.
  public var resamples = 1000
  /// Of the draws and of the folds.
  public var seed: UInt64 = 0

  /// Everything, with ten bins.
  public init() {}
}

/// Everything that Plumb reports about a preference model of any kind: calibration with intervals, the
/// effect of a temperature, slices, and style.
public struct PreferenceAnalysis: Sendable {
  /// All pairs.
  public let all: MeasuredCalibration
  /// Pairs with log-odds of exactly 0, which count half in the accuracy.
  public let ties: Int
  /// ECE of all pairs with 5, 10 and 20 bins, as MORE's code logs it.
  public let eceByBins: [(bins: Int, ece: Double)]
  /// What a temperature fitted on the validation pairs does; nil without usable validation pairs.
  public let temperature: TemperatureEffect?
  /// The figures of slices, by the properties that were asked for.
  public let slices: [(key: SliceKey, slices: [PreferenceSlice])]
  /// The style; nil where it was not asked for, or cannot be told.
  public let style: StyleAnalysis?
  /// What was asked for.
  public let options: AnalysisOptions

  /// Analyses pairs.
  ///
  /// - Parameters:
  ///   - test: at least one pair.
  ///   - validation: pairs on which temperature and style control are fitted, never the test pairs;
  ///     those that share a prompt with a test pair are left out of the fits.
  ///   - options: what to find out.
  public init(
    _ test: [ScoredPair], validation: [ScoredPair] = [],
    options: AnalysisOptions = AnalysisOptions()
  ) {
    func measured(_ pairs: [ScoredPair]) -> MeasuredCalibration {
      MeasuredCalibration(
        pairs, bins: options.bins, resamples: options.resamples, seed: options.seed)
    }
    self.options = options
    all = measured(test)
    ties = test.reduce(0) { $0 + ($1.logOdds == 0 ? 1 : 0) }
    eceByBins = [5, 10, 20].map { bins in
      (bins, Calibration(rewardDifferences: test.map(\.logOdds), binCount: bins).ece)
    }
    temperature = TemperatureEffect(
      validation: validation, test: test, bins: options.bins, resamples: options.resamples,
      seed: options.seed)
    slices = options.slices.map { key in
      (
        key,
        key.rows(test).map { name, rows in
          PreferenceSlice(name: name, measured: measured(rows.map { test[$0] }))
        }
      )
    }
    style = options.style.flatMap {
      StyleAnalysis(test: test, validation: validation, features: $0, options: options)
    }
  }
}
