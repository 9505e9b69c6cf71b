import PlumbTensors

/// DiscoPOP: a blend of the logistic and the exponential loss, chosen by the margin itself.
///
/// `(1 − g)·(−log σ(x)) + g·exp(−x)` with `x = β·h`, `g = σ(x/τ)`, `h` as in `dpo` (Lu et al. 2024,
/// arXiv 2406.08414, eq. 5). Not convex: it has a local optimum near `x = 0`. Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - tau: the temperature `τ` of the blend, greater than 0.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func discoPOP(
  _ pairs: PairLogprobs, beta: Float, tau: Float = 0.05, batchCount: Int? = nil
) -> Objective {
  pairs.objective(
    discoPOPLosses(pairs, beta: beta, tau: tau), beta: beta, batchCount: batchCount)
}

/// Row losses of `discoPOP`, [P].
///
/// `exp(−x)` is bounded at `x = −80`, where its gate `g` has long closed: it would overflow soon
/// after, and `0 · ∞` is not a number.
func discoPOPLosses(_ pairs: PairLogprobs, beta: Float, tau: Float) -> Tensor {
  requirePositive("discoPOP", beta: beta)
  precondition(tau > 0 && tau < 1, "discoPOP: expected tau in 0..<1, found \(tau)")
  let logits = pairs.logits * beta
  let gate = (logits * (1 / tau)).sigmoid()
  let exponential = (-logits).clamped(-.greatestFiniteMagnitude, 80).exp()
  return -logits.logSigmoid() * (-gate + 1) + exponential * gate
}
