import Foundation

/// The methods that are held against their optimum in an enumerable world.
public enum TruthMethod: String, Codable, Sendable, CaseIterable {
  /// PPO with the KL in the reward of every token, a critic, and several clipped passes.
  case ppo
  /// REINFORCE with the KL in the reward.
  case reinforce
  /// RLOO with the KL in the reward.
  case rloo
  /// GRPO with the KL in the reward and without the division by the deviation ("Dr. GRPO").
  case grpo
  /// GRPO with the KL in the reward, divided by the group's deviation.
  case grpoScaled = "grpo-scaled"
  /// DPO on pairs of responses of the reference, labelled by Bradley-Terry.
  case dpo
  /// IPO on the same pairs.
  case ipo
  /// KTO on responses of the reference, labelled such that its optimum is π*.
  case kto
  /// KTO, desirable with the chance to beat another response of the reference.
  case ktoWins = "kto-wins"
  /// One round of GPO from the reference, with log Z estimated.
  case gpo
  /// One round of GPO from the reference, with log Z taken as 0.
  case gpoZero = "gpo-zero"
  /// One round of SPPO from the reference.
  case sppo

  /// Whether it samples from the policy as it trains, and not from the reference.
  var isOnPolicy: Bool {
    switch self {
    case .ppo, .reinforce, .rloo, .grpo, .grpoScaled: true
    default: false
    }
  }

  /// Whether its optimum is `π* ∝ π_ref exp(r / β)`.
  var aimsAtStar: Bool {
    switch self {
    case .ipo, .ktoWins, .gpoZero, .sppo: false
    default: true
    }
  }

  /// Its optimum, for the report.
  var optimumText: String {
    switch self {
    case .ipo: "π_ref exp(p(y ≻ π_ref)/β)"
    case .ktoWins: "truncated: nothing on responses that lose more often than they win"
    case .gpoZero: "least squares to (s(y ≻ π_ref))/β among normalised π"
    case .sppo: "least squares to (p(y ≻ π_ref) − ½)/β among normalised π"
    case .kto: "π* for the labels of this world"
    default: "π*"
    }
  }
}

extension EnumeratedWorld {
  /// Log-probabilities of the reference, [P][N].
  var reference: [[Double]] { logprobs(ofLogits: referenceLogits) }

  /// `π* ∝ π_ref exp(r / β)`, [P][N].
  func star(_ reference: [[Double]], beta: Double) -> [[Double]] {
    zip(reference, rewards).map { row, rewards in
      KnownOptimum.tilted(row, by: rewards.map { $0 / beta })
    }
  }

  /// The chance of every response to beat one of the reference, ties at a half, [P][N].
  func winChances(_ reference: [[Double]]) -> [[Double]] {
    zip(reference, rewards).map { row, rewards in
      rewards.map { own in
        zip(row, rewards).reduce(0) { $0 + exp($1.0) / (1 + exp($1.1 - own)) }
      }
    }
  }

  /// The chance of every response to be marked desirable in KTO's data, [P][N].
  func desirableChances(
    _ method: TruthMethod, _ reference: [[Double]], beta: Double
  ) -> [[Double]] {
    if method == .ktoWins { return winChances(reference) }
    let star = star(reference, beta: beta)
    let baseline = meanDivergence(star, reference)
    return zip(reference, star).map {
      KnownOptimum.ktoLabels($0, optimum: $1, baseline: baseline, beta: beta)
    }
  }

  /// Where a method ends, [P][N].
  /// - Parameters:
  ///   - method: the method.
  ///   - reference: log-probabilities of the reference policy.
  ///   - beta: strength of the tie to the reference.
  ///   - opponents: responses in a group with a response's own, K, which SPPO's mean of win probabilities
  ///     counts at a half; nil for the whole population.
  func optimum(
    _ method: TruthMethod, _ reference: [[Double]], beta: Double, opponents: Int? = nil
  ) -> [[Double]] {
    // The mean over K with the response's own half is shrunk by (K − 1)/K.
    let shrink = opponents.map { Double($0 - 1) / Double($0) } ?? 1
    switch method {
    case .ipo:
      return zip(reference, winChances(reference)).map { row, chances in
        KnownOptimum.tilted(row, by: chances.map { $0 / beta })
      }
    case .sppo:
      return zip(reference, winChances(reference)).map { row, chances in
        KnownOptimum.leastSquares(row, target: chances.map { shrink * ($0 - 0.5) / beta })
      }
    case .gpoZero:
      return zip(reference, rewards).map { row, rewards in
        let mean = zip(row, rewards).reduce(0) { $0 + exp($1.0) * $1.1 }
        return KnownOptimum.leastSquares(row, target: rewards.map { ($0 - mean) / beta })
      }
    case .ktoWins:
      return KnownOptimum.kto(reference, desirable: winChances(reference), beta: beta)
    default:
      return star(reference, beta: beta)
    }
  }
}
