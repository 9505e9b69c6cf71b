/// What one side of a comparison got.
public enum Outcome: String, Hashable, Codable, Sendable {
  /// Better than the other side.
  case win
  /// As good as the other side.
  case tie
  /// Worse than the other side.
  case loss

  /// The outcome of a difference of scores.
  ///
  /// - Parameters:
  ///   - difference: own score minus the other side's; not NaN.
  ///   - tieWidth: differences up to this size, in score units, are ties.
  public init(difference: Double, tieWidth: Double = 0) {
    precondition(!difference.isNaN, "Outcome: expected a number, found NaN")
    self = abs(difference) <= tieWidth ? .tie : difference > 0 ? .win : .loss
  }

  /// 1 for a win, ½ for a tie, 0 for a loss.
  public var points: Double {
    switch self {
    case .win: 1
    case .tie: 0.5
    case .loss: 0
    }
  }
}

/// How often one side beats another, a tie counting half, with its confidence interval.
public struct WinRate: Hashable, Codable, Sendable {
  /// How many comparisons were won.
  public let wins: Int
  /// How many were ties.
  public let ties: Int
  /// How many were lost.
  public let losses: Int
  /// `(wins + ½ ties) / comparisons`, 0...1; ½ without comparisons.
  public let rate: Double
  /// What the true rate may be: Wilson's interval, or a bootstrap over prompts where several
  /// comparisons share a prompt.
  public let interval: Interval

  /// The number of comparisons.
  public var comparisons: Int { wins + ties + losses }

  /// Whether the interval lies above one half: the side wins beyond chance.
  public var isAboveHalf: Bool { interval.lower > 0.5 }

  /// A win rate of independent comparisons, one per prompt, with Wilson's interval.
  ///
  /// - Parameters:
  ///   - outcomes: one per prompt.
  ///   - level: the confidence of the interval, in 0..<1.
  public init(_ outcomes: [Outcome], level: Double = 0.95) {
    self.init(outcomes, level: level) { points in
      .wilson(successes: points, trials: outcomes.count, level: level)
    }
  }

  /// A win rate of several comparisons per prompt, with a bootstrap interval over prompts.
  ///
  /// The rate is over comparisons, so a prompt weighs as many as it has.
  /// - Parameters:
  ///   - prompts: the outcomes of each prompt; at least one comparison in all.
  ///   - level: the confidence of the interval, in 0..<1.
  ///   - resamples: how often the prompts are drawn again.
  ///   - seed: the same seed gives the same interval.
  public init(
    byPrompt prompts: [[Outcome]], level: Double = 0.95, resamples: Int = 1000, seed: UInt64 = 0
  ) {
    let outcomes = prompts.flatMap { $0 }
    let points = outcomes.map { $0.points }
    var groups: [[Int]] = []
    var next = 0
    for prompt in prompts where !prompt.isEmpty {
      groups.append(Array(next..<next + prompt.count))
      next += prompt.count
    }
    self.init(outcomes, level: level) { _ in
      .bootstrap(groups: groups, resamples: resamples, level: level, seed: seed) { rows in
        rows.reduce(0) { $0 + points[$1] } / Double(rows.count)
      }
    }
  }

  /// A win rate of scores of two sides on the same prompts, with Wilson's interval.
  ///
  /// - Parameters:
  ///   - scores: one per prompt.
  ///   - opponents: the other side's, in the same order.
  ///   - tieWidth: differences up to this size, in score units, are ties.
  ///   - level: the confidence of the interval, in 0..<1.
  public init(
    scores: [Double], against opponents: [Double], tieWidth: Double = 0, level: Double = 0.95
  ) {
    precondition(
      scores.count == opponents.count,
      "WinRate: expected \(scores.count) scores of the opponent, found \(opponents.count)")
    self.init(
      zip(scores, opponents).map { Outcome(difference: $0 - $1, tieWidth: tieWidth) }, level: level)
  }

  /// Counts outcomes; `interval` turns points into an interval.
  private init(_ outcomes: [Outcome], level: Double, interval: (Double) -> Interval) {
    wins = outcomes.count { $0 == .win }
    ties = outcomes.count { $0 == .tie }
    losses = outcomes.count - wins - ties
    let points = Double(wins) + 0.5 * Double(ties)
    rate = outcomes.isEmpty ? 0.5 : points / Double(outcomes.count)
    self.interval = interval(points)
  }
}

/// The difference of two means over the same prompts, with a paired bootstrap.
///
/// The two sides of a prompt are drawn together, so what makes a prompt easy or hard for both cancels.
public struct PairedDifference: Hashable, Codable, Sendable {
  /// The mean of the first minus the mean of the second side.
  public let difference: Double
  /// What the true difference may be.
  public let interval: Interval
  /// The share of resamples in which the first side's mean is higher, an equal one counting half.
  public let probabilityPositive: Double
  /// The number of prompts.
  public let prompts: Int

  /// Compares two sides prompt by prompt.
  ///
  /// - Parameters:
  ///   - first: one value per prompt (the mean over its samples, where there are several).
  ///   - second: the other side's, in the same order.
  ///   - level: the confidence of the interval, in 0..<1.
  ///   - resamples: how often the prompts are drawn again.
  ///   - seed: the same seed gives the same interval.
  public init(
    _ first: [Double], _ second: [Double], level: Double = 0.95, resamples: Int = 1000,
    seed: UInt64 = 0
  ) {
    precondition(
      first.count == second.count && !first.isEmpty,
      "PairedDifference: expected as many values on both sides, at least one, found "
        + "\(first.count) and \(second.count)")
    let differences = zip(first, second).map { $0 - $1 }
    let means = resampled(
      differences.indices.map { [$0] }, resamples: resamples, seed: seed
    ) { rows in rows.reduce(0) { $0 + differences[$1] } / Double(rows.count) }
    difference = differences.reduce(0, +) / Double(differences.count)
    interval = .percentiles(ofSorted: means.sorted(), level: level)
    probabilityPositive =
      means.reduce(0) { $0 + Outcome(difference: $1).points } / Double(means.count)
    prompts = first.count
  }
}
