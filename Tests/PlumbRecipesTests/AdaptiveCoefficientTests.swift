import PlumbModels
import PlumbRollouts
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// The weight of the divergence as PPO steers it from round to round; the controller on its own is in `KLTests`.
@Suite struct AdaptiveCoefficientTests {
  private let world: TrainerWorld
  private let reference: CausalLM

  init() throws {
    world = try TrainerWorld()
    reference = try TrainerWorld.far()
  }

  /// What the weight is multiplied by after a round of 16 responses: `1 + clip(KL/target − 1, ±0.2)·16/horizon`.
  struct Case: CustomTestStringConvertible, Sendable {
    let target: Double
    let horizon: Double
    let factor: Double
    var testDescription: String { "target \(target), horizon \(horizon)" }
  }

  static let cases = [
    Case(target: 1e-9, horizon: 16, factor: 1.2), Case(target: 1e9, horizon: 16, factor: 0.8),
    Case(target: 1e9, horizon: 64, factor: 0.95), Case(target: 0, horizon: 16, factor: 1),
  ]

  /// Two rounds of 16 responses to 8 prompts, weight 0.5, in which nothing is learnt and nothing is paid for but
  /// the divergence.
  private func rounds(
    _ place: KLPlace, target: Double, horizon: Double
  ) throws -> (trainer: PPOTrainer, metrics: [[String: Double]], buffers: [RolloutBuffer]) {
    let configuration = world.ppo {
      ($0.klIn, $0.klCoefficient) = (place, 0.5)
      ($0.klTarget, $0.klHorizon) = (target, horizon)
      $0.valueCoefficient = 0
      $0.optimizer.learningRate = 0
    }
    return try world.trained(configuration, updates: 2, responses: 2, reference: reference) {
      for place in $0.places { $0[place].score = 0 }
    }
  }

  /// The weight in each round, after the rounds too.
  @Test(arguments: KLPlace.allCases, cases)
  func theWeightMovesTowardsTheTarget(_ place: KLPlace, _ test: Case) throws {
    let found = try rounds(place, target: test.target, horizon: test.horizon)
    for metrics in found.metrics {
      let divergence = try #require(metrics["objective/kl"])
      try #require(divergence > 0.1, "\(divergence)")
    }
    let weights =
      try found.metrics.map { try #require($0["objective/kl_coefficient"]) }
      + [found.trainer.controller.coefficient]
    let expected = [0.5, 0.5 * test.factor, 0.5 * test.factor * test.factor]
    expectClose(weights, expected, absolute: 1e-9, relative: 0)
  }

  /// Near the target the step is the relative distance from it, in nats per response.
  @Test func nearTheTargetTheStepIsTheDistanceFromIt() throws {
    let fixed = try rounds(.reward, target: 0, horizon: 16)
    let divergence = try #require(fixed.metrics[0]["objective/kl"])
    let found = try rounds(.reward, target: divergence / 1.1, horizon: 16)
    expectClose(try #require(found.metrics[1]["objective/kl_coefficient"]), 0.55, absolute: 1e-6)
  }

  @Test(arguments: cases) func theNextRoundsRewardsHaveTheNewWeight(_ test: Case) throws {
    let found = try rounds(.reward, target: test.target, horizon: test.horizon)
    for (buffer, weight) in zip(found.buffers, [0.5, 0.5 * test.factor]) {
      for place in buffer.places {
        let response = buffer[place]
        let expected = zip(response.behaviourLogprobs, response.referenceLogprobs).map {
          -Float(weight) * ($0 - $1)
        }
        expectClose(response.tokenRewards, expected, absolute: 1e-5)
      }
    }
  }

  /// With all advantages 0 the gradient is that of the divergence alone, as large as its weight.
  @Test(arguments: cases) func theNextRoundsLossHasTheNewWeight(_ test: Case) throws {
    let found = try rounds(.loss, target: test.target, horizon: test.horizon)
    let fixed = try rounds(.loss, target: 0, horizon: test.horizon)
    let norms = try [found, fixed].map { run in
      try run.metrics.map { try #require($0["grad_norm"]) }
    }
    let smallest = try #require(norms[1].min())
    try #require(smallest > 1e-3, "\(norms[1])")
    let ratios = zip(norms[0], norms[1]).map { $0 / $1 }
    expectClose(ratios, [1, test.factor], absolute: 1e-4)
  }
}
