public import PlumbTensors

/// The loss of a model that reads two responses together: logistic, of the log-odds of the chosen one.
///
/// `−t·log σ(z) − (1 − t)·log σ(−z)` per sequence, with `t = 1 − ε`.
///
/// Statistics, means over the sequences: `accuracy` (a tie counts half), `logit` (the mean `z`), `nll`
/// (without smoothing).
/// - Parameters:
///   - logits: [N], log-odds of the chosen response, whichever place it had in the sequence.
///   - labelSmoothing: `ε`, the chance that a label is the wrong way round, in 0..<0.5.
///   - batchCount: the sequences of the whole batch, where this call holds a part of it.
public func pairPreference(
  logits: Tensor, labelSmoothing: Float = 0, batchCount: Int? = nil
) -> Objective {
  requireColumn("pairPreference", logits)
  let losses = logisticLosses(
    logits: logits, operation: "pairPreference", margins: nil, weights: nil, labels: nil,
    labelSmoothing: labelSmoothing)
  let values = logits.scalars
  return Objective(
    loss: losses.share(of: batchCount),
    statistics: [
      "accuracy": winFraction(values), "logit": mean(values),
      "nll": -mean(logits.detached.logSigmoid().scalars),
    ],
    count: logits.count)
}
