import Foundation

/// A judge's answer on the K responses to one prompt.
public struct Judgement: Codable, Hashable, Sendable {
  /// Name of the judge, for provenance.
  public let source: String
  /// One score per response, nil where the judge has only preferences.
  public let scores: [Double]?
  /// Log-odds that response i is preferred to j, [K][K]: antisymmetric to the bit, zero diagonal.
  ///
  /// Any temperature is already applied, once.
  public let preferenceLogits: [[Double]]
  /// Why the responses could not be judged, where that is to be passed over; nil for a judgement.
  ///
  /// A group with a reason has no scores and a table of zeros, and is not to be learnt from.
  public let skipReason: String?

  /// Makes a judgement from one score per response: the log-odds of i over j are `r_i - r_j`.
  ///
  /// - Parameters:
  ///   - scores: what is reported.
  ///   - logitScores: scores whose differences are the log-odds, if they differ from `scores`.
  ///   - source: name of the judge.
  public init(scores: [Double], logitScores: [Double]? = nil, source: String) {
    let rewards = logitScores ?? scores
    precondition(
      rewards.count == scores.count,
      "Judgement: expected \(scores.count) scores, found \(rewards.count)")
    self.source = source
    self.scores = scores
    skipReason = nil
    preferenceLogits = rewards.map { own in rewards.map { own - $0 } }
  }

  /// Makes a judgement from a table of log-odds.
  ///
  /// Only the part above the diagonal is read; the rest follows from antisymmetry.
  public init(preferenceLogits table: [[Double]], scores: [Double]? = nil, source: String) {
    precondition(
      table.allSatisfy { $0.count == table.count } && (scores?.count ?? table.count) == table.count,
      "Judgement: expected a square table, found rows of \(table.map(\.count))")
    self.source = source
    self.scores = scores
    skipReason = nil
    preferenceLogits = table.indices.map { i in
      table.indices.map { j in i < j ? table[i][j] : i > j ? -table[j][i] : 0 }
    }
  }

  /// Says that `count` responses could not be judged and are to be passed over.
  public init(skipping count: Int, because reason: String, source: String) {
    self.source = source
    scores = nil
    skipReason = reason
    preferenceLogits = Array(repeating: Array(repeating: 0, count: count), count: count)
  }

  /// Probability that response i is preferred to j, [K][K]; 1/2 on the diagonal.
  public var probabilities: [[Double]] { preferenceLogits.map { $0.map(sigmoid) } }

  /// Mean log-odds of each response over the K responses: ŝ of GPO.
  ///
  /// Equation 5.2 of arXiv 2410.02197.
  ///
  /// - Parameter includingSelf: whether the zero of a response against itself counts, as in the paper;
  ///   otherwise the mean is over the K - 1 others.
  public func opponentMeans(includingSelf: Bool = true) -> [Double] {
    let count = preferenceLogits.count
    let opponents = Double(includingSelf ? count : max(1, count - 1))
    return preferenceLogits.map { $0.reduce(0, +) / opponents }
  }

  /// Mean probability of each response to be preferred: the win probability p̂ of SPPO.
  ///
  /// Equation 4.7 of arXiv 2405.00675.
  ///
  /// - Parameter includingSelf: whether the half of a response against itself counts.
  public func winProbabilities(includingSelf: Bool = true) -> [Double] {
    let count = preferenceLogits.count
    let opponents = Double(includingSelf ? count : max(1, count - 1))
    return probabilities.map { ($0.reduce(0, +) - (includingSelf ? 0 : 0.5)) / opponents }
  }
}

/// `1 / (1 + exp(-x))`, without overflow.
func sigmoid(_ x: Double) -> Double {
  if x >= 0 { return 1 / (1 + exp(-x)) }
  let e = exp(x)
  return e / (1 + e)
}
