/// A mean over trainings and prompts, with an interval that accounts for both.
///
/// A figure of a method is a mean over the seeds that it was trained with and the prompts that it answered.
/// Prompts alone as the source of chance would make every difference between two lucky trainings significant.
/// The interval is a bootstrap over prompts, widened by Student's interval over the runs, so that three runs
/// get the width that three runs deserve.
///
/// A 95 % interval of normal effects of three runs and of prompts covers the truth in 0.93 to 0.96 of all cases
/// where either dominates, and in up to 0.99 where chance of each run's own on each prompt does, which counts in both parts: it errs on the
/// wide side. Of a single run it is over prompts alone.
public struct CrossedMean: Hashable, Codable, Sendable {
  /// The mean over all cells.
  public let value: Double
  /// What it may be with other seeds and other prompts.
  public let interval: Interval
  /// The mean of each row over the prompts.
  public let bySeed: [Double]
  /// Number of prompts.
  public let prompts: Int

  /// Averages a table.
  ///
  /// - Parameters:
  ///   - cells: [rows][prompts], finite; the mean over what a cell holds. A row is a run, or two runs that played
  ///     each other.
  ///   - sides: of each side of a comparison the run of every row, [sides][rows]; the runs of a side are one
  ///     source of chance. Nil where every row has runs of its own.
  ///   - range: where the mean can lie, such as 0...1; the interval does not reach beyond it.
  ///   - level: the confidence of the interval, in 0..<1.
  ///   - resamples: how often prompts are drawn again.
  ///   - seed: the same seed gives the same interval.
  public init(
    _ cells: [[Double]], sides: [[Int]]? = nil,
    within range: ClosedRange<Double> = -.infinity ... .infinity, level: Double = 0.95,
    resamples: Int = 1000, seed: UInt64 = 0
  ) {
    let prompts = cells.first?.count ?? 0
    precondition(
      prompts > 0 && cells.allSatisfy { $0.count == prompts && $0.allSatisfy(\.isFinite) },
      "CrossedMean: expected finite numbers for at least one seed, equally many prompts each, found "
        + "\(cells.map(\.count))")
    let sides = sides ?? [Array(cells.indices)]
    precondition(
      sides.allSatisfy { $0.count == cells.count },
      "CrossedMean: expected the run of each of \(cells.count) rows, found \(sides.map(\.count))")
    self.prompts = prompts
    let bySeed = cells.map { $0.reduce(0, +) / Double(prompts) }
    let value = bySeed.reduce(0, +) / Double(cells.count)
    let byPrompt = (0..<prompts).map { prompt in
      cells.reduce(0) { $0 + $1[prompt] } / Double(cells.count)
    }
    let overPrompts = Interval.bootstrap(
      rows: prompts, resamples: resamples, level: level, seed: seed
    ) { rows in rows.reduce(0) { $0 + byPrompt[$1] } / Double(rows.count) }
    interval = overPrompts.widened(
      about: value,
      withoutEachRun: rowsWithoutEachRun(sides).map { side in
        side.map { rows in rows.reduce(0) { $0 + bySeed[$1] } / Double(rows.count) }
      }, within: range)
    (self.value, self.bySeed) = (value, bySeed)
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
