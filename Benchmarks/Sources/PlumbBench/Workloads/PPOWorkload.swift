import PlumbModels
import PlumbPreferences
import PlumbRecipes
import PlumbRollouts

/// One update of PPO: rollout, log-probabilities of policy and reference, values, scores, advantages,
/// and the optimizer steps of all passes over the minibatches.
struct PPOWorkload: Workload {
  private var trainer: PPOTrainer
  private let reference: CausalLM
  private let reward: RewardModel
  private let sampling: RolloutSampling
  private var update = 0

  let units = 1.0

  init(
    _ model: CausalLM, _ sizes: Specification.Workload, valueModel: ValueModelChoice
  ) throws {
    sampling = try RolloutSampling(model, sizes, responses: 1, purpose: "ppo")
    var configuration = PPOConfiguration()
    configuration.valueModel = valueModel
    configuration.updates = 1_000_000
    configuration.promptsPerUpdate = sampling.prompts.count
    configuration.epochs = try sizes.require(\.epochs, "epochs")
    configuration.minibatches = try sizes.require(\.minibatches, "minibatches")
    configuration.optimizer.learningRate = 1e-5
    configuration.optimizer.schedule = .constant
    reward = try RewardModel(from: model, head: .linear, seed: 0)
    trainer = try PPOTrainer(configuration, policy: model, reward: reward, seed: 0)
    reference = model
  }

  mutating func run() throws {
    update += 1
    var (buffer, groups) = try sampling.sample(trainer.policy, step: update)
    for (index, scores) in try reward.scores(groups: groups).enumerated() {
      for (number, score) in scores.enumerated() {
        buffer.groups[index].responses[number].score = score
      }
    }
    let metrics = try trainer.improve(on: &buffer, reference: reference, update: update)
    guard metrics["skipped_steps"] == 0, metrics["loss/policy_avg"]?.isFinite == true else {
      throw BenchError("ppo: expected finite losses, found \(metrics)")
    }
  }
}
