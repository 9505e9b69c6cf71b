import PlumbTensors

/// A mean over trainings and prompts, with an interval that owns to both.
///
/// A figure of a method is a mean over the seeds that it was trained with and the prompts that it answered.
/// Prompts alone as the source of chance would make every difference between two lucky trainings significant.
/// Each resample draws seeds *and* prompts with replacement and takes the cells where they cross: the
/// pigeonhole bootstrap (Owen 2007, "The pigeonhole bootstrap", arXiv 0712.1111), which errs on the wide side.
public struct CrossedMean: Hashable, Codable, Sendable {
  /// The mean over all cells.
  public let value: Double
  /// What it may be with other seeds and other prompts.
  public let interval: Interval
  /// The mean of each seed over the prompts.
  public let bySeed: [Double]
  /// Number of prompts.
  public let prompts: Int

  /// Averages a table.
  ///
  /// - Parameters:
  ///   - cells: [seeds][prompts], finite; the mean over what a cell holds.
  ///   - level: the confidence of the interval, in 0..<1.
  ///   - resamples: how often seeds and prompts are drawn again.
  ///   - seed: the same seed gives the same interval.
  public init(
    _ cells: [[Double]], level: Double = 0.95, resamples: Int = 1000, seed: UInt64 = 0
  ) {
    let prompts = cells.first?.count ?? 0
    precondition(
      prompts > 0 && cells.allSatisfy { $0.count == prompts && $0.allSatisfy(\.isFinite) },
      "CrossedMean: expected finite numbers for at least one seed, equally many prompts each, found "
        + "\(cells.map(\.count))")
    self.prompts = prompts
    bySeed = cells.map { $0.reduce(0, +) / Double(prompts) }
    value = bySeed.reduce(0, +) / Double(cells.count)
    let means = (0..<resamples).map { resample -> Double in
      let drawn = crossedDraw(seeds: cells.count, prompts: prompts, resample: resample, seed: seed)
      let sum = drawn.seeds.reduce(0.0) { sum, own in
        drawn.prompts.reduce(sum) { $0 + cells[own][$1] }
      }
      return sum / Double(drawn.seeds.count * prompts)
    }
    interval = .percentiles(ofSorted: means.sorted(), level: level)
  }

  private init(value: Double, interval: Interval, bySeed: [Double], prompts: Int) {
    (self.value, self.interval, self.bySeed, self.prompts) = (value, interval, bySeed, prompts)
  }

  /// The same comparisons seen from the other side, of a mean of shares: one minus each.
  public var exchanged: CrossedMean {
    CrossedMean(
      value: 1 - value, interval: interval.exchanged, bySeed: bySeed.map { 1 - $0 },
      prompts: prompts)
  }
}

extension Interval {
  /// The interval of one minus a share.
  var exchanged: Interval { Interval(lower: 1 - upper, upper: 1 - lower, level: level) }
}

/// One resample of the pigeonhole bootstrap: as many seeds and prompts as there are, with replacement.
func crossedDraw(
  seeds: Int, prompts: Int, resample: Int, seed: UInt64
) -> (seeds: [Int], prompts: [Int]) {
  var stream = RandomStream(seed: seed, purpose: "pigeonhole bootstrap", step: resample)
  let drawn = (0..<seeds).map { _ in stream.uniform(below: seeds) }
  return (drawn, (0..<prompts).map { _ in stream.uniform(below: prompts) })
}
