extension Interval {
  /// Student's interval of the mean of independent values.
  ///
  /// `mean ± t · s / √n` with the unbiased deviation s and n − 1 degrees of freedom.
  /// - Parameters:
  ///   - values: at least two.
  ///   - level: the confidence, in 0..<1.
  public static func studentMean(_ values: [Double], level: Double = 0.95) -> Interval {
    precondition(
      values.count > 1, "studentMean: expected at least two values, found \(values.count)")
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let error = (squares / (count - 1) / count).squareRoot()
    let half = error * Distributions.studentQuantile(level: level, degrees: count - 1)
    return Interval(lower: mean - half, upper: mean + half, level: level)
  }
}
