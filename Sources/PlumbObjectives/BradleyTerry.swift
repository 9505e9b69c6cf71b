public import PlumbTensors

/// The Bradley-Terry loss of reward pairs.
///
/// With `d = r_chosen − r_rejected − margin` and a label `t` (the probability that the chosen one
/// wins), each pair costs `−t·log σ(d) − (1 − t)·log σ(−d)` (Bradley and Terry 1952; margins as in
/// Touvron et al. 2023, arXiv 2307.09288, eq. 2). Label smoothing `ε` turns `t` into
/// `t(1 − ε) + (1 − t)ε`.
///
/// Statistics, means over the pairs: `accuracy` (a tie counts half), `margin`
/// (`r_chosen − r_rejected`), `rewards/chosen`, `rewards/rejected`, `nll` (the loss without
/// margins, weights, smoothing and centring).
/// - Parameters:
///   - chosen: [P], rewards of the chosen responses.
///   - rejected: [P], rewards of the rejected responses.
///   - margins: [P], in reward units; none means 0.
///   - weights: [P], factors of the pairs' losses; the sum is still divided by the number of pairs,
///     so weights of mean 1 keep the scale.
///   - labels: [P], soft labels in 0...1; none means 1.
///   - labelSmoothing: `ε`, the chance that a label is the wrong way round, in 0..<0.5.
///   - centering: the factor of `mean (r_chosen + r_rejected)²`, which pulls the mean reward to 0
///     (Eisenstein et al. 2023, arXiv 2312.09244).
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func bradleyTerry(
  chosen: Tensor, rejected: Tensor, margins: [Float]? = nil, weights: [Float]? = nil,
  labels: [Float]? = nil, labelSmoothing: Float = 0, centering: Float = 0, batchCount: Int? = nil
) -> Objective {
  requirePairs("bradleyTerry", chosen, rejected)
  let margin = chosen - rejected
  var losses = logisticLosses(
    logits: margin, operation: "bradleyTerry", margins: margins, weights: weights, labels: labels,
    labelSmoothing: labelSmoothing)
  if centering != 0 { losses = losses + (chosen + rejected).square() * centering }
  let margins = margin.scalars
  return Objective(
    loss: losses.share(of: batchCount),
    statistics: [
      "accuracy": winFraction(margins),
      "margin": mean(margins),
      "rewards/chosen": mean(chosen.scalars),
      "rewards/rejected": mean(rejected.scalars),
      "nll": -mean(margin.detached.logSigmoid().scalars),
    ],
    count: margin.count)
}

/// Row losses `−t·log σ(d) − (1 − t)·log σ(−d)` with `d = logits − margins`, times the weights.
func logisticLosses(
  logits: Tensor, operation: String, margins: [Float]?, weights: [Float]?, labels: [Float]?,
  labelSmoothing: Float
) -> Tensor {
  precondition(
    (0..<0.5).contains(labelSmoothing),
    "\(operation): expected label smoothing in 0..<0.5, found \(labelSmoothing)")
  let rows = logits.count
  var difference = logits
  if let margins {
    requireCount(operation, "margins", margins.count, rows: rows)
    difference = difference - Tensor(margins)
  }
  var losses: Tensor
  if let labels {
    requireCount(operation, "labels", labels.count, rows: rows)
    for label in labels {
      precondition(
        (0...1).contains(label), "\(operation): expected labels in 0...1, found \(label)")
    }
    let smoothed = labels.map { $0 * (1 - labelSmoothing) + (1 - $0) * labelSmoothing }
    losses =
      -(difference.logSigmoid() * Tensor(smoothed))
      - (-difference).logSigmoid() * Tensor(smoothed.map { 1 - $0 })
  } else {
    losses = smoothedLogistic(difference, labelSmoothing: labelSmoothing)
  }
  if let weights {
    requireCount(operation, "weights", weights.count, rows: rows)
    losses = losses * Tensor(weights)
  }
  return losses
}

/// `−(1 − ε)·log σ(x) − ε·log σ(−x)` per row.
func smoothedLogistic(_ logits: Tensor, labelSmoothing: Float) -> Tensor {
  if labelSmoothing == 0 { return -logits.logSigmoid() }
  return logits.logSigmoid() * (labelSmoothing - 1) - (-logits).logSigmoid() * labelSmoothing
}

/// The share of positive differences; a tie counts half.
func winFraction(_ differences: [Float]) -> Double {
  let points = differences.reduce(0.0) { $0 + ($1 > 0 ? 1 : $1 == 0 ? 0.5 : 0) }
  return points / Double(differences.count)
}
