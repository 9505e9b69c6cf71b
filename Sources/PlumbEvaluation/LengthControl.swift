import Foundation

/// A win rate with the effect of length taken out, as AlpacaEval 2 reports it.
///
/// Length-Controlled AlpacaEval, Dubois et al. 2024, arXiv 2404.04475, §3.
///
/// `P(own wins) = σ(θ + φ · tanh(Δ / s))`, Δ the own length minus the other side's and s the standard
/// deviation of Δ, is fitted to the outcomes; the rate is `σ(θ)`, what the model predicts at equal
/// length. A tie is half a win and half a loss. The paper's third term, the difficulty of each
/// instruction, is estimated over a leaderboard of models; between two policies it has nothing to be
/// estimated from and is left out.
///
/// Where one side is longer almost throughout, nothing tells its length from its quality: θ and φ are not
/// identified, and the fit would divide the log-odds between them as the ridge likes it. No rate is given then.
///
/// The sides can be exchanged: the rate of the other side is one minus this one.
public struct LengthControlledWinRate: Hashable, Sendable {
  /// One comparison of two answers.
  public struct Comparison: Hashable, Sendable {
    /// What the judge said of the own side.
    public let outcome: Outcome
    /// The own length minus the other side's, in any unit.
    public let lengthDifference: Double

    /// A comparison.
    public init(outcome: Outcome, lengthDifference: Double) {
      self.outcome = outcome
      self.lengthDifference = lengthDifference
    }
  }

  /// The win rate at equal length, 0...1; ½, the middle of all that is possible, where it is not identified.
  public let rate: Double
  /// A bootstrap interval over prompts, in each resample everything fitted again.
  ///
  /// Of several runs it accounts for both. Where the rate is not identified it is 0...1.
  /// A resample in which the rate is not identified may have any: it counts as 0 for the lower end and as 1 for
  /// the upper.
  public let interval: Interval
  /// φ: the log-odds that a much longer answer gains by its length; 0 where lengths do not differ, and where it
  /// is not identified.
  public let lengthWeight: Double
  /// Whether the differences of length tell what length does, in all and without any one run.
  ///
  /// They do where the standard deviation of `tanh(Δ / s)` is at least a tenth of its mean's size. The standard
  /// error of θ is `√(1 + mean² / deviation²)` times that of the plain log-odds, so below that limit it is more than
  /// ten times as large; there the ridge also begins to count: at a rate of 0.9 it takes a tenth of φ at the limit.
  /// Normal differences with a mean of 2.5 standard deviations are on this side of the limit, of 3 mostly beyond.
  /// Differences that are all 0 are at equal length already; any other one amount everywhere is not identified.
  public let isIdentified: Bool
  /// Whether the outcomes are separated by length or all alike, so that only the ridge keeps θ and φ
  /// finite: the rate then says which side won, not how often.
  public let isSeparated: Bool
  /// The number of comparisons.
  public let comparisons: Int

  /// Fits the outcomes of each prompt.
  ///
  /// - Parameters:
  ///   - prompts: the comparisons of each prompt; at least one in all.
  ///   - level: the confidence of the interval, in 0..<1.
  ///   - resamples: how often the prompts are drawn again.
  ///   - seed: the same seed gives the same interval.
  public init(
    byPrompt prompts: [[Comparison]], level: Double = 0.95, resamples: Int = 200, seed: UInt64 = 0
  ) {
    self.init(byRun: [prompts], level: level, resamples: resamples, seed: seed)
  }

  /// Fits the outcomes of several runs of a method on the same prompts.
  ///
  /// The interval accounts for both: that over prompts, widened by Student's interval over the runs, as that of
  /// `CrossedMean`.
  ///
  /// - Parameters:
  ///   - runs: comparisons [rows][prompts]; every row has equally many prompts, at least one comparison in all. A row
  ///     is a run, or two runs that played each other.
  ///   - sides: of each side the run of every row, [sides][rows]; nil where every row has runs of its own.
  ///   - level: the confidence of the interval, in 0..<1.
  ///   - resamples: how often prompts are drawn again.
  ///   - seed: the same seed gives the same interval.
  public init(
    byRun runs: [[[Comparison]]], sides: [[Int]]? = nil, level: Double = 0.95,
    resamples: Int = 200, seed: UInt64 = 0
  ) {
    let prompts = runs.first?.count ?? 0
    precondition(
      runs.allSatisfy { $0.count == prompts },
      "LengthControlledWinRate: expected equally many prompts in each run, found \(runs.map(\.count))"
    )
    let sides = sides ?? [Array(runs.indices)]
    precondition(
      sides.allSatisfy { $0.count == runs.count },
      "LengthControlledWinRate: expected the run of each of \(runs.count) rows, found \(sides.map(\.count))"
    )
    var all: [Comparison] = []
    var groups: [[Int]] = []
    for prompt in 0..<prompts {
      let found = runs.flatMap { $0[prompt] }
      guard !found.isEmpty else { continue }
      groups.append(Array(all.count..<all.count + found.count))
      all += found
    }
    precondition(
      !all.isEmpty && all.allSatisfy { $0.lengthDifference.isFinite },
      "LengthControlledWinRate: expected comparisons with finite lengths, found \(all.count)")
    comparisons = all.count
    let fit = Fit(all)
    isSeparated = fit.regression.isSeparated
    let withoutEach = rowsWithoutEachRun(sides).map { side in
      side.map { rows -> Double? in
        let left = rows.flatMap { runs[$0].joined() }
        return left.isEmpty ? nil : Fit(left).rate
      }
    }
    guard let rate = fit.rate, !withoutEach.joined().contains(nil) else {
      (self.rate, lengthWeight, isIdentified) = (0.5, 0, false)
      interval = Interval(lower: 0, upper: 1, level: level)
      return
    }
    (self.rate, lengthWeight, isIdentified) = (rate, fit.regression.weights[1], true)
    let rates = resampled(groups, resamples: resamples, seed: seed) { rows in
      Fit(rows.map { all[$0] }).rate ?? .nan
    }
    func end(_ unknown: Double) -> Interval {
      .percentiles(ofSorted: rates.map { $0.isNaN ? unknown : $0 }.sorted(), level: level)
    }
    let overPrompts = Interval(lower: end(0).lower, upper: end(1).upper, level: level)
    interval = overPrompts.widened(
      about: rate, withoutEachRun: withoutEach.map { $0.compactMap { $0 } }, within: 0...1)
  }

  private init(exchanging other: LengthControlledWinRate) {
    rate = 1 - other.rate
    interval = other.interval.exchanged
    lengthWeight = other.lengthWeight
    isIdentified = other.isIdentified
    isSeparated = other.isSeparated
    comparisons = other.comparisons
  }

  /// The same comparisons seen from the other side.
  public var exchanged: LengthControlledWinRate { LengthControlledWinRate(exchanging: self) }
}

/// θ and φ of some comparisons.
private struct Fit {
  let regression: LogisticRegression
  /// Whether the differences of length vary enough beside their mean; ``LengthControlledWinRate/isIdentified``.
  let isIdentified: Bool

  /// σ(θ); nil where it is not identified.
  var rate: Double? { isIdentified ? 1 / (1 + exp(-regression.weights[0])) : nil }

  /// Takes every comparison twice, so that a tie can be one win and one loss.
  init(_ comparisons: [LengthControlledWinRate.Comparison]) {
    let (_, scale) = Self.moments(comparisons.map(\.lengthDifference))
    // Of one difference everywhere: the limit of a scale that goes to 0.
    let column = comparisons.map { one in
      one.lengthDifference == 0 ? 0 : tanh(one.lengthDifference / scale)
    }
    let (mean, deviation) = Self.moments(column)
    isIdentified = deviation >= 0.1 * abs(mean)
    var rows: [[Double]] = []
    var outcomes: [Bool] = []
    rows.reserveCapacity(2 * comparisons.count)
    for (one, value) in zip(comparisons, column) {
      rows += [[1, value], [1, value]]
      outcomes += [one.outcome != .loss, one.outcome == .win]
    }
    regression = LogisticRegression(rows, outcomes: outcomes)
  }

  private static func moments(_ values: [Double]) -> (mean: Double, deviation: Double) {
    let count = Double(values.count)
    let mean = values.reduce(0) { $0 + $1 } / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (mean, (squares / count).squareRoot())
  }
}
