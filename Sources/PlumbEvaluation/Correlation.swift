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
  /// What the true coefficient may be: percentiles of a bootstrap over points, or over clusters of them.
  public let interval: Interval
  /// The number of points.
  public let points: Int
  /// The number of things drawn again: clusters, or points where there are none.
  public let clusters: Int

  /// Correlates two lists; nil for fewer than three points, or where one side does not vary.
  ///
  /// Resamples in which one side does not vary say nothing and are left out; where none is left, or there
  /// are fewer than three clusters, the interval is -1...1.
  /// - Parameters:
  ///   - first: one finite value per point.
  ///   - second: the other side's, in the same order.
  ///   - names: the cluster of each point, such as what seeds of one method have in common; whole
  ///     clusters are drawn again, since their points are not independent. Nil: every point for itself.
  ///   - level: the confidence of the interval, in 0..<1.
  ///   - resamples: how often the points are drawn again.
  ///   - seed: the same seed gives the same interval.
  public init?(
    _ method: Method, _ first: [Double], _ second: [Double], clusters names: [String]? = nil,
    level: Double = 0.95, resamples: Int = 2000, seed: UInt64 = 0
  ) {
    precondition(
      first.count == second.count,
      "Correlation: expected as many values on both sides, found \(first.count) and \(second.count)"
    )
    precondition(
      (first + second).allSatisfy { $0.isFinite }, "Correlation: expected finite values")
    precondition(
      names.map { $0.count == first.count } ?? true,
      "Correlation: expected a cluster for each of \(first.count) points, found \(names?.count ?? 0)"
    )
    guard first.count >= 3, let found = Self.coefficient(method, first, second) else { return nil }
    self.method = method
    coefficient = found
    points = first.count
    let groups = Self.groups(of: names ?? first.indices.map(String.init))
    clusters = groups.count
    guard groups.count >= 3 else {
      interval = Interval(lower: -1, upper: 1, level: level)
      return
    }
    let drawn = resampled(groups, resamples: resamples, seed: seed) { rows in
      Self.coefficient(method, rows.map { first[$0] }, rows.map { second[$0] }) ?? .nan
    }
    .filter { !$0.isNaN }.sorted()
    interval =
      drawn.isEmpty
      ? Interval(lower: -1, upper: 1, level: level)
      : .percentiles(ofSorted: drawn, level: level)
  }

  /// The points of each cluster, clusters in the order in which they appear.
  private static func groups(of names: [String]) -> [[Int]] {
    var places: [String: Int] = [:]
    var groups: [[Int]] = []
    for (point, name) in names.enumerated() {
      let place = places[name] ?? groups.count
      if place == groups.count {
        places[name] = place
        groups.append([])
      }
      groups[place].append(point)
    }
    return groups
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
    // Equal values may lie a rounding away from their mean, so their squares do not tell.
    guard first.contains(where: { $0 != first[0] }), second.contains(where: { $0 != second[0] })
    else { return nil }
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
