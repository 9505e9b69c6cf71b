public import PlumbTensors

/// The skew-symmetric preference score of embedding pairs, `s(chosen ≻ rejected)`.
///
/// An embedding is `k` blocks of two numbers, and `s = ⟨R v, w⟩ = Σ_l g_l (v[2l]·w[2l+1] −
/// v[2l+1]·w[2l])` with `R = blockdiag([[0, −1], [1, 0]])` (General Preference Model, arXiv
/// 2410.02197, eq. 4.1). The score changes sign exactly when the two are swapped, so it can hold
/// cycles, which no scalar reward can.
/// - Parameters:
///   - chosen: [P, 2k], embeddings `v`.
///   - rejected: [P, 2k], embeddings `w`.
///   - gate: [P, k], logits of the prompt's gate; `g` is their softmax. None means `g = 1`.
///   - l2Normalized: whether the embeddings are first scaled to length 1, so that `|s| ≤ 1`.
/// - Returns: [P], before any division by `tau`.
public func skewSymmetricScore(
  chosen: Tensor, rejected: Tensor, gate: Tensor? = nil, l2Normalized: Bool = false
) -> Tensor {
  precondition(
    chosen.shape.rank == 2 && chosen.shape == rejected.shape && chosen.shape[1] > 0
      && chosen.shape[1].isMultiple(of: 2),
    "skewSymmetricScore: expected two tensors of one shape [P, 2k], found \(chosen.shape) and "
      + "\(rejected.shape)")
  let blocks = chosen.shape[1] / 2
  let even = (0..<blocks).map { 2 * $0 }
  let odd = (0..<blocks).map { 2 * $0 + 1 }
  let v = l2Normalized ? chosen.l2Normalized() : chosen
  let w = l2Normalized ? rejected.l2Normalized() : rejected
  let scores =
    v.columns(at: even) * w.columns(at: odd) - v.columns(at: odd) * w.columns(at: even)
  guard let gate else { return scores.sumLastAxis() }
  precondition(
    gate.shape == [chosen.shape[0], blocks],
    "skewSymmetricScore: expected gate logits [\(chosen.shape[0]), \(blocks)], found \(gate.shape)")
  return (scores * softmax(gate)).sumLastAxis()
}

/// The preference scores of every response over every other response to one prompt.
///
/// Row `i`, column `j` holds `s(i ≻ j)`, in double precision and exactly skew-symmetric.
/// - Parameters:
///   - embeddings: [K, 2k], one per response.
///   - gate: [1, k] or [k], logits of the prompt's gate; none means no gate.
///   - l2Normalized: whether embeddings are first scaled to length 1.
/// - Returns: K rows of K scores, before any division by `tau`.
public func skewSymmetricTable(
  embeddings: Tensor, gate: Tensor? = nil, l2Normalized: Bool = false
) -> [[Double]] {
  precondition(
    embeddings.shape.rank == 2 && embeddings.shape[1] > 0 && embeddings.shape[1].isMultiple(of: 2),
    "skewSymmetricTable: expected embeddings [K, 2k], found \(embeddings.shape)")
  let (rows, width) = (embeddings.shape[0], embeddings.shape[1])
  let source = l2Normalized ? embeddings.detached.l2Normalized() : embeddings
  let values = source.scalars.map { Double($0) }
  var weights = [Double](repeating: 1, count: width / 2)
  if let gate {
    precondition(
      gate.count == width / 2,
      "skewSymmetricTable: expected \(width / 2) gate logits, found \(gate.shape)")
    weights = softmax(gate.detached.reshaped([1, width / 2])).scalars.map { Double($0) }
  }
  var table = [[Double]](repeating: [Double](repeating: 0, count: rows), count: rows)
  for i in 0..<rows {
    for j in (i + 1)..<max(rows, i + 1) {
      var score = 0.0
      for block in 0..<(width / 2) {
        let (v, w) = (i * width + 2 * block, j * width + 2 * block)
        score += weights[block] * (values[v] * values[w + 1] - values[v + 1] * values[w])
      }
      table[i][j] = score
      table[j][i] = -score
    }
  }
  return table
}

/// The General Preference Model's loss, a logistic loss of `(s − margin) / tau`.
///
/// `−t·log σ((s − m)/τ) − (1 − t)·log σ(−(s − m)/τ)` per pair (arXiv 2410.02197, eq. A.1).
///
/// Statistics, means over the pairs: `accuracy` (a tie counts half), `score` (the raw `s`),
/// `probability` (`σ(s/τ)`), `nll` (without margins, weights and smoothing).
/// - Parameters:
///   - scores: [P], `s(chosen ≻ rejected)` from ``skewSymmetricScore(chosen:rejected:gate:l2Normalized:)``.
///   - tau: the temperature, greater than 0.
///   - margins: [P], in the units of `s`; none means 0.
///   - weights: [P], factors of the pairs' losses; the sum is still divided by the number of pairs.
///   - labels: [P], soft labels in 0...1; none means 1.
///   - labelSmoothing: the chance that a label is the wrong way round, in 0..<0.5.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func generalPreference(
  scores: Tensor, tau: Float = 0.1, margins: [Float]? = nil, weights: [Float]? = nil,
  labels: [Float]? = nil, labelSmoothing: Float = 0, batchCount: Int? = nil
) -> Objective {
  requireColumn("generalPreference", scores)
  precondition(tau > 0, "generalPreference: expected tau > 0, found \(tau)")
  let losses = logisticLosses(
    logits: scores * (1 / tau), operation: "generalPreference",
    margins: margins.map { $0.map { $0 / tau } }, weights: weights, labels: labels,
    labelSmoothing: labelSmoothing)
  let logits = scores.detached * (1 / tau)
  return Objective(
    loss: losses.share(of: batchCount),
    statistics: [
      "accuracy": winFraction(scores.scalars),
      "score": mean(scores.scalars),
      "probability": mean(logits.sigmoid().scalars),
      "nll": -mean(logits.logSigmoid().scalars),
    ],
    count: scores.count)
}
