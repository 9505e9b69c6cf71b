import PlumbTensors

/// Anchored Preference Optimization, "zero": chosen up, rejected down, each on its own.
///
/// `(1 − σ(r_c)) + σ(r_r)` with `r = β·log π/π_ref` (D'Oosterlinck et al. 2024, arXiv 2408.06266, eq.
/// 7). For data whose chosen responses are better than the policy's own. Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func apoZero(_ pairs: PairLogprobs, beta: Float, batchCount: Int? = nil) -> Objective {
  pairs.objective(apoZeroLosses(pairs, beta: beta), beta: beta, batchCount: batchCount)
}

/// Anchored Preference Optimization, "down": chosen down, rejected further down.
///
/// `σ(r_c) + (1 − σ(r_c − r_r))` with `r = β·log π/π_ref` (arXiv 2408.06266, eq. 8). For data whose
/// chosen responses are worse than the policy's own. Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func apoDown(_ pairs: PairLogprobs, beta: Float, batchCount: Int? = nil) -> Objective {
  pairs.objective(apoDownLosses(pairs, beta: beta), beta: beta, batchCount: batchCount)
}

/// Row losses of `apoZero`, [P]; `1 − σ(x)` is computed as `σ(−x)`.
func apoZeroLosses(_ pairs: PairLogprobs, beta: Float) -> Tensor {
  requirePositive("apoZero", beta: beta)
  return (pairs.chosenLogRatios * -beta).sigmoid() + (pairs.rejectedLogRatios * beta).sigmoid()
}

/// Row losses of `apoDown`, [P].
func apoDownLosses(_ pairs: PairLogprobs, beta: Float) -> Tensor {
  requirePositive("apoDown", beta: beta)
  let (chosen, rejected) = (pairs.chosenLogRatios, pairs.rejectedLogRatios)
  return (chosen * beta).sigmoid() + ((chosen - rejected) * -beta).sigmoid()
}
