/// Per-token rewards: a KL penalty on every token, and the score on the last one.
///
/// `r_t = −c·k(log π − log π_ref)`, plus the score at the last token of the row (Ouyang et al. 2022,
/// arXiv 2203.02155, with the `k1` estimator). The end-of-turn token is the last one where there is one.
/// - Parameters:
///   - logprobs: one array per row, under the policy that sampled; no row is empty.
///   - referenceLogprobs: rows of the same lengths, under the reference.
///   - scores: one per row, in reward units.
///   - klCoefficient: `c`, reward units per nat.
///   - estimator: `k`, of `KL(π ‖ π_ref)`.
/// - Returns: rows of the same lengths.
public func tokenRewards(
  logprobs: [[Float]], referenceLogprobs: [[Float]], scores: [Float], klCoefficient: Float,
  estimator: KLEstimator = .k1
) -> [[Float]] {
  requireSameRows("tokenRewards", "referenceLogprobs", referenceLogprobs, as: logprobs)
  precondition(
    scores.count == logprobs.count,
    "tokenRewards: expected \(logprobs.count) scores, one per row, found \(scores.count)")
  return logprobs.indices.map { row in
    precondition(
      !logprobs[row].isEmpty, "tokenRewards: expected at least one token in row \(row), found none")
    var rewards = zip(logprobs[row], referenceLogprobs[row]).map {
      -klCoefficient * estimator($0 - $1)
    }
    rewards[rewards.count - 1] += scores[row]
    return rewards
  }
}

/// Generalised advantage estimates and the returns that the value function learns.
///
/// `δ_t = r_t + γ·V_{t+1} − V_t`, `A_t = δ_t + γλ·A_{t+1}`, with `V = A = 0` past the end of a row
/// (Schulman et al. 2015, arXiv 1506.02438, eq. 16). Returns are `A + V`, before any whitening.
/// - Parameters:
///   - rewards: one array per row, see ``tokenRewards(logprobs:referenceLogprobs:scores:klCoefficient:)``.
///   - values: rows of the same lengths, at the time of sampling.
///   - gamma: the discount, in 0...1.
///   - lambda: the trace decay, in 0...1.
/// - Returns: rows of the same lengths.
public func generalizedAdvantages(
  rewards: [[Float]], values: [[Float]], gamma: Float, lambda: Float
) -> (advantages: [[Float]], returns: [[Float]]) {
  requireSameRows("generalizedAdvantages", "values", values, as: rewards)
  precondition(
    (0...1).contains(gamma) && (0...1).contains(lambda),
    "generalizedAdvantages: expected gamma and lambda in 0...1, found \(gamma) and \(lambda)")
  var advantages = rewards
  var returns = rewards
  for row in rewards.indices {
    var next: Float = 0
    var nextValue: Float = 0
    for token in rewards[row].indices.reversed() {
      let value = values[row][token]
      next = rewards[row][token] + gamma * nextValue - value + gamma * lambda * next
      nextValue = value
      advantages[row][token] = next
      returns[row][token] = next + value
    }
  }
  return (advantages, returns)
}

/// Values scaled to variance 1 over all rows together, their mean taken out or kept.
///
/// `(x − mean) / √(var + 1e−8)`, plus the mean where it is kept; the variance is unbiased, as TRL's
/// `masked_whiten`. Advantages are whitened without their mean, rewards with it. Where all values are
/// equal (or there is one), the deviation from the mean is 0 and stays 0.
/// - Parameters:
///   - rows: ragged rows; at least one value in all.
///   - keepingMean: whether the mean is added back.
/// - Returns: rows of the same lengths.
public func whitened(_ rows: [[Float]], keepingMean: Bool) -> [[Float]] {
  let count = rows.reduce(0) { $0 + $1.count }
  precondition(count > 0, "whitened: expected at least one value, found none")
  let mean = rows.reduce(0.0) { $0 + $1.reduce(0.0) { $0 + Double($1) } } / Double(count)
  let squares = rows.reduce(0.0) { sum, row in
    row.reduce(sum) { $0 + (Double($1) - mean) * (Double($1) - mean) }
  }
  let variance = count > 1 ? squares / Double(count - 1) : 0
  let scale = 1 / (variance + 1e-8).squareRoot()
  let shift = keepingMean ? mean : 0
  return rows.map { row in row.map { Float((Double($0) - mean) * scale + shift) } }
}

/// How much of the variance of the returns the values explain: 1 is all, 0 is none.
///
/// `1 − Var(R − V) / Var(R)`; below 0 where the values do worse than a constant. Returns without
/// variance give 0, since there is nothing to explain.
/// - Parameters:
///   - values: ragged rows, at the time of sampling; at least one value in all.
///   - returns: rows of the same lengths.
public func explainedVariance(values: [[Float]], returns: [[Float]]) -> Double {
  requireSameRows("explainedVariance", "returns", returns, as: values)
  let target = returns.joined().map { Double($0) }
  let error = zip(target, values.joined()).map { $0 - Double($1) }
  let total = variance(target)
  return total > 0 ? 1 - variance(error) / total : 0
}

/// The mean squared deviation from the mean; 0 for no values.
private func variance(_ values: [Double]) -> Double {
  guard !values.isEmpty else { return 0 }
  let mean = values.reduce(0, +) / Double(values.count)
  return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
}
