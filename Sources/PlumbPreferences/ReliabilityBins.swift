/// One bar of a reliability diagram.
public struct ReliabilityBin: Hashable, Codable, Sendable {
  /// The lowest probability of the bin; its highest is that of the next bin, or 1.
  public let lowerBound: Double
  /// How many entries fell in the bin; of preference pairs, each enters twice, once in either order.
  public let count: Int
  /// The mean predicted probability of the entries; 0 for an empty bin.
  public let meanProbability: Double
  /// The share of entries that won; 0 for an empty bin.
  public let winRate: Double
}

/// Predictions and outcomes, counted in bins of equal width over 0...1.
///
/// The definitions of MORE's code (arXiv 2312.07401, §2 and its `calibration_error`): bin b holds n_b
/// of n predictions, its gap is `|win rate − mean probability|`.
public struct ReliabilityBins: Hashable, Sendable {
  private var counts: [Int]
  private var probabilities: [Double]
  private var outcomes: [Double]

  /// Empty bins.
  public init(_ binCount: Int) {
    precondition(binCount > 0, "ReliabilityBins: expected binCount > 0, found \(binCount)")
    counts = [Int](repeating: 0, count: binCount)
    probabilities = [Double](repeating: 0, count: binCount)
    outcomes = probabilities
  }

  /// Counts one prediction; probability 1 belongs to the last bin.
  ///
  /// - Parameters:
  ///   - probability: in 0...1.
  ///   - outcome: 1 if it came true, 0 if not, ½ for a tie.
  public mutating func add(_ probability: Double, _ outcome: Double) {
    let bin = min(Int(probability * Double(counts.count)), counts.count - 1)
    counts[bin] += 1
    probabilities[bin] += probability
    outcomes[bin] += outcome
  }

  /// `Σ_b (n_b/n)·gap_b` (Naeini 2015; Guo 2017); 0 without predictions.
  public var expectedError: Double {
    let total = Double(max(1, counts.reduce(0, +)))
    return zip(probabilities, outcomes).reduce(0) { $0 + abs($1.1 - $1.0) } / total
  }

  /// The largest gap of the bins that are not empty; 0 without predictions.
  public var maximumError: Double { gaps.max() ?? 0 }

  /// The mean gap of the bins that are not empty; 0 without predictions.
  public var averageError: Double { gaps.reduce(0, +) / Double(max(1, gaps.count)) }

  private var gaps: [Double] {
    counts.indices.filter { counts[$0] > 0 }.map {
      abs(outcomes[$0] - probabilities[$0]) / Double(counts[$0])
    }
  }

  /// The bins from probability 0 to 1; empty ones included.
  public var bins: [ReliabilityBin] {
    counts.indices.map { bin in
      let count = Double(max(1, counts[bin]))
      return ReliabilityBin(
        lowerBound: Double(bin) / Double(counts.count), count: counts[bin],
        meanProbability: probabilities[bin] / count, winRate: outcomes[bin] / count)
    }
  }

  /// The expected error over bins that hold equally many predictions: `Σ_b (n_b/n)·gap_b`.
  ///
  /// Predictions are sorted and cut into `binCount` runs whose sizes differ by one at most, the larger
  /// first. Outcomes of equal probabilities are averaged before the cut, so that the figure does not
  /// depend on the order of the rows.
  public static func equalMassError(
    _ predictions: [(probability: Double, outcome: Double)], binCount: Int
  ) -> Double {
    precondition(binCount > 0, "equalMassError: expected binCount > 0, found \(binCount)")
    let sorted = predictions.sorted { $0.probability < $1.probability }
    var gaps = sorted.map { $0.outcome - $0.probability }
    var start = 0
    while start < sorted.count {
      var end = start + 1
      while end < sorted.count, sorted[end].probability == sorted[start].probability { end += 1 }
      if end > start + 1 {
        let mean = gaps[start..<end].reduce(0, +) / Double(end - start)
        for index in start..<end { gaps[index] = mean }
      }
      start = end
    }
    var error = 0.0
    start = 0
    for bin in 0..<min(binCount, gaps.count) {
      let size = gaps.count / binCount + (bin < gaps.count % binCount ? 1 : 0)
      error += abs(gaps[start..<start + size].reduce(0, +))
      start += size
    }
    return error / Double(max(1, gaps.count))
  }
}
