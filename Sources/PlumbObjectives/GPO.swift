import Foundation
public import PlumbTensors

/// The preference score of each response against the policy that sampled all of them.
///
/// `ŝ_i = (1/K) Σ_j s(i ≻ j)`, over all K responses to one prompt, itself included (arXiv 2410.02197,
/// eq. 5.2).
/// - Parameter table: K rows of K preference logits `s(i ≻ j)`, divided by `tau` once where they
///   come from a general preference model.
public func meanPreferenceScores(_ table: [[Double]]) -> [Double] {
  requireSquare("meanPreferenceScores", table)
  return table.map { row in row.reduce(0, +) / Double(row.count) }
}

/// The win probability of each response against the policy that sampled all of them.
///
/// `p̂_i = (1/K) Σ_j σ(s(i ≻ j))`, itself included at a half (arXiv 2405.00675, eq. 4.7).
/// - Parameter table: K rows of K preference logits.
public func meanWinProbabilities(_ table: [[Double]]) -> [Double] {
  requireSquare("meanWinProbabilities", table)
  return table.map { row in
    row.reduce(0) { $0 + 1 / (1 + exp(-$1)) } / Double(row.count)
  }
}

/// General Preference Optimization: the squared distance of log-ratios from preference scores.
///
/// `mean (log π(y|x)/π_t(y|x) − ŝ(y ≻ π_t | x)/β)²` over the sampled responses, with the partition
/// term `log Z` set to 0 (General Preference Optimization, arXiv 2410.02197, eq. 5.3; not
/// *Generalized* Preference Optimization, arXiv 2402.05749). With `lengths` the log-ratio is divided
/// by `|y|^γ` (LN-GPO, app. E.2).
///
/// Statistics, means over responses: `gpo/log_ratio` (after length normalisation), `gpo/target`,
/// `gpo/score` (ŝ; 0 over a whole group, since the table is skew-symmetric), `gpo/error` (the
/// absolute distance from the target).
/// - Parameters:
///   - logRatio: [R], `log π − log π_t` summed over the tokens of each response.
///   - preferenceScores: R values of `ŝ`, see ``meanPreferenceScores(_:)``.
///   - beta: the strength of the pull to `π_t`, greater than 0; `1/β` is the step size.
///   - lengths: R token counts for length normalisation; none means none.
///   - lengthExponent: `γ`.
///   - targetBound: the clamp of `ŝ/β` on both sides; none means no clamp.
///   - batchCount: the responses of the whole batch, where this call holds a part of it.
public func gpo(
  logRatio: Tensor, preferenceScores: [Float], beta: Float, lengths: [Int]? = nil,
  lengthExponent: Float = 1, targetBound: Float? = nil, batchCount: Int? = nil
) -> Objective {
  requirePositive("gpo", beta: beta)
  requireCount("gpo", "preferenceScores", preferenceScores.count, rows: logRatio.count)
  let targets = preferenceScores.map { score in
    let target = score / beta
    return targetBound.map { min(max(target, -$0), $0) } ?? target
  }
  let objective = gpo(
    logRatio: logRatio, targets: targets, lengths: lengths, lengthExponent: lengthExponent,
    batchCount: batchCount)
  return Objective(
    loss: objective.loss,
    statistics: objective.statistics.merging(["gpo/score": mean(preferenceScores)]) { $1 },
    count: objective.count)
}

/// The squared distance of log-ratios from targets: GPO and SPPO, once their targets are known.
///
/// Statistics as in `gpo(logRatio:preferenceScores:)`, without `gpo/score`.
/// - Parameters:
///   - logRatio: [R], `log π − log π_ref` summed over the tokens of each response.
///   - targets: R log-ratios to reach, see ``gameTargets(_:beta:partition:bound:)``.
///   - lengths: R token counts for length normalisation; none means none.
///   - lengthExponent: `γ`.
///   - batchCount: the responses of the whole batch, where this call holds a part of it.
public func gpo(
  logRatio: Tensor, targets: [Float], lengths: [Int]? = nil, lengthExponent: Float = 1,
  batchCount: Int? = nil
) -> Objective {
  requireColumn("gpo", logRatio)
  requireCount("gpo", "targets", targets.count, rows: logRatio.count)
  var ratio = logRatio
  if let lengths {
    requireCount("gpo", "lengths", lengths.count, rows: logRatio.count)
    let factors = lengths.map { length in
      precondition(length > 0, "gpo: expected lengths > 0, found \(length)")
      return pow(Float(length), -lengthExponent)
    }
    ratio = ratio * Tensor(factors)
  }
  let error = ratio - Tensor(targets)
  return Objective(
    loss: error.square().share(of: batchCount),
    statistics: [
      "gpo/log_ratio": mean(ratio.scalars),
      "gpo/target": mean(targets),
      "gpo/error": mean(error.scalars.map { abs($0) }),
    ],
    count: logRatio.count)
}

/// Traps unless a preference table is square and not empty.
private func requireSquare(_ operation: String, _ table: [[Double]]) {
  precondition(!table.isEmpty, "\(operation): expected at least one response, found none")
  for row in table {
    precondition(
      row.count == table.count,
      "\(operation): expected \(table.count) columns in each row, found \(row.count)")
  }
}
