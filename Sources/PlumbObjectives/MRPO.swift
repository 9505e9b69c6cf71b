import Foundation
public import PlumbTensors

/// The one reference that several references with weights amount to, their harmonic mean.
///
/// `log π̃ = −log Σ_k α_k / π_k` per sequence (Multi-Reference Preference Optimization, Le et al. 2024,
/// arXiv 2405.16388, eq. 8), computed as a log-sum-exp in double precision.
/// - Parameters:
///   - references: K references, each with one log-probability per sequence.
///   - weights: K weights `α`, positive, summing to 1.
/// - Returns: one log-probability per sequence, up to the normalising constant.
public func mergedReference(_ references: [[Float]], weights: [Float]) -> [Float] {
  precondition(!references.isEmpty, "mergedReference: expected at least one reference, found none")
  requireCount("mergedReference", "weights", weights.count, rows: references.count)
  let sum = weights.reduce(0, +)
  precondition(
    weights.allSatisfy { $0 > 0 } && abs(sum - 1) < 1e-4,
    "mergedReference: expected positive weights with sum 1, found \(weights)")
  for reference in references {
    requireCount("mergedReference", "log-probabilities", reference.count, rows: references[0].count)
  }
  return references[0].indices.map { sequence in
    let terms = zip(references, weights).map { log(Double($1)) - Double($0[sequence]) }
    let top = terms.reduce(-Double.infinity, max)
    return Float(-(top + log(terms.reduce(0) { $0 + exp($1 - top) })))
  }
}

/// Multi-Reference Preference Optimization: the sigmoid loss of `dpo` against a merged reference.
///
/// - Parameters:
///   - policyChosen: [P], sequence log-probabilities of the chosen responses under the policy.
///   - policyRejected: [P], the same of the rejected responses.
///   - chosenReferences: K references, P log-probabilities of the chosen responses each.
///   - rejectedReferences: K references, P log-probabilities of the rejected responses each.
///   - weights: K weights, positive, summing to 1.
///   - beta: the strength of the pull to the merged reference, greater than 0.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
/// - Returns: the objective, with the statistics of `dpo` against the merged reference.
public func mrpo(
  policyChosen: Tensor, policyRejected: Tensor, chosenReferences: [[Float]],
  rejectedReferences: [[Float]], weights: [Float], beta: Float, batchCount: Int? = nil
) -> Objective {
  dpo(
    policyChosen: policyChosen, policyRejected: policyRejected,
    referenceChosen: mergedReference(chosenReferences, weights: weights),
    referenceRejected: mergedReference(rejectedReferences, weights: weights),
    beta: beta, batchCount: batchCount)
}
