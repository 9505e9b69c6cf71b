/// Bootstrap intervals of several figures at once, from one set of resamples.
///
/// Whole prompts are drawn again, since pairs of one prompt resemble each other (Efron 1979; cluster
/// bootstrap). With few prompts the percentiles say little, so below ``minimumGroups`` there is none.
struct GroupedBootstrap {
  /// The least number of prompts for which an interval is given.
  static let minimumGroups = 5

  /// The rows of each prompt.
  let groups: [[Int]]
  let resamples: Int
  let seed: UInt64

  /// Groups rows by a key, in the order of first appearance.
  init(keys: [String], resamples: Int, seed: UInt64) {
    var places: [String: Int] = [:]
    var groups: [[Int]] = []
    for (row, key) in keys.enumerated() {
      if let place = places[key] {
        groups[place].append(row)
      } else {
        places[key] = groups.count
        groups.append([row])
      }
    }
    self.groups = groups
    self.resamples = resamples
    self.seed = seed
  }

  /// The 95 % interval of each figure; nil where there are too few prompts, or the figure is not a
  /// finite number on one resample in twenty or more.
  ///
  /// - Parameter statistics: the figures of the rows with the given indices, which repeat.
  func intervals(_ statistics: ([Int]) -> [Double]) -> [Interval?] {
    let count = statistics(groups.flatMap { $0 }).count
    guard groups.count >= Self.minimumGroups else {
      return [Interval?](repeating: nil, count: count)
    }
    var values = [[Double]](repeating: [], count: count)
    for resample in 0..<resamples {
      let rows = resampledRows(groups, resample: resample, seed: seed)
      for (figure, value) in statistics(rows).enumerated() where value.isFinite {
        values[figure].append(value)
      }
    }
    return values.map { values in
      guard values.count * 20 > resamples * 19 else { return nil }
      return Interval.percentiles(ofSorted: values.sorted(), level: 0.95)
    }
  }

  /// The interval of one figure.
  func interval(_ statistic: ([Int]) -> Double) -> Interval? {
    intervals { [statistic($0)] }[0]
  }
}
