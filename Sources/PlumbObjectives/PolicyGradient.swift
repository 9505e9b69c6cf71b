import Foundation
public import PlumbTensors

/// The plain policy gradient: `−A·log π` of every row (Williams 1992, "REINFORCE").
///
/// Without a ratio to the policy that sampled, so that the rows must be its own samples. The gradient is
/// that of the ratio `ρ·A` at ρ = 1.
///
/// Statistics, means over rows: `policy/logprob_avg`.
/// - Parameters:
///   - logprobs: [N], log-probabilities of tokens or of whole responses, in nats.
///   - advantages: N values.
///   - weights: N shares of the rows in the loss, in place of those of the mean.
///   - batchCount: the rows of the whole batch, where this call holds a part of it; not with
///     `weights`.
public func reinforce(
  logprobs: Tensor, advantages: [Float], weights: [Float]? = nil, batchCount: Int? = nil
) -> Objective {
  requireColumn("reinforce", logprobs)
  requireCount("reinforce", "advantages", advantages.count, rows: logprobs.count)
  let losses = -(logprobs * Tensor(advantages))
  return Objective(
    loss: losses.reduced(
      "reinforce", weights: weights, rows: Array(0..<logprobs.count), batchCount: batchCount),
    statistics: ["policy/logprob_avg": mean(logprobs.scalars)], count: logprobs.count)
}

/// What a Kullback-Leibler term of a loss is the value of, for a token sampled by π.
///
/// With `d = log π − log π_ref`; all estimate `KL(π ‖ π_ref)` (Schulman 2020, "Approximating KL
/// divergence").
public enum KLLossEstimator: String, Codable, Sendable, CaseIterable {
  /// `d`.
  case k1
  /// `d²/2`.
  case k2
  /// `e^{−d} − 1 + d`.
  case k3
}

/// The gradient of a Kullback-Leibler term of a loss.
public enum KLGradient: String, Codable, Sendable, CaseIterable {
  /// `d·∇log π`, that of k2: its expectation under π is the gradient of `KL(π ‖ π_ref)` at the token's
  /// state.
  case unbiased
  /// That of the estimator itself. For k1 its expectation is 0, for k3 it is the gradient of
  /// `KL(π_ref ‖ π)`, to first order the same.
  case automatic
}

/// The Kullback-Leibler divergence from a reference policy as a term of the loss.
///
/// The value is the mean of an estimator over sampled tokens; the gradient is that of `½ d²`, which
/// is unbiased where the tokens were sampled by π (Tang and Munos 2025, arXiv 2506.09477), or the
/// estimator's own, as GRPO takes k3's (Shao et al. 2024, arXiv 2402.03300, eq. 4). `d` is clamped
/// in k3's exponential to ±20.
///
/// Both are gradients token by token: what a token does to the divergence of later ones is not in
/// them, while a penalty in the rewards has it through the advantages.
///
/// Statistics, means over tokens: `kl`, the value.
/// - Parameters:
///   - logprobs: [N], log-probabilities of the sampled tokens under the policy being trained.
///   - referenceLogprobs: N values under the reference.
///   - estimator: what the value is.
///   - gradient: what the gradient is.
///   - weights: N shares of the tokens in the loss, in place of those of the mean.
///   - batchCount: the tokens of the whole batch, where this call holds a part of it; not with
///     `weights`.
public func klLoss(
  logprobs: Tensor, referenceLogprobs: [Float], estimator: KLLossEstimator = .k3,
  gradient: KLGradient = .unbiased, weights: [Float]? = nil, batchCount: Int? = nil
) -> Objective {
  requireColumn("klLoss", logprobs)
  requireCount("klLoss", "referenceLogprobs", referenceLogprobs.count, rows: logprobs.count)
  let difference = logprobs - Tensor(referenceLogprobs)
  let half = difference.square() * 0.5
  let value: Tensor =
    switch estimator {
    case .k1: difference
    case .k2: half
    case .k3: (-difference).clamped(-20, 20).exp() - 1 + difference
    }
  let losses =
    switch gradient {
    case .automatic: value
    case .unbiased: half + (value.detached - half.detached)
    }
  return Objective(
    loss: losses.reduced(
      "klLoss", weights: weights, rows: Array(0..<logprobs.count), batchCount: batchCount),
    statistics: ["kl": estimated(difference.scalars, estimator)], count: logprobs.count)
}

/// The mean of an estimator in double precision, in which k3 does not cancel.
private func estimated(_ differences: [Float], _ estimator: KLLossEstimator) -> Double {
  let sum = differences.reduce(0.0) { sum, difference in
    let d = Double(difference)
    return switch estimator {
    case .k1: sum + d
    case .k2: sum + d * d / 2
    case .k3: sum + expm1(min(max(-d, -20), 20)) + d
    }
  }
  return sum / Double(max(1, differences.count))
}
