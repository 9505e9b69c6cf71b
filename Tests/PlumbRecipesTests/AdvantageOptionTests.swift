import PlumbModels
import PlumbRollouts
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// The settings of PPO that decide what its advantages and returns are.
@Suite struct AdvantageOptionTests {
  /// In the second round, where values are not 0 any more; before whitening, which would hide a factor.
  @Test func discountDecayAndThePriceOfLengthAreThoseOfTheRecipe() throws {
    var world = try TrainerWorld()
    world.stopTokens = [5, 11, 17, 23, 29, 35]
    let configuration = world.ppo {
      ($0.gamma, $0.gaeLambda) = (0.9, 0.7)
      ($0.klCoefficient, $0.lengthPenalty) = (0.5, 0.1)
      $0.whitenAdvantages = false
      $0.valueCoefficient = 1
    }
    let buffer = try world.trained(
      configuration, updates: 2, responses: 2, reference: TrainerWorld.far()
    ).buffers[1]
    let responses = buffer.places.map { buffer[$0] }
    let values = responses.map(\.values)
    let lengths = Set(responses.map(\.tokens.count))
    let sizes = values.joined().map { abs($0) }
    try #require(lengths.count > 1 && sizes.max() ?? 0 > 1e-3)
    let scores = try responses.map {
      try #require($0.score) - 0.1 * Float($0.tokens.count)
    }
    let rewards = tokenRewards(
      logprobs: responses.map(\.behaviourLogprobs),
      referenceLogprobs: responses.map(\.referenceLogprobs), scores: scores, klCoefficient: 0.5)
    func estimate(gamma: Float, lambda: Float) -> (advantages: [Float], returns: [Float]) {
      let found = generalizedAdvantages(
        rewards: rewards, values: values, gamma: gamma, lambda: lambda)
      return (found.advantages.flatMap { $0 }, found.returns.flatMap { $0 })
    }
    let advantages = responses.flatMap(\.advantages)
    let expected = estimate(gamma: 0.9, lambda: 0.7)
    expectClose(responses.flatMap(\.tokenRewards), rewards.flatMap { $0 }, absolute: 1e-5)
    expectClose(advantages, expected.advantages, absolute: 1e-4)
    expectClose(responses.flatMap(\.returns), expected.returns, absolute: 1e-4)
    // The defaults of either would be something else.
    for other in [estimate(gamma: 1, lambda: 0.7), estimate(gamma: 0.9, lambda: 0.95)] {
      let distance = differences(advantages, other.advantages).most
      #expect(distance > 0.01, "\(distance)")
    }
  }
}
