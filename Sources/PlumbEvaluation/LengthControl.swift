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

  /// The win rate at equal length, 0...1.
  public let rate: Double
  /// A bootstrap interval over prompts; in each resample everything is fitted again.
  public let interval: Interval
  /// φ: the log-odds that a much longer answer gains by its length; 0 where lengths do not differ.
  public let lengthWeight: Double
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
    let all = prompts.flatMap { $0 }
    precondition(
      !all.isEmpty && all.allSatisfy { $0.lengthDifference.isFinite },
      "LengthControlledWinRate: expected comparisons with finite lengths, found \(all.count)")
    let fit = Self.fit(all)
    rate = Self.rate(fit)
    lengthWeight = fit.weights[1]
    isSeparated = fit.isSeparated
    comparisons = all.count
    var groups: [[Int]] = []
    var next = 0
    for prompt in prompts where !prompt.isEmpty {
      groups.append(Array(next..<next + prompt.count))
      next += prompt.count
    }
    interval = .bootstrap(groups: groups, resamples: resamples, level: level, seed: seed) { rows in
      Self.rate(Self.fit(rows.map { all[$0] }))
    }
  }

  /// Fits the outcomes of several runs of a method on the same prompts.
  ///
  /// The interval owns to both: each resample draws runs and prompts with replacement and takes the
  /// comparisons where they cross, as `CrossedMean` does.
  ///
  /// - Parameters:
  ///   - runs: comparisons [runs][prompts]; every run has equally many prompts, at least one comparison in all.
  ///   - level: the confidence of the interval, in 0..<1.
  ///   - resamples: how often runs and prompts are drawn again.
  ///   - seed: the same seed gives the same interval.
  public init(
    byRun runs: [[[Comparison]]], level: Double = 0.95, resamples: Int = 200, seed: UInt64 = 0
  ) {
    let prompts = runs.first?.count ?? 0
    precondition(
      runs.allSatisfy { $0.count == prompts },
      "LengthControlledWinRate: expected equally many prompts in each run, found \(runs.map(\.count))"
    )
    let all = runs.joined().flatMap { $0 }
    let fit = Self.fit(all)
    let rates = (0..<resamples).compactMap { resample -> Double? in
      let drawn = crossedDraw(seeds: runs.count, prompts: prompts, resample: resample, seed: seed)
      let found = drawn.seeds.flatMap { run in drawn.prompts.flatMap { runs[run][$0] } }
      return found.isEmpty ? nil : Self.rate(Self.fit(found))
    }
    self.init(
      rate: Self.rate(fit), interval: .percentiles(ofSorted: rates.sorted(), level: level),
      lengthWeight: fit.weights[1], isSeparated: fit.isSeparated, comparisons: all.count)
  }

  private init(
    rate: Double, interval: Interval, lengthWeight: Double, isSeparated: Bool, comparisons: Int
  ) {
    self.rate = rate
    self.interval = interval
    self.lengthWeight = lengthWeight
    self.isSeparated = isSeparated
    self.comparisons = comparisons
  }

  /// The same comparisons seen from the other side.
  public var exchanged: LengthControlledWinRate {
    LengthControlledWinRate(
      rate: 1 - rate, interval: interval.exchanged, lengthWeight: lengthWeight,
      isSeparated: isSeparated, comparisons: comparisons)
  }

  private static func rate(_ fit: LogisticRegression) -> Double { 1 / (1 + exp(-fit.weights[0])) }

  /// Every comparison twice, so that a tie can be one win and one loss.
  private static func fit(_ comparisons: [Comparison]) -> LogisticRegression {
    let count = Double(comparisons.count)
    let mean = comparisons.reduce(0) { $0 + $1.lengthDifference } / count
    let variance = comparisons.reduce(0) {
      $0 + ($1.lengthDifference - mean) * ($1.lengthDifference - mean)
    }
    // Lengths that differ by one amount everywhere cannot be told from a better side.
    let scale = (variance / count).squareRoot()
    var rows: [[Double]] = []
    var outcomes: [Bool] = []
    rows.reserveCapacity(2 * comparisons.count)
    for one in comparisons {
      let row = [1, scale > 0 ? tanh(one.lengthDifference / scale) : 0]
      rows += [row, row]
      outcomes += [one.outcome != .loss, one.outcome == .win]
    }
    return LogisticRegression(rows, outcomes: outcomes)
  }
}
