import Foundation
import PlumbEvaluation

/// Reward-based training in a game: the best Bradley-Terry fit, then the KL-regularised optimum or PPO.
struct RewardPlay {
  let game: TruthGame
  /// Strength of the tie to the reference.
  let beta: Double

  /// The rewards that fit pairs best when both responses come from `data`.
  func rewards(data: [Double]) -> [Double] {
    let wins = game.scores.winGame.payoffs.map { $0.map { $0 + 0.5 } }
    return bradleyTerryFit(wins: wins, weights: data).rewards
  }

  /// `π ∝ π_ref exp(r / β)`, what every reward-based method with this reference ends at.
  func optimum(_ rewards: [Double]) -> [Double] {
    KnownOptimum.tilted(game.start.map { log($0) }, by: rewards.map { $0 / beta }).map(exp)
  }

  /// The policies of rounds that each fit the rewards anew to pairs of the policy before.
  ///
  /// - Parameter floor: the share of pairs from the uniform distribution, without which responses that
  ///   the policy no longer gives could have any reward.
  func refitted(rounds: Int, floor: Double) -> [[Double]] {
    var policy = game.start
    return (0..<rounds).map { _ in
      let data = policy.map { (1 - floor) * $0 + floor / Double(policy.count) }
      policy = optimum(rewards(data: data))
      return policy
    }
  }

  /// PPO on samples, with the rewards of the fit.
  func ppo(
    _ rewards: [Double], settings: TruthSampledConfiguration, seed: UInt64,
    report: @escaping (Int, Int) throws -> Void
  ) throws -> (policy: [Double], course: TruthCourse) {
    let world = EnumeratedWorld(banditRewards: [rewards], reference: [game.start])
    let found = try TruthTrainer(method: .ppo, beta: beta, report: report)
      .trained(TabularPolicy(world), sampled: settings, seed: seed)
    return (found.policy.logprobs()[0].map(exp), found.course)
  }
}
