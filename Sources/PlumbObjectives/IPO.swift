import PlumbTensors

/// Identity Preference Optimization: the margin of log-ratios is pulled to `1/(2β)`.
///
/// `(h − 1/(2β))²` per pair, `h` as in `dpo` (Azar et al. 2023, arXiv 2310.12036, eq. 17, where `β`
/// is called `τ`). Bounded margins, unlike the sigmoid loss. Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func ipo(_ pairs: PairLogprobs, beta: Float, batchCount: Int? = nil) -> Objective {
  pairs.objective(ipoLosses(pairs, beta: beta), beta: beta, batchCount: batchCount)
}

/// The hinge loss of SLiC and RSO: `max(0, 1 − β·h)` per pair.
///
/// `h` as in `dpo` (Zhao et al. 2023, arXiv 2305.10425; normalised as in Liu et al. 2023, arXiv
/// 2309.06657). Pairs beyond the margin have no gradient. Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the inverse of the margin asked for, greater than 0.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func hinge(_ pairs: PairLogprobs, beta: Float, batchCount: Int? = nil) -> Objective {
  pairs.objective(hingeLosses(pairs, beta: beta), beta: beta, batchCount: batchCount)
}

/// Row losses of `ipo`, [P].
func ipoLosses(_ pairs: PairLogprobs, beta: Float) -> Tensor {
  requirePositive("ipo", beta: beta)
  return (pairs.logits - 1 / (2 * beta)).square()
}

/// Row losses of `hinge`, [P].
func hingeLosses(_ pairs: PairLogprobs, beta: Float) -> Tensor {
  requirePositive("hinge", beta: beta)
  return (pairs.logits * -beta + 1).relu()
}
