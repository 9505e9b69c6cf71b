import Foundation

/// Estimators of `KL(π ‖ π_ref)` from tokens sampled by `π` (Schulman 2020, "Approximating KL
/// divergence").
///
/// All read the log-ratio `d = log π − log π_ref` of a sampled token. As a *loss* only `k2` has the
/// gradient of the KL; as a reward or a figure, `k1` and `k3` are unbiased.
public enum KLEstimator: String, Codable, Sendable, CaseIterable {
  /// `d`: unbiased; single values, and the mean of few, may be negative.
  case k1
  /// `d²/2`: biased, low variance, never negative.
  case k2
  /// `e^{−d} − 1 + d`: unbiased, never negative.
  case k3

  /// The estimate of one token, in nats.
  ///
  /// - Parameter logRatio: `log π − log π_ref` of the sampled token.
  public func callAsFunction(_ logRatio: Float) -> Float {
    switch self {
    case .k1: logRatio
    case .k2: logRatio * logRatio / 2
    // expm1 keeps the digits that exp(−d) − 1 loses for small d.
    case .k3: expm1(-logRatio) + logRatio
    }
  }
}

/// The KL of sampled rows from the reference, both ways it is commonly reported.
///
/// The two differ by the length of a response; a target such as 6 nats is per sequence.
public struct KLSummary: Hashable, Codable, Sendable {
  /// The mean over sequences of the sum over tokens, in nats.
  public let perSequence: Double
  /// The mean over all tokens, in nats.
  public let perToken: Double

  /// Estimates the KL of rows sampled by the policy.
  ///
  /// - Parameters:
  ///   - logprobs: one array per row, under the policy that sampled.
  ///   - referenceLogprobs: rows of the same lengths, under the reference.
  ///   - estimator: the estimator of one token.
  public init(
    logprobs: [[Float]], referenceLogprobs: [[Float]], estimator: KLEstimator = .k1
  ) {
    requireSameRows("KLSummary", "referenceLogprobs", referenceLogprobs, as: logprobs)
    var sum = 0.0
    for (row, reference) in zip(logprobs, referenceLogprobs) {
      sum += zip(row, reference).reduce(0.0) { $0 + Double(estimator($1.0 - $1.1)) }
    }
    perSequence = sum / Double(logprobs.count)
    perToken = sum / Double(max(1, logprobs.reduce(0) { $0 + $1.count }))
  }
}

/// A KL coefficient that follows a target (Ziegler 2019, arXiv 1909.08593, §2.2).
///
/// Its state belongs to a checkpoint, hence `Codable`.
public struct AdaptiveKLController: Hashable, Codable, Sendable {
  /// The coefficient to use now.
  public private(set) var coefficient: Double
  /// The KL to hold, in nats per sequence.
  public let target: Double
  /// How many episodes it takes to change the coefficient by its own size, at full error.
  public let horizon: Double

  /// A controller that starts at `initial`.
  ///
  /// - Parameters:
  ///   - initial: the coefficient before the first update.
  ///   - target: nats per sequence, greater than 0.
  ///   - horizon: episodes, greater than 0.
  public init(initial: Double = 0.15, target: Double = 6, horizon: Double = 10_000) {
    precondition(target > 0, "AdaptiveKLController: expected target > 0, found \(target)")
    precondition(horizon > 0, "AdaptiveKLController: expected horizon > 0, found \(horizon)")
    coefficient = initial
    self.target = target
    self.horizon = horizon
  }

  /// Moves the coefficient by `clip(kl/target − 1, ±0.2) · episodes / horizon`, relative.
  ///
  /// A KL that is not finite leaves the coefficient as it is.
  /// - Parameters:
  ///   - kl: the measured KL, nats per sequence.
  ///   - episodes: sequences it was measured on; call once per batch.
  public mutating func update(kl: Double, episodes: Int) {
    guard kl.isFinite else { return }
    let error = min(max(kl / target - 1, -0.2), 0.2)
    coefficient *= 1 + error * Double(episodes) / horizon
  }
}

/// Traps unless two ragged arrays have rows of the same lengths, at least one row.
func requireSameRows(
  _ operation: String, _ name: String, _ rows: [[Float]], as expected: [[Float]]
) {
  precondition(!expected.isEmpty, "\(operation): expected at least one row, found none")
  precondition(
    rows.count == expected.count,
    "\(operation): expected \(expected.count) rows of \(name), found \(rows.count)")
  for (index, (row, other)) in zip(rows, expected).enumerated() {
    precondition(
      row.count == other.count,
      "\(operation): expected \(other.count) \(name) in row \(index), found \(row.count)")
  }
}
