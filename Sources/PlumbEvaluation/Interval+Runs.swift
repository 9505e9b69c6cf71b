extension Interval {
  /// This interval over prompts, widened by what other runs of a method would have given.
  ///
  /// The part of the runs is Student's: the standard error of the jackknife, `√((n − 1)/n · Σ (fᵢ − f̄)²)` with fᵢ
  /// the figure without run i, times t of n − 1 degrees of freedom. Of a mean over runs that is `t · s / √n`. Drawing
  /// a few runs again would say less: of three, no mean of draws lies beyond the outermost run. The parts are
  /// independent, so the distances of the ends from the figure are squared and added (Zou and Donner 2008,
  /// "Construction of confidence limits about effect measures", Statistics in Medicine 27).
  /// - Parameters:
  ///   - value: the figure of all runs.
  ///   - sides: of each side of a comparison the figure without each of its runs; a side of one run adds nothing,
  ///     since one run does not tell how far another would lie from it.
  ///   - range: where the figure can lie.
  func widened(
    about value: Double, withoutEachRun sides: [[Double]], within range: ClosedRange<Double>
  ) -> Interval {
    let several = sides.filter { $0.count > 1 }
    guard !several.isEmpty else { return self }
    let square = several.reduce(0.0) { sum, figures in
      let count = Double(figures.count)
      let mean = figures.reduce(0, +) / count
      let variance =
        figures.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } * (count - 1) / count
      let quantile = Distributions.studentQuantile(level: level, degrees: count - 1)
      return sum + quantile * quantile * variance
    }
    let (below, above) = (max(0, value - lower), max(0, upper - value))
    return Interval(
      lower: max(value - (below * below + square).squareRoot(), min(range.lowerBound, value)),
      upper: min(value + (above * above + square).squareRoot(), max(range.upperBound, value)),
      level: level)
  }
}

/// The rows of a table that are left without each of the runs, side by side; none for a side of one run.
///
/// - Parameter sides: of each side the run of every row, [sides][rows].
func rowsWithoutEachRun(_ sides: [[Int]]) -> [[[Int]]] {
  sides.map { runs in
    let names = Set(runs).sorted()
    guard names.count > 1 else { return [] }
    return names.map { name in runs.indices.filter { runs[$0] != name } }
  }
}
