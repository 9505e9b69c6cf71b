import Foundation
import PlumbRollouts
import Testing

@testable import PlumbRecipes

/// What users of other toolkits ask for and do not get, where no other suite has it.
///
/// Every complaint with its test: `Documentation/Complaints.md`.
@Suite struct ComplaintTests {
  private func ppo(_ reward: String, _ more: String) throws -> TinyStage {
    let world = try TinyWorld.shared()
    return try TinyStage(
      "ppo",
      "policy: '\(world("sft"))', prompts: ['\(world.data("prompts.jsonl"))'], reward: \(reward), "
        + "prompts_per_update: 32, sampling: {max_new_tokens: 12}, "
        + "optimizer: {learning_rate: 0.002, schedule: constant}, \(more)")
  }

  /// Complaint 5, huggingface/trl#2518, #2451, #2363, #3093, #2273: PPO with a reward function of one's
  /// own, written in a recipe.
  @Test("Complaint 5, trl#2518: PPO takes a reward of one's own from a recipe")
  func ppoTakesARewardOfOnesOwnFromARecipe() throws {
    let stage = try ppo(
      "{rule: regex, pattern: '^please'}", "updates: 12, normalize_rewards: false")
    let scores = try stage.series("objective/scores")
    #expect(scores.allSatisfy { (0...1).contains($0) })
    let ends = try StageLearningTests.ends(scores)
    #expect(ends.last > ends.first + 0.1, "\(scores)")
  }

  /// The same in a program: any function of the sampled tokens, and no reward model anywhere.
  @Test("Complaints 5 and 6, trl#2518, trl#3270: a loop and a reward of one's own")
  func ppoTakesARewardOfOnesOwnFromAProgram() throws {
    let world = try TrainerWorld()
    let configuration = world.ppo {
      $0.optimizer.learningRate = 1e-2
      $0.klCoefficient = 0
    }
    var trainer = try PPOTrainer(configuration, policy: world.policy, reward: nil, seed: 6)
    let scores = try (1...16).map { update in
      var buffer = try world.rollouts(trainer.policy, update: update, responses: 4) {
        _, _, tokens in Float(tokens.count { $0 % 2 == 0 }) / Float(tokens.count)
      }
      let metrics = try trainer.improve(on: &buffer, reference: world.policy, update: update)
      return try #require(metrics["objective/scores"])
    }
    let ends = try StageLearningTests.ends(scores)
    #expect(ends.last > ends.first + 0.05, "\(scores)")
  }

  /// Complaint 23, OpenRLHF#693: rewards are normalised only by numbers that a file holds.
  ///
  /// Here they are measured on samples of the reference. A power of two is exact in every product, so that a
  /// judge with 1024 times the scores trains the same policy to the bit.
  @Test("Complaint 23, OpenRLHF#693: reward normalisation is measured, not configured")
  func rewardNormalisationIsMeasuredNotConfigured() throws {
    func weights(_ weight: Int, _ isNormalised: Bool) throws -> Data {
      try ppo(
        "{rule: regex, pattern: '^please', weight: \(weight)}",
        "updates: 2, normalize_rewards: \(isNormalised)"
      ).weights
    }
    let (one, many) = (try weights(1, true), try weights(1024, true))
    #expect(one == many)
    let plain = try weights(1, false)
    #expect(one != plain)
  }
}
