public import PlumbTensors

/// Contrastive Preference Optimization, its preference term: `dpo` against a uniform reference.
///
/// `−(1 − ε)·log σ(x) − ε·log σ(−x)` with `x = β·(log π(chosen) − log π(rejected))` per pair (Xu et al. 2024,
/// arXiv 2401.08417, eq. 3). The paper adds the negative log-probability of the chosen response: that
/// is ``sft(logprobs:batchCount:)``.
///
/// Statistics: as `dpo`, with rewards `β·log π`.
/// - Parameters:
///   - chosen: [P], summed log-probabilities of the chosen responses.
///   - rejected: [P], summed log-probabilities of the rejected responses.
///   - beta: the scale of the margin, greater than 0.
///   - labelSmoothing: `ε`, the chance that a label is the wrong way round, in 0..<0.5.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func cpo(
  chosen: Tensor, rejected: Tensor, beta: Float, labelSmoothing: Float = 0, batchCount: Int? = nil
) -> Objective {
  let none = [Float](repeating: 0, count: chosen.count)
  return dpo(
    policyChosen: chosen, policyRejected: rejected, referenceChosen: none, referenceRejected: none,
    beta: beta, labelSmoothing: labelSmoothing, batchCount: batchCount)
}
