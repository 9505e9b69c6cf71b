public import PlumbTensors

/// The KL baseline of KTO: the mean log-ratio of the batch, not below 0.
///
/// - Parameter logRatios: `log π − log π_ref` of sequences, in KTO of mismatched ones (a prompt with
///   another prompt's response); not empty.
public func ktoBaseline(logRatios: [Float]) -> Float {
  precondition(!logRatios.isEmpty, "ktoBaseline: expected at least one log-ratio, found none")
  return max(0, Float(mean(logRatios)))
}

/// Kahneman-Tversky Optimization on single responses, each marked desirable or not.
///
/// `w_D (1 − σ(β(r − z)))` for a desirable response and `w_U (1 − σ(β(z − r)))` for an undesirable
/// one, with `r = log π − log π_ref` and the baseline `z` (Ethayarajh et al. 2024, arXiv 2402.01306,
/// eq. 7-8).
///
/// Statistics, means over responses: `rewards` (`β·r`), `kl` (the baseline), `desirable` (the share
/// of desirable responses), `rewards/accuracies` (the share on its right side of the baseline).
/// - Parameters:
///   - policy: [N], sequence log-probabilities under the policy.
///   - reference: N values under the reference.
///   - desirable: N labels.
///   - baseline: `z`, see ``ktoBaseline(logRatios:)``; carries no gradient.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - desirableWeight: `w_D`.
///   - undesirableWeight: `w_U`.
///   - batchCount: the responses of the whole batch, where this call holds a part of it.
public func kto(
  policy: Tensor, reference: [Float], desirable: [Bool], baseline: Float, beta: Float,
  desirableWeight: Float = 1, undesirableWeight: Float = 1, batchCount: Int? = nil
) -> Objective {
  let losses = ktoLosses(
    policy: policy, reference: reference, desirable: desirable, baseline: baseline, beta: beta,
    desirableWeight: desirableWeight, undesirableWeight: undesirableWeight)
  let ratios = zip(policy.scalars, reference).map { $0 - $1 }
  let right = zip(ratios, desirable).count { $1 ? $0 > baseline : $0 < baseline }
  return Objective(
    loss: losses.share(of: batchCount),
    statistics: [
      "rewards": Double(beta) * mean(ratios),
      "kl": Double(baseline),
      "desirable": Double(desirable.count { $0 }) / Double(desirable.count),
      "rewards/accuracies": Double(right) / Double(desirable.count),
    ],
    count: policy.count)
}

/// Row losses of `kto`, [N]; `1 − σ(x)` is computed as `σ(−x)`.
func ktoLosses(
  policy: Tensor, reference: [Float], desirable: [Bool], baseline: Float, beta: Float,
  desirableWeight: Float, undesirableWeight: Float
) -> Tensor {
  requireColumn("kto", policy)
  requirePositive("kto", beta: beta)
  requireCount("kto", "reference values", reference.count, rows: policy.count)
  requireCount("kto", "labels", desirable.count, rows: policy.count)
  let direction = Tensor(desirable.map { $0 ? -beta : beta })
  let weights = Tensor(desirable.map { $0 ? desirableWeight : undesirableWeight })
  return ((policy - Tensor(reference) - baseline) * direction).sigmoid() * weights
}
