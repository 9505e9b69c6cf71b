public import PlumbPreferences

/// How much a pair model favours a place, with bootstrap intervals over prompts.
public struct MeasuredOrderBias: Sendable {
  /// The figures.
  public let bias: OrderBias
  /// The 95 % interval of `flips`, a share; nil where there are too few prompts.
  public let flips: Interval?
  /// The 95 % interval of `firstPlaceLogit`, nats; nil where there are too few prompts.
  public let firstPlaceLogit: Interval?
  /// The 95 % interval of `meanMagnitude`, nats; nil where there are too few prompts.
  public let meanMagnitude: Interval?

  /// Measures pairs that were read in both orders.
  ///
  /// - Parameters:
  ///   - logOdds: of each pair as given, and as concluded from the swapped order; at least one.
  ///   - prompts: the prompt of each pair.
  ///   - resamples: how often the prompts are drawn again; 0 for no intervals.
  ///   - seed: of the draws.
  public init(
    _ logOdds: [(asGiven: Double, swapped: Double)], prompts: [String], resamples: Int = 1000,
    seed: UInt64 = 0
  ) {
    precondition(
      logOdds.count == prompts.count,
      "MeasuredOrderBias: expected prompts of \(logOdds.count) pairs, found \(prompts.count)")
    bias = OrderBias(logOdds)
    let intervals = GroupedBootstrap(keys: prompts, resamples: resamples, seed: seed).intervals {
      rows in
      let drawn = OrderBias(rows.map { logOdds[$0] })
      return [drawn.flips, drawn.firstPlaceLogit, drawn.meanMagnitude]
    }
    (flips, firstPlaceLogit, meanMagnitude) = (intervals[0], intervals[1], intervals[2])
  }
}
