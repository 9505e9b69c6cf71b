import Foundation
import PlumbModels
import PlumbObjectives
import PlumbRollouts
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// What a round of GRPO, RLOO or REINFORCE writes into its buffer: the advantages of the rewards that its
/// settings ask for, the same for every token of a response.
@Suite struct PolicyGradientAdvantageTests {
  private let world: TrainerWorld
  private let reference: CausalLM

  init() throws {
    var world = try TrainerWorld()
    // Where all lengths are one, a price of length is gone with the baseline.
    world.stopTokens = [5, 11, 17, 23, 29, 35]
    self.world = world
    reference = try TrainerWorld.far()
  }

  /// `score − 0.1·|y| − c·Σ k(log π − log π_ref)` of every response, with `k` as k1 or k3.
  private func rewards(
    _ buffer: RolloutBuffer, coefficient: Double, _ estimator: KLEstimator
  ) throws -> [[Float]] {
    try buffer.groups.map { group in
      try group.responses.map { response in
        let distances = zip(response.behaviourLogprobs, response.referenceLogprobs).map {
          Double($0 - $1)
        }
        let divergence = distances.reduce(0.0) {
          $0 + (estimator == .k3 ? exp(-$1) - 1 + $1 : $1)
        }
        let score = Double(try #require(response.score)) - 0.1 * Double(response.tokens.count)
        return Float(score - coefficient * divergence)
      }
    }
  }

  /// - Parameters:
  ///   - change: to a divergence of weight 0.5 in the rewards, by k1, and a price of 0.1 for a token.
  ///   - coefficient: of the divergence in the rewards that are expected.
  private func expectAdvantages<Method: PolicyGradientMethod>(
    _ method: Method.Type, _ baseline: AdvantageBaseline, _ scale: AdvantageScale,
    coefficient: Double = 0.5, _ estimator: KLEstimator = .k1, isNormalized: Bool = false,
    _ change: (inout PolicyGradientConfiguration<Method>) -> Void = { _ in },
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let configuration = world.gradient(method) {
      ($0.klIn, $0.klEstimator, $0.klCoefficient) = (.reward, .k1, 0.5)
      $0.lengthPenalty = 0.1
      change(&$0)
    }
    let found = try world.trained(configuration, reference: reference)
    let buffer = found.buffers[0]
    let lengths = Set(buffer.places.map { buffer[$0].tokens.count })
    #expect(lengths.count > 1, sourceLocation: sourceLocation)
    let rewards = try rewards(buffer, coefficient: coefficient, estimator)
    var expected = responseAdvantages(rewards, baseline: baseline, scale: scale)
    if isNormalized { expected = whitened(expected, keepingMean: false) }
    for place in buffer.places {
      let response = buffer[place]
      let value = expected[place.group][place.response]
      expectClose(
        response.advantages, [Float](repeating: value, count: response.tokens.count),
        absolute: 1e-4, "\(Method.kind), \(place)", sourceLocation: sourceLocation)
    }
    let all = rewards.flatMap { $0 }.map { Double($0) }
    expectClose(
      try #require(found.metrics[0]["reward"]), all.reduce(0, +) / Double(all.count),
      absolute: 1e-4, sourceLocation: sourceLocation)
  }

  @Test func theAdvantagesAreThoseOfTheMethod() throws {
    try expectAdvantages(GRPO.self, .group, .group)
    try expectAdvantages(RLOO.self, .leaveOneOut, .none)
    try expectAdvantages(REINFORCE.self, .batch, .none)
  }

  /// A recipe may swap what the methods differ in, and the estimator.
  @Test func baselineScaleAndEstimatorAreThoseOfTheRecipe() throws {
    try expectAdvantages(GRPO.self, .batch, .none, .k3) {
      ($0.baseline, $0.scaleRewards, $0.klEstimator) = (.batch, .none, .k3)
    }
    try expectAdvantages(RLOO.self, .group, .batch) {
      ($0.baseline, $0.scaleRewards) = (.group, .batch)
    }
    try expectAdvantages(REINFORCE.self, .leaveOneOut, .group) {
      ($0.baseline, $0.scaleRewards) = (.leaveOneOut, .group)
    }
  }

  /// Over the responses of the round, each counted once, whatever its length.
  @Test func advantagesAreNormalizedOverTheRoundWhereAskedFor() throws {
    try expectAdvantages(REINFORCE.self, .batch, .none, isNormalized: true) {
      $0.normalizeAdvantages = true
    }
    try expectAdvantages(RLOO.self, .leaveOneOut, .none, isNormalized: true) {
      $0.normalizeAdvantages = true
    }
  }

  /// A divergence in the loss is not taken off the rewards too.
  @Test func aDivergenceInTheLossLeavesTheRewardsAlone() throws {
    try expectAdvantages(GRPO.self, .group, .group, coefficient: 0) { $0.klIn = .loss }
    try expectAdvantages(RLOO.self, .leaveOneOut, .none, coefficient: 0) { $0.klIn = .loss }
  }
}
