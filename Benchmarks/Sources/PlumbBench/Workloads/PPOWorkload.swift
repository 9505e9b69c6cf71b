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
  private let prompts: [[Int32]]
  private let options: SamplingOptions
  private var update = 0

  let units = 1.0

  init(
    _ model: CausalLM, _ sizes: Specification.Workload, valueModel: ValueModelChoice
  ) throws {
    let count = try sizes.require(\.prompts, "prompts")
    let length = try sizes.require(\.prompt, "prompt")
    var configuration = PPOConfiguration()
    configuration.valueModel = valueModel
    configuration.updates = 1_000_000
    configuration.promptsPerUpdate = count
    configuration.epochs = try sizes.require(\.epochs, "epochs")
    configuration.minibatches = try sizes.require(\.minibatches, "minibatches")
    configuration.optimizer.learningRate = 1e-5
    configuration.optimizer.schedule = .constant
    reward = try RewardModel(from: model, head: .linear, seed: 0)
    trainer = try PPOTrainer(configuration, policy: model, reward: reward, seed: 0)
    reference = model
    options = SamplingOptions(maximumNewTokens: try sizes.require(\.newTokens, "new_tokens"))
    var tokens = RandomTokens(model, purpose: "ppo")
    prompts = (0..<count).map { _ in tokens.sequence(length) }
  }

  mutating func run() throws {
    update += 1
    let engine = try SamplingEngine(
      model: trainer.policy, stopTokens: [], options: options, maximumRows: prompts.count)
    let sampled = try engine.sample(prompts: prompts, step: update)
    let scores = try reward.scores(
      groups: zip(prompts, sampled).map { prompt, responses in
        PreferenceGroup(prompt: prompt, responses: responses.map(\.tokens))
      })
    var buffer = RolloutBuffer(
      groups: prompts.indices.map { index in
        RolloutGroup(
          id: "\(index)", prompt: [], promptTokens: prompts[index],
          responses: sampled[index].enumerated().map { number, response in
            var rollout = Rollout(
              tokens: response.tokens, text: "", finishReason: response.finishReason,
              behaviourLogprobs: response.logprobs)
            rollout.score = scores[index][number]
            return rollout
          })
      },
      provenance: RolloutBuffer.Provenance(
        source: .sampled, origin: "benchmark", step: update, sampling: options))
    let metrics = try trainer.improve(on: &buffer, reference: reference, update: update)
    guard metrics["skipped_steps"] == 0, metrics["loss/policy_avg"]?.isFinite == true else {
      throw BenchError("ppo: expected finite losses, found \(metrics)")
    }
  }
}
