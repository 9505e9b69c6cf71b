import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// What a round of GPO learns from: log-ratios and targets as its settings say.
@Suite struct GameOptionTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let change: @Sendable (inout GPOConfiguration) -> Void
    /// What the distance of a response of n tokens from the reference is multiplied by.
    let factor: @Sendable (Double) -> Double
    var bound = Double.infinity
    var testDescription: String { name }
  }

  static let cases = [
    Case(name: "the round before", change: { $0.reference = .previous }, factor: { _ in 0 }),
    Case(name: "fixed", change: { $0.reference = .fixed }, factor: { _ in 1 }),
    Case(
      name: "bounded",
      change: { ($0.reference, $0.targetBound) = (.fixed, 1) }, factor: { _ in 1 }, bound: 1),
    Case(
      name: "per token",
      change: { ($0.reference, $0.lengthNormalize) = (.fixed, true) }, factor: { 1 / $0 }),
    Case(
      name: "per root of the length",
      change: {
        ($0.reference, $0.lengthNormalize, $0.lengthExponent) = (.fixed, true, 0.5)
      }, factor: { 1 / $0.squareRoot() }),
    // The exponent alone does nothing.
    Case(
      name: "exponent alone",
      change: { ($0.reference, $0.lengthExponent) = (.fixed, 0.5) }, factor: { _ in 1 }),
  ]

  /// One step that moves nothing on 8 prompts with 4 responses of several lengths.
  @Test(arguments: cases) func logRatiosAndTargetsAreThoseOfTheRecipe(_ test: Case) throws {
    var world = try TrainerWorld()
    world.stopTokens = [5, 11, 17, 23, 29, 35]
    var configuration = GPOConfiguration()
    configuration.promptsPerIteration = 8
    configuration.batchPrompts = 8
    configuration.optimizer = TrainerWorld.optimizer
    configuration.optimizer.learningRate = 0
    test.change(&configuration)
    var buffer = try world.rollouts(world.policy, responses: 4)
    for group in buffer.groups.indices {
      let scores = try buffer.groups[group].responses.map { Double(try #require($0.score)) }
      buffer.groups[group].preferenceLogits =
        Judgement(scores: scores, source: "hand").preferenceLogits
    }
    var trainer = GameTrainer(configuration, policy: world.policy, prompts: 8, seed: 6)
    let metrics = try trainer.improve(on: &buffer, reference: TrainerWorld.far(), update: 1)
    #expect(metrics["optimizer_steps"] == 1)

    var (ratios, targets): ([Double], [Double]) = ([], [])
    for group in buffer.groups {
      let scores = group.responses.map { Double($0.score ?? .nan) }
      let mean = scores.reduce(0, +) / Double(scores.count)
      for (response, score) in zip(group.responses, scores) {
        let distance = zip(response.behaviourLogprobs, response.referenceLogprobs)
          .reduce(0.0) { $0 + Double($1.0 - $1.1) }
        ratios.append(distance * test.factor(Double(response.tokens.count)))
        targets.append(min(max(score - mean, -test.bound), test.bound))
      }
    }
    let lengths = Set(buffer.places.map { buffer[$0].tokens.count })
    try #require(ratios.count == 32 && lengths.count > 1)
    let errors = zip(ratios, targets).map { $0 - $1 }
    for (name, values) in [
      ("gpo/log_ratio", ratios), ("gpo/target", targets), ("gpo/error", errors.map { abs($0) }),
      ("loss", errors.map { $0 * $0 }),
    ] {
      expectClose(
        try #require(metrics[name]), values.reduce(0, +) / 32, absolute: 1e-4, relative: 1e-4, name)
    }
  }
}
