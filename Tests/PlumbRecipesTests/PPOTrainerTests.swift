import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import Testing

@testable import PlumbRecipes

/// PPO as a program of one's own uses it, with both kinds of value models.
@Suite struct PPOTrainerTests {
  private let world: TrainerWorld
  private var policy: CausalLM { world.policy }
  private var reward: RewardModel { world.reward }

  init() throws { world = try TrainerWorld() }

  private func trained(
    _ configuration: PPOConfiguration, updates: Int = 2
  ) throws -> (trainer: PPOTrainer, metrics: [[String: Double]]) {
    var trainer = try PPOTrainer(configuration, policy: policy, reward: reward, seed: 6)
    let metrics = try (1...updates).map { update in
      var buffer = try world.rollouts(trainer.policy, update: update)
      return try trainer.improve(on: &buffer, reference: policy, update: update)
    }
    return (trainer, metrics)
  }

  @Test(arguments: ValueModelChoice.allCases) func firstValuesAreZero(_ choice: ValueModelChoice)
    throws
  {
    var trainer = try PPOTrainer(world.ppo(choice), policy: policy, reward: reward, seed: 6)
    var buffer = try world.rollouts(trainer.policy)
    _ = try trainer.improve(on: &buffer, reference: policy, update: 1)
    let values = buffer.places.flatMap { buffer[$0].values }
    #expect(values.count == 48 && values.allSatisfy { $0 == 0 })
    var second = try world.rollouts(trainer.policy, update: 2)
    _ = try trainer.improve(on: &second, reference: policy, update: 2)
    let moved = second.places.flatMap { second[$0].values }
    #expect(moved.contains { $0 != 0 })
  }

  @Test func aSeparateValueModelLeavesThePolicyToThePolicyLoss() throws {
    func policies(_ choice: ValueModelChoice) throws -> ([Float], [Float]) {
      let plain = try trained(world.ppo(choice) { $0.valueCoefficient = 0 }, updates: 1)
      let heavy = try trained(world.ppo(choice) { $0.valueCoefficient = 5 }, updates: 1)
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
      world.ppo(choice) {
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
    #expect((first["val/grad_norm"] != nil) == (choice != .shared))
    #expect(metrics.allSatisfy { $0["skipped_steps"] == 0 })
  }

  @Test(
    "Complaint 6, trl#3270: a round is a call, and a trainer goes on from what it saved",
    arguments: ValueModelChoice.allCases)
  func goesOnFromWhatItSaved(_ choice: ValueModelChoice) throws {
    let folder = try TemporaryFolder()
    var trainer = try trained(world.ppo(choice)).trainer
    try trainer.save(to: folder.url)
    var resumed = try PPOTrainer(world.ppo(choice), policy: policy, reward: reward, seed: 6)
    try resumed.load(from: folder.url)
    func next(_ trainer: inout PPOTrainer) throws -> [String: Double] {
      var buffer = try world.rollouts(trainer.policy, update: 3)
      return try trainer.improve(on: &buffer, reference: policy, update: 3)
    }
    #expect(try next(&trainer) == next(&resumed))
    #expect(weights(trainer.separatePolicy) == weights(resumed.separatePolicy))
  }
}
