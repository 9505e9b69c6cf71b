import PlumbObjectives
import PlumbRollouts

/// Where the divergence from the reference is held against a policy.
public enum KLPlace: String, Codable, Sendable, CaseIterable {
  /// Taken off the rewards, so that it enters through the advantages.
  case reward
  /// Added to the loss, so that it has a gradient of its own.
  case loss
}

extension KLEstimator {
  /// The same estimator as a term of a loss.
  var inLoss: KLLossEstimator {
    switch self {
    case .k1: .k1
    case .k2: .k2
    case .k3: .k3
    }
  }
}

/// Refuses a divergence that would do nothing; throws `ConfigurationProblem`.
func validateDivergence(
  klIn place: KLPlace, estimator: KLEstimator, gradient: KLGradient, coefficient: Double
) throws {
  guard place == .loss else { return }
  try require(
    "kl_coefficient", coefficient > 0, "a number above 0 where kl_in is loss", coefficient)
  try require(
    "kl_gradient", gradient == .unbiased || estimator != .k1,
    "unbiased where kl_estimator is k1, whose own gradient is 0 on average", gradient.rawValue)
}
