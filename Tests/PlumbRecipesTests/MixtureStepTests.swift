import Foundation
import PlumbObjectives
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// One optimizer step of MORE against its formula.
@Suite struct MixtureStepTests {
  static let allTokens = 100_000
  /// A budget that cuts every batch below into several parts.
  static let fewTokens = 24

  /// Made-up pairs of three sources, of different numbers and lengths.
  static let batch: [[EncodedPair]] = [4, 2, 3].enumerated().map { source, count in
    (0..<count).map { row in
      var stream = RandomStream(seed: 5, purpose: "pairs", step: source, row: row)
      func ids(_ count: Int) -> [Int32] {
        (0..<count).map { _ in Int32(stream.uniform(below: 200)) }
      }
      return EncodedPair(
        group: PreferenceGroup(
          prompt: ids(3 + row), chosen: ids(2 + source), rejected: ids(4 - row % 2)),
        source: "s\(source)")
    }
  }

  func model(_ stage: String = "reward-plain") throws -> RewardModel {
    try RewardModel(directory: URL(filePath: TinyWorld.shared()(stage)))
  }

  func step(
    _ model: RewardModel, _ batch: [[EncodedPair]] = batch, tokens: Int = allTokens,
    solve: (([[Float]?], [Double]) -> [Double])? = nil
  ) throws -> (gradients: GradientBlock, outcome: MixtureStep.Outcome) {
    var gradients = GradientBlock(for: model.parameters)
    let outcome = try MixtureStep(microBatchTokens: tokens, solve: solve)
      .run(batch, model: model, gradients: &gradients)
    return (gradients, outcome)
  }

  func values(_ gradients: GradientBlock, _ model: RewardModel) -> [Float] {
    model.parameters.layout.entries.flatMap { entry in
      model.parameters.layout.id(named: entry.name).map { gradients[$0].scalars } ?? []
    }
  }

  /// The mean loss of some pairs and its gradient in all weights.
  func plain(
    _ pairs: [EncodedPair], _ model: RewardModel
  ) throws -> (loss: Double, gradients: GradientBlock) {
    var gradients = GradientBlock(for: model.parameters)
    let rewards = try model.pairRewards(model.batch(pairs.map(\.group)))
    let objective = bradleyTerry(chosen: rewards.chosen, rejected: rewards.rejected)
    gradients.accumulate(objective.loss)
    return (Double(objective.loss.item), gradients)
  }

  @Test(arguments: ["reward-plain", "reward"], [allTokens, fewTokens])
  func equalWeightsAreMultiTaskToTheBit(_ stage: String, _ tokens: Int) throws {
    let model = try model(stage)
    let multiTask = try step(model, tokens: tokens)
    let equal = try step(model, tokens: tokens) { gradients, _ in
      gradients.map { _ in 1 / Double(gradients.count) }
    }
    #expect(values(multiTask.gradients, model) == values(equal.gradients, model))
    #expect(multiTask.gradients.norm > 0)
    #expect(multiTask.outcome.step.tokens == equal.outcome.step.tokens)
    // And MultiTask is the mean over all pairs.
    let mean = try plain(Self.batch.flatMap { $0 }, model)
    expectClose(
      values(multiTask.gradients, model), values(mean.gradients, model), absolute: 1e-5,
      relative: 1e-3)
  }

  /// With equal shares the gradient is `Σ_k λ_k ∇L_k`.
  @Test(arguments: [allTokens, fewTokens]) func weightsMultiplyTheSourcesLosses(
    _ tokens: Int
  ) throws {
    let model = try model()
    let batch = Self.batch.map { Array($0.prefix(2)) }
    let lambda = [0.2, 0.7, 0.1]
    let found = try step(model, batch, tokens: tokens) { _, _ in lambda }
    var expected = GradientBlock(for: model.parameters)
    for (pairs, weight) in zip(batch, lambda) {
      let rewards = try model.pairRewards(model.batch(pairs.map(\.group)))
      expected.accumulate(
        bradleyTerry(chosen: rewards.chosen, rejected: rewards.rejected).loss, scale: Float(weight))
    }
    expectClose(
      values(found.gradients, model), values(expected, model), absolute: 1e-5, relative: 1e-3)
    for source in 0..<3 {
      #expect(found.outcome.step.statistics["lambda/\(source)"] == lambda[source])
    }
  }

  /// What is solved from are the gradients of whole batches in the last linear layer.
  @Test(arguments: ["reward-plain", "reward"], [allTokens, fewTokens])
  func theHeadsGradientsAreThoseOfTheMeanLosses(_ stage: String, _ tokens: Int) throws {
    let model = try model(stage)
    var seen: (gradients: [[Float]?], losses: [Double]) = ([], [])
    _ = try step(model, tokens: tokens) { gradients, losses in
      seen = (gradients, losses)
      return gradients.map { _ in 1 / 3 }
    }
    for (source, pairs) in Self.batch.enumerated() {
      let expected = try plain(pairs, model)
      let gradient = try #require(seen.gradients[source])
      expectClose(
        gradient, expected.gradients[model.outputWeight].scalars, absolute: 1e-6, relative: 1e-3,
        "source \(source)")
      expectClose(seen.losses[source], expected.loss, absolute: 1e-5)
      // Central differences in three of the head's weights.
      let weights = model.parameters.values(of: model.outputWeight)
      for column in [0, weights.count / 2, weights.count - 1] {
        func loss(_ offset: Float) throws -> Double {
          var moved = model
          var changed = weights
          changed[column] += offset
          moved.parameters.assign(changed, to: model.outputWeight)
          return try plain(pairs, moved).loss
        }
        let slope = try (loss(0x1p-6) - loss(-0x1p-6)) * 32
        expectClose(
          Double(gradient[column]), slope, absolute: 1e-4, relative: 2e-2,
          "source \(source), column \(column)")
      }
    }
  }

  @Test func absentSourcesHaveNoGradientAndNoWeight() throws {
    let model = try model()
    var balance = SourceBalance(sources: 3)
    var batch = Self.batch
    batch[1] = []
    let found = try step(model, batch) { gradients, losses in
      #expect(gradients[1] == nil && gradients[0] != nil && losses[1] == 0)
      return balance.weights(gradients: gradients, losses: losses)
    }
    #expect(found.outcome.weights[1] == 0)
    expectClose(found.outcome.weights.reduce(0, +), 1)
    #expect(found.outcome.step.statistics["lambda/1"] == nil)
    batch[0] = []
    let alone = try step(model, batch) { balance.weights(gradients: $0, losses: $1) }
    #expect(alone.outcome.weights == [0, 0, 1])
    #expect(
      values(alone.gradients, model)
        == values(try step(model, [[], [], batch[2]]).gradients, model)
    )
  }
}
