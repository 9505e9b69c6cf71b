public import PlumbPreferences

/// A question with a known answer that a judge was asked several times.
public struct SampledAnswers: Codable, Hashable, Sendable {
  /// What the samples say together.
  public var consistency: SampleConsistency
  /// The right answer.
  public var answer: String
  /// The data set.
  public var source: String

  /// Samples with the right answer.
  public init(consistency: SampleConsistency, answer: String, source: String) {
    self.consistency = consistency
    self.answer = answer
    self.source = source
  }

  /// Whether the commonest answer is right.
  public var isRight: Bool { consistency.answer == answer }
}

/// How well the agreement of a judge's samples tells whether the judge is right.
///
/// Confidence against correctness, one entry per question: ECE over bins of equal width and Brier score,
/// as in arXiv 2402.13904.
public struct ConsistencyCalibration: Sendable {
  /// The figures of one measure.
  public struct Figures: Sendable {
    /// The mean confidence.
    public let meanConfidence: Double
    /// Expected calibration error, 0...1.
    public let ece: Double
    /// Its 95 % interval.
    public let eceInterval: Interval?
    /// Mean squared distance of confidence and correctness, 0...1.
    public let brier: Double
    /// Its 95 % interval.
    public let brierInterval: Interval?
    /// The reliability diagram.
    public let bins: [ReliabilityBin]
  }

  /// The number of questions.
  public let questions: Int
  /// The share of questions whose commonest answer is right.
  public let accuracy: Double
  /// The 95 % interval of the accuracy: Wilson's, or over prompts where they are known and enough.
  public let accuracyInterval: Interval
  /// Whether intervals are over prompts, and not over questions.
  public let isByPrompt: Bool
  /// The figures of each measure.
  public let measures: [(measure: SampleConsistency.Measure, figures: Figures)]

  /// Measures questions.
  ///
  /// - Parameters:
  ///   - rows: at least one.
  ///   - prompts: the prompt of each row, those with the same one being drawn together; nil where every
  ///     question is its own.
  ///   - bins: bins of the calibration error.
  ///   - resamples: of the bootstrap; 0 for no intervals.
  ///   - seed: of the bootstrap.
  public init(
    _ rows: [SampledAnswers], prompts: [String]? = nil, bins: Int = 10, resamples: Int = 1000,
    seed: UInt64 = 0
  ) {
    precondition(!rows.isEmpty, "ConsistencyCalibration: expected at least one row, found none")
    questions = rows.count
    let right = rows.reduce(0.0) { $0 + ($1.isRight ? 1 : 0) }
    accuracy = right / Double(rows.count)
    let bootstrap = GroupedBootstrap(
      keys: prompts ?? rows.indices.map(String.init), resamples: resamples, seed: seed)
    let byPrompt =
      prompts == nil
      ? nil
      : bootstrap.interval { drawn in
        drawn.reduce(0.0) { $0 + (rows[$1].isRight ? 1 : 0) } / Double(drawn.count)
      }
    accuracyInterval = byPrompt ?? .wilson(successes: right, trials: rows.count)
    isByPrompt = prompts != nil
    measures = SampleConsistency.Measure.allCases.map { measure in
      let points = rows.map { ($0.consistency.confidence(measure), $0.isRight ? 1.0 : 0.0) }
      func counted(_ drawn: [Int]) -> (bins: ReliabilityBins, brier: Double) {
        var counts = ReliabilityBins(bins)
        var squares = 0.0
        for row in drawn {
          let (confidence, outcome) = points[row]
          counts.add(confidence, outcome)
          squares += (confidence - outcome) * (confidence - outcome)
        }
        return (counts, squares / Double(drawn.count))
      }
      let found = counted(Array(points.indices))
      let intervals = bootstrap.intervals { drawn in
        let found = counted(drawn)
        return [found.bins.expectedError, found.brier]
      }
      return (
        measure,
        Figures(
          meanConfidence: points.reduce(0) { $0 + $1.0 } / Double(points.count),
          ece: found.bins.expectedError, eceInterval: intervals[0], brier: found.brier,
          brierInterval: intervals[1], bins: found.bins.bins)
      )
    }
  }
}
