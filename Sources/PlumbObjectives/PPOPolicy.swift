import Foundation
public import PlumbTensors

/// PPO's clipped policy loss over sampled tokens.
///
/// With `ρ = exp(log π − log π_old)`, each token costs `max(−A·ρ, −A·clip(ρ, 1 − ε, 1 + ε'))`, and
/// the loss is the mean over real tokens (Schulman et al. 2017, arXiv 1707.06347, eq. 7). The
/// log-ratio is clamped before the exponential, so that one token that became impossible cannot turn
/// the loss into infinity; beyond the clamp the gradient is 0.
///
/// Rows need not be tokens: with the log-probabilities of whole responses this is RLOO's loss, and
/// with their means per token GSPO's (Zheng et al. 2025, arXiv 2507.18071).
///
/// Statistics, means over real tokens, with `d = log π − log π_old`: `policy/approxkl_avg`
/// (`½ d²`, as TRL), `policy/approxkl_k3_avg` (`e^d − 1 − d`, never negative; both estimate
/// `KL(π_old ‖ π)`), `policy/clipfrac_avg` (the clipped term is the larger), of it
/// `policy/clipfrac_low_avg` (`ρ < 1 − ε`) and `policy/clipfrac_high_avg` (`ρ > 1 + ε'`),
/// `val/ratio`.
/// - Parameters:
///   - logprobs: [N], log-probabilities of the sampled tokens under the policy being trained.
///   - oldLogprobs: N values under the policy that sampled them.
///   - advantages: N values, whitened or not.
///   - mask: N flags, true = real token; none means that all are.
///   - clip: `ε`, greater than 0.
///   - clipHigher: `ε'` of the upper bound (DAPO's "clip higher", arXiv 2503.14476, §3.1); none
///     means `clip`.
///   - dualClip: `c` above 1: where A < 0 a token costs at most `−c·A` (Ye et al. 2020, arXiv
///     1912.09729); none means no such bound.
///   - logRatioBound: the clamp of `d`, greater than 0.
///   - weights: N shares of the tokens in the loss, in place of those of the mean.
///   - batchCount: the real tokens of the whole batch, where this call holds a part of it; not with
///     `weights`.
public func ppoPolicy(
  logprobs: Tensor, oldLogprobs: [Float], advantages: [Float], mask: [Bool]? = nil,
  clip: Float = 0.2, clipHigher: Float? = nil, dualClip: Float? = nil, logRatioBound: Float = 20,
  weights: [Float]? = nil, batchCount: Int? = nil
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
  var losses = maximum(plain, clipped)
  if let dualClip {
    precondition(dualClip > 1, "ppoPolicy: expected dualClip > 1, found \(dualClip)")
    let most = real.map {
      advantages[$0] < 0 ? -dualClip * advantages[$0] : .greatestFiniteMagnitude
    }
    losses = minimum(losses, Tensor(most))
  }

  let differences = logRatio.scalars.map { Double($0) }
  let ratios = ratio.scalars
  var (low, high) = (0, 0)
  for (row, (unclipped, other)) in zip(plain.scalars, clipped.scalars).enumerated()
  where other > unclipped {
    if ratios[row] < 1 { low += 1 } else { high += 1 }
  }
  let count = Double(real.count)
  return Objective(
    loss: losses.reduced("ppoPolicy", weights: weights, rows: real, batchCount: batchCount),
    statistics: [
      "policy/approxkl_avg": differences.reduce(0) { $0 + 0.5 * $1 * $1 } / count,
      "policy/approxkl_k3_avg": differences.reduce(0) { $0 + (expm1($1) - $1) } / count,
      "policy/clipfrac_avg": Double(low + high) / count,
      "policy/clipfrac_low_avg": Double(low) / count,
      "policy/clipfrac_high_avg": Double(high) / count,
      "val/ratio": mean(ratios),
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
