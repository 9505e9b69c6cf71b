public import PlumbTensors

/// PPO's clipped value loss over sampled tokens.
///
/// `½ · mean max((V − R)², (clip(V, V_old ± c) − R)²)` over real tokens (openai/baselines ppo2; Huang
/// et al. 2023, "The N Implementation Details of RLHF with PPO"). The value coefficient is the
/// caller's.
///
/// Statistics, means over real tokens: `val/clipfrac_avg` (the clipped term is the larger),
/// `val/error_avg` (`V − R`), `val/value_avg`, `val/return_avg`.
/// - Parameters:
///   - values: [N], values of the sampled tokens under the model being trained.
///   - oldValues: N values at the time of sampling.
///   - returns: N values, advantages before whitening plus old values.
///   - mask: N flags, true = real token; none means that all are.
///   - clip: `c`, in units of the return; none means no clipping.
///   - batchCount: the real tokens of the whole batch, where this call holds a part of it.
public func ppoValue(
  values: Tensor, oldValues: [Float], returns: [Float], mask: [Bool]? = nil, clip: Float? = 0.2,
  batchCount: Int? = nil
) -> Objective {
  requireColumn("ppoValue", values)
  requireCount("ppoValue", "oldValues", oldValues.count, rows: values.count)
  requireCount("ppoValue", "returns", returns.count, rows: values.count)

  let real = realRows("ppoValue", mask: mask, rows: values.count)
  let selected = mask == nil ? values : values.elements(at: real)
  let target = Tensor(real.map { returns[$0] })
  let plain = (selected - target).square()
  var losses = plain
  var clippedCount = 0
  if let clip {
    precondition(clip > 0, "ppoValue: expected clip > 0, found \(clip)")
    let old = Tensor(real.map { oldValues[$0] })
    let clipped = ((selected - old).clamped(-clip, clip) + old - target).square()
    clippedCount = zip(plain.scalars, clipped.scalars).count { $1 > $0 }
    losses = maximum(plain, clipped)
  }
  let (valueMean, returnMean) = (mean(selected.scalars), mean(target.scalars))
  return Objective(
    loss: (losses * 0.5).share(of: batchCount),
    statistics: [
      "val/clipfrac_avg": Double(clippedCount) / Double(real.count),
      "val/error_avg": valueMean - returnMean,
      "val/value_avg": valueMean,
      "val/return_avg": returnMean,
    ],
    count: real.count)
}
