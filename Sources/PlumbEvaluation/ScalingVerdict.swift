import Foundation

/// What became of a test loss as the data grew, by a rule that is fixed beforehand.
///
/// With `L` the mean loss over `log2` of the size:
/// 1. **flat** if the 95 % interval of the change over all sizes lies within ± `margin`;
/// 2. else **rises** or falls if the slope differs from 0 (two-sided p < `alpha`); if it does not,
///    **undetermined**: neither a trend nor its absence is shown;
/// 3. a fall is a **power law** if it does not grow steeper (no bend downwards with p < `alpha`), and
///    if `a·x^−b + c`, or its limit for small `b`, the line in `log x`, has the lower AICc than a
///    constant; else it is **undetermined**.
///
/// The p-values and the interval take both test rows and training runs as samples; see `Contrast`.
public struct ScalingVerdict: Hashable, Codable, Sendable {
  /// The verdict.
  public enum Kind: String, Hashable, Codable, Sendable, CaseIterable {
    /// It falls as a power law does.
    case powerLaw = "power law"
    /// It stays within the margin.
    case flat
    /// It rises.
    case rises
    /// The data do not decide.
    case undetermined
  }

  /// The verdict.
  public let kind: Kind
  /// Why, in a few words.
  public let reason: String
  /// The change of the loss per doubling, nats.
  public let slope: Contrast
  /// The change from the smallest to the largest size on the straight line, nats.
  public let change: Contrast
  /// How the slope changes along the curve: below 0 where it falls ever faster; nil for two sizes.
  public let bend: Contrast?
  /// 95 % bootstrap intervals of the mean loss at each size, over test rows and runs, nats.
  public let pointIntervals: [Interval]
  /// The law of the mean curve; nil where no exponent fits best.
  public let law: ScalingLaw?
  /// 95 % bootstrap intervals of `a`, `b` and `c`, over the resamples that have a law.
  public let lawIntervals: [Interval]?
  /// The share of resamples whose curve has a law.
  public let lawShare: Double
  /// Akaike's corrected criterion of a constant, the law and the line in `log x`; lower is better.
  public let criteria: Criteria

  /// Akaike's corrected criterion (Hurvich and Tsai 1989), on the points of all runs.
  public struct Criteria: Hashable, Codable, Sendable {
    /// Of a constant.
    public let flat: Double
    /// Of the power law with an offset; infinite where there is none.
    public let law: Double
    /// Of the straight line in `log x`.
    public let line: Double
  }

  /// Judges a curve.
  ///
  /// - Parameters:
  ///   - losses: at least two sizes; three or more for a law.
  ///   - margin: the change, in nats, that counts as none.
  ///   - alpha: the level of the tests.
  ///   - resamples: of the bootstrap for the intervals of the law and of the points.
  ///   - seed: the same seed gives the same intervals.
  public init(
    _ losses: ScalingLosses, margin: Double = 0.02, alpha: Double = 0.05, resamples: Int = 400,
    seed: UInt64 = 0
  ) {
    let logs = losses.sizes.map { log2($0) }
    let linear = Self.centred(logs)
    let scale = linear.reduce(0) { $0 + $1 * $1 }
    slope = Contrast(losses, factors: linear.map { $0 / scale })
    let range = (logs.last ?? 0) - (logs.first ?? 0)
    change = Contrast(losses, factors: linear.map { $0 / scale * range })
    bend = Self.quadratic(linear).map { Contrast(losses, factors: $0) }

    let means = losses.means
    let law = try? ScalingLaw(sizes: losses.sizes, losses: means)
    // A law that rises (a < 0) is none.
    self.law = law.flatMap { $0.a > 0 ? $0 : nil }
    precondition(
      resamples > 0, "ScalingVerdict: expected at least one resample, found \(resamples)")
    let drawn = losses.resampledMeans(resamples: resamples, seed: seed)
    pointIntervals = losses.sizes.indices.map { size in
      .percentiles(ofSorted: drawn.map { $0[size] }.sorted(), level: 0.95)
    }
    let laws = drawn.compactMap {
      try? ScalingLaw(sizes: losses.sizes, losses: $0)
    }.filter { $0.a > 0 }
    lawShare = Double(laws.count) / Double(resamples)
    lawIntervals =
      self.law == nil || laws.count < 2
      ? nil
      : [\ScalingLaw.a, \.b, \.c].map { part in
        Interval.percentiles(ofSorted: laws.map { $0[keyPath: part] }.sorted(), level: 0.95)
      }
    criteria = Criteria(losses, means: means, law: self.law, linear: linear)

    let text = { (value: Double) in String(format: "%.3f", value) }
    if -margin <= change.interval.lower, change.interval.upper <= margin {
      kind = .flat
      reason = "changes by less than \(text(margin)) nats"
    } else if slope.pValue >= alpha {
      kind = .undetermined
      reason = "no trend shown, p = \(text(slope.pValue)), nor its absence"
    } else if slope.value > 0 {
      kind = .rises
      reason = "p = \(text(slope.pValue))"
    } else if let bend, bend.value < 0, bend.pValue < alpha {
      kind = .undetermined
      reason = "falls faster and faster, which no power law does (p = \(text(bend.pValue)))"
    } else if min(criteria.law, criteria.line) < criteria.flat {
      kind = .powerLaw
      reason =
        "p = \(text(slope.pValue))"
        + (self.law == nil ? "; a line in log x, so the exponent is open" : "")
    } else {
      kind = .undetermined
      reason = "falls (p = \(text(slope.pValue))), but a constant describes it as well"
    }
  }

  private static func centred(_ values: [Double]) -> [Double] {
    let mean = values.reduce(0, +) / Double(values.count)
    return values.map { $0 - mean }
  }

  /// Factors of the bend: the part of `x²` that neither a constant nor `x` explains.
  private static func quadratic(_ linear: [Double]) -> [Double]? {
    guard linear.count >= 3 else { return nil }
    let squares = centred(linear.map { $0 * $0 })
    let slope =
      zip(squares, linear).reduce(0) { $0 + $1.0 * $1.1 } / linear.reduce(0) { $0 + $1 * $1 }
    let rest = zip(squares, linear).map { $0 - slope * $1 }
    let scale = rest.reduce(0) { $0 + $1 * $1 }
    return rest.map { $0 / scale }
  }
}

extension ScalingVerdict.Criteria {
  init(_ losses: ScalingLosses, means: [Double], law: ScalingLaw?, linear: [Double]) {
    let curves = losses.curves
    let count = Double(curves.count * means.count)
    let mean = means.reduce(0, +) / Double(means.count)
    let scale = linear.reduce(0) { $0 + $1 * $1 }
    let slope = zip(linear, means).reduce(0) { $0 + $1.0 * $1.1 } / scale
    func criterion(_ parameters: Double, _ model: (Int) -> Double) -> Double {
      let error = curves.reduce(0) { sum, curve in
        sum + curve.indices.reduce(0) { $0 + (curve[$1] - model($1)) * (curve[$1] - model($1)) }
      }
      let k = parameters + 1
      guard count > k + 1 else { return .infinity }
      return count * log(max(error, 1e-300) / count) + 2 * k + 2 * k * (k + 1) / (count - k - 1)
    }
    flat = criterion(1) { _ in mean }
    line = criterion(2) { mean + slope * linear[$0] }
    self.law = law.map { law in criterion(3) { law.loss(at: losses.sizes[$0]) } } ?? .infinity
  }
}
