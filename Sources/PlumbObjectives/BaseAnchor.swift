public import PlumbTensors

/// A tie to the reference at its own answers: the mean distance of their log-probabilities.
///
/// `mean |log π(y_b|x) − log π_ref(y_b|x)|` over responses `y_b` that the reference gave. Added to a
/// preference loss with a weight it is base-anchored preference optimization (BAPO, Lee et al. 2024, arXiv
/// 2407.00693), which keeps the likelihood of the base response aligned with the reference's. The
/// abstract says what is anchored and not the distance; the absolute difference is our reading.
/// The gradient of a response whose two values are equal is 0.
///
/// Statistics, means over responses: `anchor/log_ratio` (with its sign) and `anchor/distance`.
/// - Parameters:
///   - policy: [N], sequence log-probabilities of the reference's answers under the policy.
///   - reference: N values under the reference.
///   - batchCount: the responses of the whole batch, where this call holds a part of it.
public func baseAnchor(
  policy: Tensor, reference: [Float], batchCount: Int? = nil
) -> Objective {
  requireColumn("baseAnchor", policy)
  requireCount("baseAnchor", "reference values", reference.count, rows: policy.count)
  let ratios = policy - Tensor(reference)
  let distances = ratios.abs()
  return Objective(
    loss: distances.share(of: batchCount),
    statistics: [
      "anchor/log_ratio": mean(ratios.scalars), "anchor/distance": mean(distances.scalars),
    ],
    count: policy.count)
}
