import Foundation
import PlumbTensors

/// A range that covers the true value with a stated confidence.
public struct Interval: Hashable, Codable, Sendable {
  /// The lower end.
  public let lower: Double
  /// The upper end.
  public let upper: Double
  /// The confidence, 0.95 for 95 %.
  public let level: Double

  /// An interval from its ends.
  ///
  /// - Parameters:
  ///   - lower: the lower end.
  ///   - upper: the upper end, not below the lower.
  ///   - level: the confidence, in 0..<1.
  public init(lower: Double, upper: Double, level: Double = 0.95) {
    precondition(lower <= upper, "Interval: expected lower <= upper, found \(lower), \(upper)")
    self.lower = lower
    self.upper = upper
    self.level = level
  }

  /// Whether the interval holds a value, ends included.
  ///
  /// - Parameter value: what might be the truth.
  public func contains(_ value: Double) -> Bool { lower <= value && value <= upper }

  /// Wilson's score interval of a proportion (Wilson 1927).
  ///
  /// Successes may be fractional: a tie that counts half makes the interval conservative, since half
  /// points vary less than whole ones. Without trials nothing is known, and the interval is 0...1.
  /// - Parameters:
  ///   - successes: in 0...trials.
  ///   - trials: how many independent trials.
  ///   - level: the confidence, in 0..<1.
  public static func wilson(successes: Double, trials: Int, level: Double = 0.95) -> Interval {
    precondition(
      trials >= 0 && successes >= 0 && successes <= Double(trials),
      "wilson: expected 0 <= successes <= trials, found \(successes) of \(trials)")
    guard trials > 0 else { return Interval(lower: 0, upper: 1, level: level) }
    let n = Double(trials)
    let z = normalDeviate(level: level)
    let rate = successes / n
    let center = (rate + z * z / (2 * n)) / (1 + z * z / n)
    let spread =
      z / (1 + z * z / n) * (rate * (1 - rate) / n + z * z / (4 * n * n)).squareRoot()
    // At 0 and 1 the interval touches the end exactly; rounding must not push it outside.
    return Interval(
      lower: successes == 0 ? 0 : max(0, center - spread),
      upper: successes == n ? 1 : min(1, center + spread), level: level)
  }

  /// A percentile bootstrap interval of any statistic of independent rows (Efron 1979).
  ///
  /// - Parameters:
  ///   - rows: how many rows there are; greater than 0.
  ///   - resamples: how often to draw `rows` of them with replacement.
  ///   - level: the confidence, in 0..<1.
  ///   - seed: the same seed gives the same interval.
  ///   - statistic: the figure of the rows with the given indices, which repeat.
  public static func bootstrap(
    rows: Int, resamples: Int = 1000, level: Double = 0.95, seed: UInt64 = 0,
    statistic: ([Int]) -> Double
  ) -> Interval {
    bootstrap(
      groups: (0..<rows).map { [$0] }, resamples: resamples, level: level, seed: seed,
      statistic: statistic)
  }

  /// A percentile bootstrap interval where rows come in groups, for example by prompt.
  ///
  /// Whole groups are drawn, since rows of one group resemble each other: drawing single rows would
  /// give an interval that is too narrow.
  /// - Parameters:
  ///   - groups: the row indices of each group; at least one group.
  ///   - resamples: how often to draw as many groups as there are, with replacement.
  ///   - level: the confidence, in 0..<1.
  ///   - seed: the same seed gives the same interval.
  ///   - statistic: the figure of the rows with the given indices, which repeat.
  public static func bootstrap(
    groups: [[Int]], resamples: Int = 1000, level: Double = 0.95, seed: UInt64 = 0,
    statistic: ([Int]) -> Double
  ) -> Interval {
    let values = resampled(groups, resamples: resamples, seed: seed, statistic).sorted()
    return percentiles(ofSorted: values, level: level)
  }

  /// The middle `level` of sorted values, interpolated between neighbours.
  static func percentiles(ofSorted values: [Double], level: Double) -> Interval {
    requireLevel(level)
    func quantile(_ fraction: Double) -> Double {
      let position = fraction * Double(values.count - 1)
      let below = Int(position)
      let above = min(below + 1, values.count - 1)
      return values[below] + (position - Double(below)) * (values[above] - values[below])
    }
    return Interval(
      lower: quantile((1 - level) / 2), upper: quantile((1 + level) / 2), level: level)
  }
}

/// The statistic of each resample, in the order drawn.
func resampled(
  _ groups: [[Int]], resamples: Int, seed: UInt64, _ statistic: ([Int]) -> Double
) -> [Double] {
  precondition(!groups.isEmpty, "bootstrap: expected at least one row, found none")
  precondition(resamples > 0, "bootstrap: expected at least one resample, found \(resamples)")
  return (0..<resamples).map { statistic(resampledRows(groups, resample: $0, seed: seed)) }
}

/// As many groups as there are, drawn with replacement, as the rows of all of them.
func resampledRows(_ groups: [[Int]], resample: Int, seed: UInt64) -> [Int] {
  var stream = RandomStream(seed: seed, purpose: "bootstrap", step: resample)
  var rows: [Int] = []
  for _ in groups { rows += groups[stream.uniform(below: groups.count)] }
  return rows
}

/// `z` with `P(|N(0, 1)| ≤ z) = level`, by bisection to the last digit.
func normalDeviate(level: Double) -> Double {
  requireLevel(level)
  var (low, high) = (0.0, 40.0)
  while true {
    let middle = (low + high) / 2
    if middle <= low || middle >= high { return middle }
    // erfc keeps its digits in the tail, where erf is 1 to the last digit.
    if erfc(middle / 2.0.squareRoot()) > 1 - level { low = middle } else { high = middle }
  }
}

/// Traps unless a confidence level lies strictly between 0 and 1.
private func requireLevel(_ level: Double) {
  precondition(level > 0 && level < 1, "Interval: expected a level between 0 and 1, found \(level)")
}
