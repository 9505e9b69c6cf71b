import Foundation

/// What stands for `log Z` in the step of a preference game.
public enum PartitionTerm: String, Codable, Hashable, Sendable, CaseIterable {
  /// 0, as the papers train: right where the scores of a prompt are small or lie around 0.
  case zero
  /// The mean over the sampled responses; see ``logPartition(_:beta:)``.
  case estimated
}

/// `log Z` of one multiplicative-weights step, estimated on K responses that the policy sampled.
///
/// The step against score ŝ is `π' = π_t exp(ŝ/β) / Z` with `Z = E_{y~π_t} exp(ŝ(y)/β)` (Freund and Schapire
/// 1999; arXiv 2405.00675, eq. 4.4; the closed form of arXiv 2410.02197, eq. 5.3). With responses from π_t
/// itself the expectation is their mean: `log (1/K) Σ_k exp(ŝ_k/β)`. By Jensen's inequality it is at
/// least the mean of ŝ/β, which is 0 for a full skew-symmetric table: `zero` asks the log-ratios of a prompt
/// to average 0, where those of the true step average less.
/// - Parameters:
///   - scores: K values of ŝ of one prompt.
///   - beta: the strength of the pull to `π_t`, greater than 0.
public func logPartition(_ scores: [Double], beta: Double) -> Double {
  precondition(!scores.isEmpty, "logPartition: expected at least one score, found none")
  precondition(beta > 0, "logPartition: expected beta > 0, found \(beta)")
  let exponents = scores.map { $0 / beta }
  let highest = exponents.max() ?? 0
  let sum = exponents.reduce(0) { $0 + exp($1 - highest) }
  return highest + log(sum / Double(scores.count))
}

/// The log-ratios that one step of a preference game asks for, for the K responses to one prompt.
///
/// `ŝ/β - log Z`, bounded on both sides where a bound is given.
/// - Parameters:
///   - scores: K values of ŝ (GPO), or of `p̂ - 1/2` (SPPO, bounded by 1/2).
///   - beta: the strength of the pull to the reference, greater than 0.
///   - partition: what stands for `log Z`.
///   - bound: the largest size of a target, in nats; nil for none.
public func gameTargets(
  _ scores: [Double], beta: Double, partition: PartitionTerm = .zero, bound: Double? = nil
) -> [Float] {
  let shift = partition == .zero ? 0 : logPartition(scores, beta: beta)
  return scores.map { score in
    let target = score / beta - shift
    return Float(bound.map { min(max(target, -$0), $0) } ?? target)
  }
}
