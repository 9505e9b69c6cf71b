import Foundation

/// How well predicted preference probabilities agree with what people chose.
///
/// Every figure is over pairs. The probability of a pair is the model's that the first response wins.
public struct Calibration: Hashable, Codable, Sendable {
  /// The number of pairs.
  public let pairs: Int
  /// The share of pairs whose likelier response was chosen; an exact tie (p = ½) counts half.
  public let accuracy: Double
  /// The mean negative log-likelihood of the choices, nats per pair; a coin has 0.693.
  public let nll: Double
  /// The mean squared distance of probability and outcome, 0...1; a coin has 0.25.
  public let brier: Double
  /// Expected calibration error with both orders of each pair in the bins, 0...1.
  ///
  /// Each pair enters as `(p, y)` and as `(1 − p, 1 − y)`, so that the figure does not depend on which
  /// response is called the first.
  public let ece: Double
  /// Expected calibration error of the confidence `max(p, 1 − p)`, 0...1.
  public let foldedECE: Double
  /// Expected calibration error over bins of equal mass instead of equal width, both orders, 0...1.
  ///
  /// Where a model's probabilities crowd around ½, most bins of equal width are nearly empty and one
  /// holds all; bins that hold equally many entries look into the crowd (Nixon et al. 2019, arXiv
  /// 1904.01685, §3.3; Nguyen and O'Connor 2015).
  public let adaptiveECE: Double
  /// The largest `|win rate − mean probability|` over the bins that are not empty, both orders.
  public let mce: Double
  /// The mean of `|win rate − mean probability|` over the bins that are not empty, both orders, each
  /// bin with the same weight; "ACE" in MORE's code, where the A is for average.
  public let ace: Double
  /// The reliability diagram, both orders of each pair, from probability 0 to 1; empty bins included.
  public let bins: [ReliabilityBin]

  /// Figures of pairs given by the difference of their rewards.
  ///
  /// - Parameters:
  ///   - differences: reward of the first minus reward of the second response, or any log-odds.
  ///   - firstPreferred: whether the first was chosen; none means that it always was, as in files that
  ///     name the chosen response first.
  ///   - binCount: bins of equal width over 0...1.
  public init(
    rewardDifferences differences: [Double], firstPreferred: [Bool]? = nil, binCount: Int = 10
  ) {
    let outcomes = firstPreferred ?? [Bool](repeating: true, count: differences.count)
    self.init(
      probabilities: differences.map { 1 / (1 + exp(-$0)) },
      complements: differences.map { 1 / (1 + exp($0)) },
      // log(1 + e^{−z}) without overflow; the probability itself rounds to 0 or 1 for large |z|.
      surprises: zip(differences, outcomes).map { difference, first in
        let z = first ? difference : -difference
        return max(-z, 0) + log1p(exp(-abs(z)))
      },
      outcomes: outcomes, binCount: binCount)
  }

  /// Figures of pairs given by probabilities.
  ///
  /// - Parameters:
  ///   - probabilities: that the first response wins, in 0...1. For the likelihood alone they are
  ///     held 1e-15 away from 0 and 1, so that one impossible choice leaves a finite figure.
  ///   - firstPreferred: whether the first was chosen; none means that it always was.
  ///   - binCount: bins of equal width over 0...1.
  public init(probabilities: [Double], firstPreferred: [Bool]? = nil, binCount: Int = 10) {
    for probability in probabilities {
      precondition(
        (0...1).contains(probability),
        "Calibration: expected probabilities in 0...1, found \(probability)")
    }
    let outcomes = firstPreferred ?? [Bool](repeating: true, count: probabilities.count)
    self.init(
      probabilities: probabilities, complements: probabilities.map { 1 - $0 },
      surprises: zip(probabilities, outcomes).map { probability, first in
        -log(min(max(first ? probability : 1 - probability, 1e-15), 1 - 1e-15))
      },
      outcomes: outcomes, binCount: binCount)
  }

  /// Figures from probabilities, what is left to 1, and negative log-likelihoods per pair.
  private init(
    probabilities: [Double], complements: [Double], surprises: [Double], outcomes: [Bool],
    binCount: Int
  ) {
    precondition(!probabilities.isEmpty, "Calibration: expected at least one pair, found none")
    precondition(
      outcomes.count == probabilities.count,
      "Calibration: expected \(probabilities.count) outcomes, one per pair, found \(outcomes.count)"
    )
    precondition(
      probabilities.allSatisfy { !$0.isNaN }, "Calibration: expected numbers, found NaN")
    precondition(binCount > 0, "Calibration: expected binCount > 0, found \(binCount)")
    let count = Double(probabilities.count)
    var points = 0.0
    var squares = 0.0
    var ordered = ReliabilityBins(binCount)
    var folded = ReliabilityBins(binCount)
    var entries: [(probability: Double, outcome: Double)] = []
    entries.reserveCapacity(2 * probabilities.count)
    for (index, (probability, complement)) in zip(probabilities, complements).enumerated() {
      let outcome: Double = outcomes[index] ? 1 : 0
      let hit = probability == complement ? 0.5 : probability > complement ? outcome : 1 - outcome
      points += hit
      squares += (probability - outcome) * (probability - outcome)
      ordered.add(probability, outcome)
      ordered.add(complement, 1 - outcome)
      folded.add(max(probability, complement), hit)
      entries.append((probability, outcome))
      entries.append((complement, 1 - outcome))
    }
    pairs = probabilities.count
    accuracy = points / count
    nll = surprises.reduce(0, +) / count
    brier = squares / count
    ece = ordered.expectedError
    foldedECE = folded.expectedError
    adaptiveECE = ReliabilityBins.equalMassError(entries, binCount: binCount)
    mce = ordered.maximumError
    ace = ordered.averageError
    bins = ordered.bins
  }
}
