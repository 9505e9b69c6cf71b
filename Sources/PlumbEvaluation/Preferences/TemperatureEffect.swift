public import PlumbPreferences

/// A temperature that was fitted on validation pairs, and what it does to test pairs.
public struct TemperatureEffect: Sendable {
  /// What the fit found.
  public let fit: TemperatureFit
  /// The 95 % interval of the temperature, over the validation prompts.
  public let interval: Interval?
  /// Pairs of the fit.
  public let validationPairs: Int
  /// Prompts of the fit.
  public let validationPrompts: Int
  /// Validation pairs that were left out since a test pair has their prompt.
  public let sharedPrompts: Int
  /// Nats per validation pair before and, where there is a temperature, after.
  public let validationNLL: (before: Double, after: Double?)
  /// The test pairs with the temperature; nil where there is none.
  public let after: MeasuredCalibration?
  /// After minus before on the test pairs with 95 % intervals of the difference, resampled together.
  public let changes: [CalibrationMetric: (value: Double, interval: Interval?)]

  /// Fits a temperature and applies it; nil if no validation pair is left.
  ///
  /// - Parameters:
  ///   - validation: for the fit alone; pairs whose prompt is in the test are left out.
  ///   - test: at least one pair.
  init?(
    validation: [ScoredPair], test: [ScoredPair], bins: Int, resamples: Int, seed: UInt64
  ) {
    let (fitted, shared) = withoutSharedPrompts(validation, test: test)
    guard !fitted.isEmpty else { return nil }
    let odds = fitted.map(\.logOdds)
    let fit = TemperatureFit(logOdds: odds)
    let bootstrap = GroupedBootstrap(
      keys: fitted.map(\.facts.prompt), resamples: min(resamples, 200), seed: seed)
    self.fit = fit
    validationPairs = fitted.count
    validationPrompts = bootstrap.groups.count
    sharedPrompts = shared
    let nll = { (scale: Double) in
      Calibration(rewardDifferences: odds.map { $0 / scale }).nll
    }
    validationNLL = (nll(1), fit.temperature.map(nll))
    guard let temperature = fit.temperature else {
      interval = nil
      after = nil
      changes = [:]
      return
    }
    interval = bootstrap.interval { rows in
      TemperatureFit(logOdds: rows.map { odds[$0] }).temperature ?? .infinity
    }
    let raw = test.map(\.logOdds)
    let scaled = raw.map { $0 / temperature }
    let measured = MeasuredCalibration(
      test, logOdds: scaled, bins: bins, resamples: resamples, seed: seed)
    after = measured
    func differences(_ rows: [Int]) -> [Double] {
      let before = Calibration(rewardDifferences: rows.map { raw[$0] }, binCount: bins)
      let after = Calibration(rewardDifferences: rows.map { scaled[$0] }, binCount: bins)
      return CalibrationMetric.allCases.map { $0(after) - $0(before) }
    }
    let intervals = GroupedBootstrap(
      keys: test.map(\.facts.prompt), resamples: resamples, seed: seed
    ).intervals(differences)
    let values = differences(Array(raw.indices))
    var changes: [CalibrationMetric: (value: Double, interval: Interval?)] = [:]
    for (index, metric) in CalibrationMetric.allCases.enumerated() {
      changes[metric] = (values[index], intervals[index])
    }
    self.changes = changes
  }
}

/// The validation pairs whose prompt no test pair has, and how many were left out.
func withoutSharedPrompts(
  _ validation: [ScoredPair], test: [ScoredPair]
) -> (pairs: [ScoredPair], shared: Int) {
  let prompts = Set(test.map(\.facts.prompt))
  let kept = validation.filter { !prompts.contains($0.facts.prompt) }
  return (kept, validation.count - kept.count)
}
