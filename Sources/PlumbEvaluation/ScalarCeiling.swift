/// The largest share of preferences that any order of the items, so any scalar score, can agree with.
///
/// Exact: the best order of every subset of the items is built from those of its subsets (2^n steps in
/// place of n!). A score that ties two items agrees half with either verdict, which is the mean of the
/// two orders, so ties cannot do better. For a strict n-cycle it is (n - 1) / n: 2/3 for three items.
/// - Parameter wins: [n][n], how often the row was preferred to the column; not negative, at most 16
///   items.
/// - Returns: in 0...1; 1 where there are no preferences.
public func scalarCeiling(wins: [[Double]]) -> Double {
  let count = wins.count
  precondition(
    count <= 16 && wins.allSatisfy { $0.count == count },
    "scalarCeiling: expected a square table of at most 16 items, found rows of \(wins.map(\.count))"
  )
  let total = wins.indices.reduce(0.0) { sum, i in
    sum + wins[i].indices.reduce(0.0) { $0 + ($1 == i ? 0 : wins[i][$1]) }
  }
  guard total > 0 else { return 1 }
  // best[S]: the most wins that agree with some order of S; the item that comes last loses to the rest.
  var best = [Double](repeating: 0, count: 1 << count)
  for subset in 1..<max(1, best.count) {
    best[subset] =
      (0..<count).filter { subset & (1 << $0) != 0 }.map { last in
        let before = subset & ~(1 << last)
        return best[before]
          + (0..<count).reduce(0.0) { $0 + (before & (1 << $1) != 0 ? wins[$1][last] : 0) }
      }.max() ?? 0
  }
  return best[best.count - 1] / total
}
