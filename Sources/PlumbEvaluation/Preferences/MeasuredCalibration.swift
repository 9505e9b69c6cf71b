public import PlumbPreferences

/// Calibration of a set of pairs with bootstrap intervals over prompts.
public struct MeasuredCalibration: Sendable {
  /// The figures.
  public let calibration: Calibration
  /// How many different prompts the pairs have.
  public let prompts: Int
  /// The 95 % interval of each figure; a figure has none where there are too few prompts.
  public let intervals: [CalibrationMetric: Interval]

  /// Measures pairs.
  ///
  /// - Parameters:
  ///   - pairs: at least one.
  ///   - logOdds: of the chosen answers; those of the pairs if nil.
  ///   - bins: bins of the calibration errors.
  ///   - resamples: how often the prompts are drawn again; 0 for no intervals.
  ///   - seed: of the draws.
  public init(
    _ pairs: [ScoredPair], logOdds: [Double]? = nil, bins: Int = 10, resamples: Int = 1000,
    seed: UInt64 = 0
  ) {
    let odds = logOdds ?? pairs.map(\.logOdds)
    precondition(
      odds.count == pairs.count,
      "MeasuredCalibration: expected \(pairs.count) log-odds, found \(odds.count)")
    calibration = Calibration(rewardDifferences: odds, binCount: bins)
    let bootstrap = GroupedBootstrap(
      keys: pairs.map(\.facts.prompt), resamples: resamples, seed: seed)
    prompts = bootstrap.groups.count
    let found = bootstrap.intervals { rows in
      let calibration = Calibration(rewardDifferences: rows.map { odds[$0] }, binCount: bins)
      return CalibrationMetric.allCases.map { $0(calibration) }
    }
    var intervals: [CalibrationMetric: Interval] = [:]
    for (metric, interval) in zip(CalibrationMetric.allCases, found) {
      intervals[metric] = interval
    }
    self.intervals = intervals
  }

  /// One figure.
  public func value(_ metric: CalibrationMetric) -> Double { metric(calibration) }
}
