import Foundation
import PlumbTensors

/// Efficient Exact Optimization on pairs: the reverse KL to a smoothed label distribution.
///
/// `σ(x)(log σ(x) − log(1 − ε)) + σ(−x)(log σ(−x) − log ε)` with `x = β·h`, `h` as in `dpo` (Ji et al.
/// 2024, arXiv 2402.00856, eq. 16). Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - labelSmoothing: `ε`, in 0 (excluded) to 0.5: the loss is not defined at 0.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func exoPair(
  _ pairs: PairLogprobs, beta: Float, labelSmoothing: Float = 1e-3, batchCount: Int? = nil
) -> Objective {
  pairs.objective(
    exoPairLosses(pairs, beta: beta, labelSmoothing: labelSmoothing), beta: beta,
    batchCount: batchCount)
}

/// Noise Contrastive Alignment on pairs: raises chosen and lowers both against the reference.
///
/// `−log σ(r_c) − ½ log σ(−r_c) − ½ log σ(−r_r)` with `r = β·log π/π_ref` (Chen et al. 2024, arXiv
/// 2402.05369). Looks at each response alone, so the chosen one's probability is kept from falling.
/// Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func ncaPair(_ pairs: PairLogprobs, beta: Float, batchCount: Int? = nil) -> Objective {
  pairs.objective(ncaPairLosses(pairs, beta: beta), beta: beta, batchCount: batchCount)
}

/// Row losses of `exoPair`, [P].
func exoPairLosses(_ pairs: PairLogprobs, beta: Float, labelSmoothing: Float) -> Tensor {
  requirePositive("exoPair", beta: beta)
  requireSmoothing("exoPair", labelSmoothing)
  precondition(labelSmoothing > 0, "exoPair: expected label smoothing > 0, found 0")
  let logits = pairs.logits * beta
  let opposite = -logits
  return logits.sigmoid() * (logits.logSigmoid() - log(1 - labelSmoothing))
    + opposite.sigmoid() * (opposite.logSigmoid() - log(labelSmoothing))
}

/// Row losses of `ncaPair`, [P].
func ncaPairLosses(_ pairs: PairLogprobs, beta: Float) -> Tensor {
  requirePositive("ncaPair", beta: beta)
  let chosen = pairs.chosenLogRatios * beta
  let rejected = pairs.rejectedLogRatios * beta
  return -chosen.logSigmoid() - (-chosen).logSigmoid() * 0.5 - (-rejected).logSigmoid() * 0.5
}
