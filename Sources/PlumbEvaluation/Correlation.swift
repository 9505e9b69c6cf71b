/// How strongly two quantities of the same things go together, with its bootstrap interval.
public struct Correlation: Hashable, Codable, Sendable {
  /// What is correlated.
  public enum Method: String, Codable, Hashable, Sendable, CaseIterable {
    /// The values (Pearson's r).
    case pearson
    /// Their ranks, ties sharing their mean rank (Spearman's rho).
    case spearman
  }

  /// The method.
  public let method: Method
  /// The coefficient, -1...1.
  public let coefficient: Double
  /// What the true coefficient may be: percentiles of a bootstrap over points.
  public let interval: Interval
  /// The number of points.
  public let points: Int

  /// Correlates two lists; nil for fewer than three points, or where one side does not vary.
  ///
  /// Resamples in which one side does not vary say nothing and are left out; where none is left the
  /// interval is -1...1.
  /// - Parameters:
  ///   - first: one finite value per point.
  ///   - second: the other side's, in the same order.
  ///   - level: the confidence of the interval, in 0..<1.
  ///   - resamples: how often the points are drawn again.
  ///   - seed: the same seed gives the same interval.
  public init?(
    _ method: Method, _ first: [Double], _ second: [Double], level: Double = 0.95,
    resamples: Int = 2000, seed: UInt64 = 0
  ) {
    precondition(
      first.count == second.count,
      "Correlation: expected as many values on both sides, found \(first.count) and \(second.count)"
    )
    precondition(
      (first + second).allSatisfy { $0.isFinite }, "Correlation: expected finite values")
    guard first.count >= 3, let found = Self.coefficient(method, first, second) else { return nil }
    self.method = method
    coefficient = found
    points = first.count
    let drawn = resampled(
      first.indices.map { [$0] }, resamples: resamples, seed: seed
    ) { rows in
      Self.coefficient(method, rows.map { first[$0] }, rows.map { second[$0] }) ?? .nan
    }
    .filter { !$0.isNaN }.sorted()
    interval =
      drawn.isEmpty
      ? Interval(lower: -1, upper: 1, level: level)
      : .percentiles(ofSorted: drawn, level: level)
  }

  /// The coefficient alone; nil where one side does not vary.
  public static func coefficient(
    _ method: Method, _ first: [Double], _ second: [Double]
  ) -> Double? {
    switch method {
    case .pearson: pearson(first, second)
    case .spearman: pearson(ranks(first), ranks(second))
    }
  }

  private static func pearson(_ first: [Double], _ second: [Double]) -> Double? {
    let count = Double(first.count)
    let (firstMean, secondMean) = (first.reduce(0, +) / count, second.reduce(0, +) / count)
    var (product, firstSquares, secondSquares) = (0.0, 0.0, 0.0)
    for (x, y) in zip(first, second) {
      product += (x - firstMean) * (y - secondMean)
      firstSquares += (x - firstMean) * (x - firstMean)
      secondSquares += (y - secondMean) * (y - secondMean)
    }
    guard firstSquares > 0, secondSquares > 0 else { return nil }
    // Rounding must not push a perfect correlation over 1.
    return max(-1, min(1, product / (firstSquares * secondSquares).squareRoot()))
  }

  /// Ranks from 1; equal values share the mean of the ranks they take.
  private static func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
      var end = start
      while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
      for place in start..<end { ranks[order[place]] = Double(start + end + 1) / 2 }
      start = end
    }
    return ranks
  }
}
