import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors

@testable import PlumbRecipes

/// A policy and a reward model small enough to train in a moment, and responses with scores.
struct TrainerWorld {
  let policy: CausalLM
  let reward: RewardModel
  /// Ids that end a response: with them, lengths differ.
  var stopTokens: Set<Int> = []
  var temperature: Float = 1

  init(seed: UInt64 = 3) throws {
    let configuration = DecoderConfiguration(
      family: .qwen2, vocabularySize: 40, hiddenSize: 16, intermediateSize: 24, layerCount: 2,
      headCount: 2, keyValueHeadCount: 1, maximumPositions: 32, eosTokenIDs: [0])
    policy = CausalLM(configuration, seed: seed)
    var wider = configuration
    wider.hiddenSize = 24
    reward = try RewardModel(configuration: wider, head: .linear, seed: seed + 1)
  }

  /// Another policy with opinions, for a reference: each response to a world's policy is some nats from it.
  static func far() throws -> CausalLM {
    var far = try TrainerWorld(seed: 21).policy
    for name in ["model.embed_tokens.weight", "lm_head.weight"] {
      guard let id = far.parameters.layout.id(named: name) else { continue }
      far.parameters.assign(far.parameters.values(of: id).map { 20 * $0 }, to: id)
    }
    return far
  }

  /// Sampled responses with scores that differ.
  ///
  /// - Parameter score: of a response, by its group, its place in it and its tokens.
  func rollouts(
    _ policy: CausalLM, update: Int = 1, prompts count: Int = 8, responses: Int = 1,
    newTokens: Int = 6,
    score: (Int, Int, [Int32]) -> Float = { group, place, _ in Float((group + 2 * place) % 3) }
  ) throws -> RolloutBuffer {
    let options = SamplingOptions(
      temperature: temperature, maximumNewTokens: newTokens, seed: 5)
    let prompts: [[Int32]] = (0..<count).map { [3, Int32(4 + $0), 9] }
    let sampled = try SamplingEngine(model: policy, stopTokens: stopTokens, options: options)
      .sample(prompts: prompts, count: responses, step: update)
    return RolloutBuffer(
      groups: prompts.indices.map { group in
        RolloutGroup(
          id: "prompt-\(group)", prompt: [], promptTokens: prompts[group],
          responses: sampled[group].enumerated().map { place, response in
            var rollout = Rollout(
              tokens: response.tokens, text: "", finishReason: response.finishReason,
              behaviourLogprobs: response.logprobs)
            rollout.score = score(group, place, response.tokens)
            return rollout
          })
      },
      provenance: RolloutBuffer.Provenance(
        source: .sampled, origin: "test", step: update, sampling: options))
  }

  /// Settings under which a few updates show.
  func ppo(
    _ valueModel: ValueModelChoice = .shared, _ change: (inout PPOConfiguration) -> Void = { _ in }
  ) -> PPOConfiguration {
    var configuration = PPOConfiguration()
    configuration.valueModel = valueModel
    configuration.promptsPerUpdate = 8
    configuration.updates = 40
    configuration.optimizer = Self.optimizer
    change(&configuration)
    return configuration
  }

  /// The same for a method without a critic.
  func gradient<Method: PolicyGradientMethod>(
    _: Method.Type, _ change: (inout PolicyGradientConfiguration<Method>) -> Void = { _ in }
  ) -> PolicyGradientConfiguration<Method> {
    var configuration = PolicyGradientConfiguration<Method>()
    configuration.promptsPerUpdate = 8
    configuration.responsesPerPrompt = 4
    configuration.updates = 40
    configuration.sampling.maxNewTokens = 6
    configuration.optimizer = Self.optimizer
    change(&configuration)
    return configuration
  }

  /// The same for the best against the worst.
  func onlineDPO(
    _ change: (inout OnlineDPOConfiguration) -> Void = { _ in }
  ) -> OnlineDPOConfiguration {
    var configuration = OnlineDPOConfiguration()
    configuration.promptsPerUpdate = 8
    // Two batches of three pairs and one of two.
    configuration.batchPairs = 3
    configuration.optimizer = Self.optimizer
    configuration.optimizer.epsilon = 1e-5
    change(&configuration)
    return configuration
  }

  static let optimizer = {
    var optimizer = OptimizerConfiguration()
    optimizer.schedule = .constant
    optimizer.warmupFraction = 0
    optimizer.learningRate = 3e-3
    return optimizer
  }()

  /// Trains PPO on responses of the policy that it started from, so that two trainers see the same ones.
  ///
  /// - Parameter reference: the start too where nil.
  func trained(
    _ configuration: PPOConfiguration, updates: Int = 1, responses: Int = 1,
    reference: CausalLM? = nil, change: (inout RolloutBuffer) -> Void = { _ in }
  ) throws -> (trainer: PPOTrainer, metrics: [[String: Double]], buffers: [RolloutBuffer]) {
    var trainer = try PPOTrainer(configuration, policy: policy, reward: reward, seed: 6)
    var buffers: [RolloutBuffer] = []
    let metrics = try (1...updates).map { update in
      var buffer = try rollouts(policy, update: update, responses: responses)
      change(&buffer)
      defer { buffers.append(buffer) }
      return try trainer.improve(on: &buffer, reference: reference ?? policy, update: update)
    }
    return (trainer, metrics, buffers)
  }

  /// The same without a critic.
  func trained<Method: PolicyGradientMethod>(
    _ configuration: PolicyGradientConfiguration<Method>, updates: Int = 1,
    reference: CausalLM? = nil, change: (inout RolloutBuffer) -> Void = { _ in }
  ) throws -> (
    trainer: PolicyGradientTrainer<Method>, metrics: [[String: Double]], buffers: [RolloutBuffer]
  ) {
    var trainer = PolicyGradientTrainer(configuration, policy: policy, seed: 6)
    var buffers: [RolloutBuffer] = []
    let metrics = try (1...updates).map { update in
      var buffer = try rollouts(
        policy, update: update, responses: configuration.responsesPerPrompt)
      change(&buffer)
      defer { buffers.append(buffer) }
      return try trainer.improve(on: &buffer, reference: reference ?? policy, update: update)
    }
    return (trainer, metrics, buffers)
  }
}

/// All numbers of a model.
func weights(_ model: CausalLM) -> [Float] { weights(model.parameters) }

/// All numbers of a block.
func weights(_ block: ParameterBlock) -> [Float] {
  block.withSpan { span in span.indices.map { span[$0] } }
}

/// The largest and the mean distance of two lists of numbers.
func differences(_ a: [Float], _ b: [Float]) -> (most: Double, mean: Double) {
  precondition(a.count == b.count && !a.isEmpty, "differences: expected lists of one length")
  let all = zip(a, b).map { abs(Double($0) - Double($1)) }
  return (all.max() ?? 0, all.reduce(0, +) / Double(all.count))
}
