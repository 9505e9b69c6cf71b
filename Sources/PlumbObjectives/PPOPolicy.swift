import Foundation
public import PlumbTensors

/// PPO's clipped policy loss over sampled tokens.
///
/// With `ρ = exp(log π − log π_old)`, each token costs `max(−A·ρ, −A·clip(ρ, 1 − ε, 1 + ε'))`, and
/// the loss is the mean over real tokens (Schulman et al. 2017, arXiv 1707.06347, eq. 7). The
/// log-ratio is clamped before the exponential, so that one token that became impossible cannot turn
/// the loss into infinity; beyond the clamp the gradient is 0.
///
/// Statistics, means over real tokens, with `d = log π − log π_old`: `policy/approxkl_avg`
/// (`½ d²`, as TRL), `policy/approxkl_k3_avg` (`e^d − 1 − d`, never negative; both estimate
/// `KL(π_old ‖ π)`), `policy/clipfrac_avg` (the clipped term is the larger), `val/ratio`.
/// - Parameters:
///   - logprobs: [N], log-probabilities of the sampled tokens under the policy being trained.
///   - oldLogprobs: N values under the policy that sampled them.
///   - advantages: N values, whitened or not.
///   - mask: N flags, true = real token; none means that all are.
///   - clip: `ε`, greater than 0.
///   - clipHigher: `ε'` of the upper bound (DAPO's "clip higher"); none means `clip`.
///   - logRatioBound: the clamp of `d`, greater than 0.
///   - batchCount: the real tokens of the whole batch, where this call holds a part of it.
public func ppoPolicy(
  logprobs: Tensor, oldLogprobs: [Float], advantages: [Float], mask: [Bool]? = nil,
  clip: Float = 0.2, clipHigher: Float? = nil, logRatioBound: Float = 20, batchCount: Int? = nil
) -> Objective {
  requireColumn("ppoPolicy", logprobs)
  requireCount("ppoPolicy", "oldLogprobs", oldLogprobs.count, rows: logprobs.count)
  requireCount("ppoPolicy", "advantages", advantages.count, rows: logprobs.count)
  precondition(clip > 0, "ppoPolicy: expected clip > 0, found \(clip)")
  let upper = 1 + (clipHigher ?? clip)
  precondition(upper > 1, "ppoPolicy: expected clipHigher > 0, found \(upper - 1)")
  precondition(logRatioBound > 0, "ppoPolicy: expected logRatioBound > 0, found \(logRatioBound)")

  let real = realRows("ppoPolicy", mask: mask, rows: logprobs.count)
  let selected = mask == nil ? logprobs : logprobs.elements(at: real)
  let advantage = Tensor(real.map { advantages[$0] })
  let logRatio = selected - Tensor(real.map { oldLogprobs[$0] })
  let ratio = logRatio.clamped(-logRatioBound, logRatioBound).exp()
  let plain = -(ratio * advantage)
  let clipped = -(ratio.clamped(1 - clip, upper) * advantage)

  let differences = logRatio.scalars.map { Double($0) }
  let clippedCount = zip(plain.scalars, clipped.scalars).count { $1 > $0 }
  let count = Double(real.count)
  return Objective(
    loss: maximum(plain, clipped).share(of: batchCount),
    statistics: [
      "policy/approxkl_avg": differences.reduce(0) { $0 + 0.5 * $1 * $1 } / count,
      "policy/approxkl_k3_avg": differences.reduce(0) { $0 + (expm1($1) - $1) } / count,
      "policy/clipfrac_avg": Double(clippedCount) / count,
      "val/ratio": mean(ratio.scalars),
    ],
    count: real.count)
}

/// The indices of the real rows of a masked column; traps if there are none.
func realRows(_ operation: String, mask: [Bool]?, rows: Int) -> [Int] {
  guard let mask else { return Array(0..<rows) }
  requireCount(operation, "mask flags", mask.count, rows: rows)
  let real = mask.indices.filter { mask[$0] }
  precondition(!real.isEmpty, "\(operation): expected at least one real token, found none")
  return real
}
