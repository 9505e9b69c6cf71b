import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import Testing

@testable import PlumbRecipes

/// PPO as a program of one's own uses it, with both kinds of value models.
@Suite struct PPOTrainerTests {
  private let policy: CausalLM
  private let reward: RewardModel

  init() throws {
    let configuration = DecoderConfiguration(
      family: .qwen2, vocabularySize: 40, hiddenSize: 16, intermediateSize: 24, layerCount: 2,
      headCount: 2, keyValueHeadCount: 1, maximumPositions: 32, eosTokenIDs: [0])
    policy = CausalLM(configuration, seed: 3)
    var wider = configuration
    wider.hiddenSize = 24
    reward = try RewardModel(configuration: wider, head: .linear, seed: 4)
  }

  /// Sampled responses with scores that differ.
  private func rollouts(_ policy: CausalLM, update: Int = 1) throws -> RolloutBuffer {
    let options = SamplingOptions(maximumNewTokens: 6, seed: 5)
    let prompts: [[Int32]] = (0..<8).map { [3, Int32(4 + $0), 9] }
    let sampled = try SamplingEngine(model: policy, stopTokens: [], options: options)
      .sample(prompts: prompts, step: update)
    return RolloutBuffer(
      groups: prompts.indices.map { index in
        let response = sampled[index][0]
        var rollout = Rollout(
          tokens: response.tokens, text: "", finishReason: response.finishReason,
          behaviourLogprobs: response.logprobs)
        rollout.score = Float(index % 3)
        return RolloutGroup(
          id: "\(index)", prompt: [], promptTokens: prompts[index], responses: [rollout])
      },
      provenance: RolloutBuffer.Provenance(
        source: .sampled, origin: "test", step: update, sampling: options))
  }

  private func configuration(
    _ valueModel: ValueModelChoice, _ change: (inout PPOConfiguration) -> Void = { _ in }
  ) -> PPOConfiguration {
    var configuration = PPOConfiguration()
    configuration.valueModel = valueModel
    configuration.promptsPerUpdate = 8
    configuration.updates = 40
    configuration.optimizer.schedule = .constant
    configuration.optimizer.warmupFraction = 0
    configuration.optimizer.learningRate = 3e-3
    change(&configuration)
    return configuration
  }

  private func trained(
    _ configuration: PPOConfiguration, updates: Int = 2
  ) throws -> (trainer: PPOTrainer, metrics: [[String: Double]]) {
    var trainer = try PPOTrainer(configuration, policy: policy, reward: reward, seed: 6)
    let metrics = try (1...updates).map { update in
      var buffer = try rollouts(trainer.policy, update: update)
      return try trainer.improve(on: &buffer, reference: policy, update: update)
    }
    return (trainer, metrics)
  }

  private func weights(_ model: CausalLM) -> [Float] {
    model.parameters.withSpan { span in span.indices.map { span[$0] } }
  }

  @Test(arguments: ValueModelChoice.allCases) func firstValuesAreZero(_ choice: ValueModelChoice)
    throws
  {
    var trainer = try PPOTrainer(configuration(choice), policy: policy, reward: reward, seed: 6)
    var buffer = try rollouts(trainer.policy)
    _ = try trainer.improve(on: &buffer, reference: policy, update: 1)
    let values = buffer.places.flatMap { buffer[$0].values }
    #expect(values.count == 48 && values.allSatisfy { $0 == 0 })
    var second = try rollouts(trainer.policy, update: 2)
    _ = try trainer.improve(on: &second, reference: policy, update: 2)
    let moved = second.places.flatMap { second[$0].values }
    #expect(moved.contains { $0 != 0 })
  }

  @Test func aSeparateValueModelLeavesThePolicyToThePolicyLoss() throws {
    func policies(_ choice: ValueModelChoice) throws -> ([Float], [Float]) {
      let plain = try trained(configuration(choice) { $0.valueCoefficient = 0 }, updates: 1)
      let heavy = try trained(configuration(choice) { $0.valueCoefficient = 5 }, updates: 1)
      return (weights(plain.trainer.separatePolicy), weights(heavy.trainer.separatePolicy))
    }
    let separate = try policies(.separate)
    let shared = try policies(.shared)
    #expect(separate.0 == separate.1)
    #expect(shared.0 != shared.1)
    #expect(separate.0 != weights(policy))
  }

  @Test(arguments: ValueModelChoice.allCases) func valuesLearnTheReturns(
    _ choice: ValueModelChoice
  ) throws {
    let metrics = try trained(
      configuration(choice) {
        $0.epochs = 4
        $0.valueCoefficient = 1
        $0.klCoefficient = 0
        $0.valueClip = 0
      }, updates: 12
    ).metrics
    let (first, last) = (metrics[0], metrics[11])
    let before = try #require(first["loss/value_avg"])
    let after = try #require(last["loss/value_avg"])
    #expect(after < 0.7 * before, "\(before) to \(after)")
    #expect((first["val/grad_norm"] != nil) == (choice == .separate))
    #expect(metrics.allSatisfy { $0["skipped_steps"] == 0 })
  }

  @Test(arguments: ValueModelChoice.allCases) func goesOnFromWhatItSaved(
    _ choice: ValueModelChoice
  ) throws {
    let folder = try TemporaryFolder()
    var trainer = try trained(configuration(choice)).trainer
    try trainer.save(to: folder.url)
    var resumed = try PPOTrainer(configuration(choice), policy: policy, reward: reward, seed: 6)
    try resumed.load(from: folder.url)
    func next(_ trainer: inout PPOTrainer) throws -> [String: Double] {
      var buffer = try rollouts(trainer.policy, update: 3)
      return try trainer.improve(on: &buffer, reference: policy, update: 3)
    }
    #expect(try next(&trainer) == next(&resumed))
    #expect(weights(trainer.separatePolicy) == weights(resumed.separatePolicy))
  }
}
