public import PlumbTensors

/// Direct Preference Optimization, the sigmoid loss.
///
/// `−(1 − ε)·log σ(β·h) − ε·log σ(−β·h)` with `h = (log π/π_ref)(chosen) − (log π/π_ref)(rejected)`
/// (Rafailov et al. 2023, arXiv 2305.18290, eq. 7; smoothing: Mitchell 2023, "cDPO").
///
/// Statistics, as TRL names them: `rewards/chosen`, `rewards/rejected`, `rewards/margins`,
/// `rewards/accuracies` (strict: a tie counts 0), `logps/chosen`, `logps/rejected`.
/// - Parameters:
///   - policyChosen: [P], sequence log-probabilities of the chosen responses under the policy.
///   - policyRejected: [P], the same of the rejected responses.
///   - referenceChosen: P values under the reference policy.
///   - referenceRejected: P values under the reference policy.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - labelSmoothing: `ε`, the chance that a label is the wrong way round, in 0..<0.5.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func dpo(
  policyChosen: Tensor, policyRejected: Tensor, referenceChosen: [Float],
  referenceRejected: [Float], beta: Float, labelSmoothing: Float = 0, batchCount: Int? = nil
) -> Objective {
  dpo(
    PairLogprobs(
      policyChosen: policyChosen, policyRejected: policyRejected,
      referenceChosen: referenceChosen, referenceRejected: referenceRejected),
    beta: beta, labelSmoothing: labelSmoothing, batchCount: batchCount)
}

/// Direct Preference Optimization, the sigmoid loss, of bundled log-probabilities.
///
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - labelSmoothing: the chance that a label is the wrong way round, in 0..<0.5.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func dpo(
  _ pairs: PairLogprobs, beta: Float, labelSmoothing: Float = 0, batchCount: Int? = nil
) -> Objective {
  pairs.objective(
    dpoLosses(pairs, beta: beta, labelSmoothing: labelSmoothing), beta: beta,
    batchCount: batchCount)
}

/// DPO with an unbiased correction for labels that are wrong at a known rate.
///
/// `(−(1 − ε)·log σ(β·h) + ε·log σ(−β·h)) / (1 − 2ε)`; its mean over noisy labels is the DPO loss of
/// the clean ones (Chowdhury et al. 2024, arXiv 2403.00409). Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - labelSmoothing: `ε`, the rate of wrong labels, in 0..<0.5.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func robustDPO(
  _ pairs: PairLogprobs, beta: Float, labelSmoothing: Float, batchCount: Int? = nil
) -> Objective {
  pairs.objective(
    robustLosses(pairs, beta: beta, labelSmoothing: labelSmoothing), beta: beta,
    batchCount: batchCount)
}

/// Row losses of `dpo`, [P].
func dpoLosses(_ pairs: PairLogprobs, beta: Float, labelSmoothing: Float) -> Tensor {
  requirePositive("dpo", beta: beta)
  requireSmoothing("dpo", labelSmoothing)
  return smoothedLogistic(pairs.logits * beta, labelSmoothing: labelSmoothing)
}

/// Row losses of `robustDPO`, [P].
func robustLosses(_ pairs: PairLogprobs, beta: Float, labelSmoothing: Float) -> Tensor {
  requirePositive("robustDPO", beta: beta)
  requireSmoothing("robustDPO", labelSmoothing)
  let logits = pairs.logits * beta
  let difference =
    (-logits).logSigmoid() * labelSmoothing - logits.logSigmoid() * (1 - labelSmoothing)
  return difference * (1 / (1 - 2 * labelSmoothing))
}

/// Traps unless the label smoothing lies in 0..<0.5; at a half, labels say nothing.
func requireSmoothing(_ operation: String, _ labelSmoothing: Float) {
  precondition(
    (0..<0.5).contains(labelSmoothing),
    "\(operation): expected label smoothing in 0..<0.5, found \(labelSmoothing)")
}
