import PlumbTensors

/// Alignment via Optimal Transport on pairs: chosen log-ratios dominate rejected ones as a whole.
///
/// Both columns of log-ratios are sorted over the batch, and the logistic loss of `dpo` is taken of
/// the differences of equal ranks (Melnyk et al. 2024, arXiv 2406.05882, unpaired form; TRL's
/// `aot_pair`). The loss depends on the batch it is computed in, so a batch must not be cut into
/// parts. Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - labelSmoothing: the chance that a label is the wrong way round, in 0..<0.5.
public func aotPair(_ pairs: PairLogprobs, beta: Float, labelSmoothing: Float = 0) -> Objective {
  pairs.objective(
    aotPairLosses(pairs, beta: beta, labelSmoothing: labelSmoothing), beta: beta, batchCount: nil)
}

/// Alignment via Optimal Transport: the policy's margins dominate the reference's as a whole.
///
/// As `aotPair`, with the policy's `log π(chosen) − log π(rejected)` against the reference's, each
/// sorted over the batch (arXiv 2406.05882, paired form; TRL's `aot`). Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - labelSmoothing: the chance that a label is the wrong way round, in 0..<0.5.
public func aot(_ pairs: PairLogprobs, beta: Float, labelSmoothing: Float = 0) -> Objective {
  pairs.objective(
    aotLosses(pairs, beta: beta, labelSmoothing: labelSmoothing), beta: beta, batchCount: nil)
}

/// Rank losses of `aotPair`, [P], from the lowest rank up.
func aotPairLosses(_ pairs: PairLogprobs, beta: Float, labelSmoothing: Float) -> Tensor {
  requirePositive("aotPair", beta: beta)
  requireSmoothing("aotPair", labelSmoothing)
  let difference = ascending(pairs.chosenLogRatios) - ascending(pairs.rejectedLogRatios)
  return smoothedLogistic(difference * beta, labelSmoothing: labelSmoothing)
}

/// Rank losses of `aot`, [P], from the lowest rank up.
func aotLosses(_ pairs: PairLogprobs, beta: Float, labelSmoothing: Float) -> Tensor {
  requirePositive("aot", beta: beta)
  requireSmoothing("aot", labelSmoothing)
  let policy = ascending(pairs.policyChosen - pairs.policyRejected)
  let reference = ascending(pairs.referenceChosen - pairs.referenceRejected)
  return smoothedLogistic((policy - reference) * beta, labelSmoothing: labelSmoothing)
}

/// The values in rising order, equal ones in their old order; the gradient follows each value.
private func ascending(_ column: Tensor) -> Tensor {
  let values = column.scalars
  let order = values.indices.sorted { (values[$0], $0) < (values[$1], $1) }
  return column.elements(at: order)
}
