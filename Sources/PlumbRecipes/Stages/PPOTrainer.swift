public import Foundation
import PlumbCheckpoints
public import PlumbModels
import PlumbObjectives
public import PlumbPreferences
public import PlumbRollouts
import PlumbTensors

/// A policy that learns by PPO, and what estimates the value of its states.
///
/// Reads sampled and scored rollouts and nothing else, so that it serves a recipe as well as a
/// program of one's own.
///
/// ```swift
/// var trainer = try PPOTrainer(configuration, policy: policy, reward: reward, seed: 1)
/// for update in 1...20 {
///   var buffer = try RolloutBuffer.sample(policy: trainer.policy, …)   // and scores of each response
///   let metrics = try trainer.improve(on: &buffer, reference: policy, update: update)
/// }
/// ```
public struct PPOTrainer {
  let configuration: PPOConfiguration
  let seed: UInt64
  var actor: ActorCritic
  var learners: PPOLearners
  var controller: AdaptiveKLController
  /// Why the stage should stop after the last round: the ratio left its range.
  public private(set) var stopReason: String?

  /// Starts from a policy.
  /// - Parameters:
  ///   - configuration: the settings; file names are not read.
  ///   - policy: the policy to improve.
  ///   - reward: whose trunk a separate value model starts from; the policy's where nil.
  ///   - seed: of the order of the minibatches.
  /// - Throws: `PreferenceError` if the reward model's trunk cannot carry a value head.
  public init(
    _ configuration: PPOConfiguration, policy: CausalLM, reward: RewardModel?, seed: UInt64
  ) throws {
    self.configuration = configuration
    self.seed = seed
    actor =
      switch configuration.valueModel {
      case .shared: ActorCritic(policy: policy)
      case .head:
        ActorCritic(
          policy: policy, ownHead: ValueHead(width: policy.configuration.hiddenSize))
      case .separate:
        try ActorCritic(
          policy: policy,
          valueModel: reward ?? RewardModel(from: policy.merged, head: .linear, seed: seed))
      }
    actor.checkpointsLayers = configuration.optimizer.gradientCheckpointing
    learners = PPOLearners(actor, configuration: configuration)
    controller = AdaptiveKLController(
      initial: configuration.klCoefficient, target: max(configuration.klTarget, 1e-6),
      horizon: configuration.klHorizon)
  }

  /// The policy as it is now; only a view, to sample from.
  public var policy: CausalLM { actor.policy }

  /// The policy as it is now, with weights of its own and nothing beside them.
  public var separatePolicy: CausalLM { actor.separatePolicy }

  /// One round: token rewards, advantages, and the clipped updates over all minibatches.
  ///
  /// Fills log-probabilities, values, rewards and advantages of the buffer.
  /// - Parameters:
  ///   - buffer: sampled from `policy`, every response with a score.
  ///   - reference: the frozen reference policy.
  ///   - update: number of the round, part of the key of the random numbers.
  /// - Returns: the metrics of the round; see `Documentation/Stages/ppo.md`.
  /// - Throws: `RolloutError` if the buffer says that it was sampled with a filter or greedily, if a score is
  ///   missing, or if the first ratio is not 1. Log-probabilities are filled from `policy` before the ratio is
  ///   taken, so it holds training to that pass, and does not find responses of another policy.
  public mutating func improve(
    on buffer: inout RolloutBuffer, reference: CausalLM, update: Int
  ) throws -> [String: Double] {
    try buffer.requireUnfiltered()
    stopReason = nil
    let passes = passes(over: buffer, update: update)
    let packing = passes[0].flatMap(\.parts)
    let entropy = actor.fill(&buffer, batches: packing)
    buffer.fillReferenceLogprobs(model: reference, batches: packing)
    var metrics = buffer.statistics(estimator: configuration.klEstimator)
    metrics["policy/entropy_avg"] = entropy
    metrics.merge(try computeAdvantages(&buffer)) { $1 }
    let isWarmUp = update <= configuration.valueWarmupUpdates
    let found =
      try isWarmUp
      ? improveValues(buffer, passes) : improvePolicy(buffer, passes, update: update)
    metrics.merge(found) { $1 }
    if configuration.klTarget > 0, !isWarmUp {
      controller.update(kl: metrics["objective/kl"] ?? 0, episodes: buffer.responseCount)
    }
    return metrics
  }

  /// The minibatches of every pass over a round, each pass of each round in an order of its own.
  func passes(over buffer: RolloutBuffer, update: Int) -> [[Minibatch]] {
    (0..<configuration.epochs).map { pass in
      var stream = RandomStream(seed: seed, purpose: "ppo/minibatches", step: update, row: pass)
      return buffer.minibatches(
        count: configuration.minibatches, tokenBudget: configuration.microBatchTokens,
        stream: &stream)
    }
  }

  /// All passes with both losses, unless divergence or ratio end them early.
  private mutating func improvePolicy(
    _ buffer: RolloutBuffer, _ passes: [[Minibatch]], update: Int
  ) throws -> [String: Double] {
    let passing = PolicyPasses(
      ratio: configuration.settings.ratioGuard, maxPolicyKL: configuration.maxPolicyKL)
    let coefficient = controller.coefficient
    let found = try passing.run(passes, update: update) { minibatch, isFirst in
      try learners.step(
        &actor, buffer: buffer, minibatch: minibatch,
        options: PPOLearners.StepOptions(klCoefficient: coefficient, isFirst: isFirst))
    }
    stopReason = found.stopReason
    return found.metrics
  }

  /// All passes with the value loss alone.
  private mutating func improveValues(
    _ buffer: RolloutBuffer, _ passes: [[Minibatch]]
  ) throws -> [String: Double] {
    var mean = StatisticsMean()
    var work = TrainingWork()
    for minibatch in passes.joined() {
      mean.add(
        try learners.warmUpStep(&actor, buffer: buffer, minibatch: minibatch), count: 1)
      work.count(minibatch.tokens)
    }
    return mean.means.merging(work.metrics) { $1 }
  }

  /// Token rewards (score at the last token, KL penalty at every token), GAE, whitening.
  private func computeAdvantages(_ buffer: inout RolloutBuffer) throws -> [String: Double] {
    let places = buffer.places
    let inRewards = configuration.klIn == .reward
    var rewards = tokenRewards(
      logprobs: places.map { buffer[$0].behaviourLogprobs },
      referenceLogprobs: places.map { buffer[$0].referenceLogprobs },
      scores: try configuration.settings.shaping.rewards(of: buffer),
      klCoefficient: inRewards ? Float(controller.coefficient) : 0,
      estimator: configuration.klEstimator)
    let rlhf = rewards.reduce(0.0) { $0 + $1.reduce(0.0) { $0 + Double($1) } }
    if configuration.whitenRewards { rewards = whitened(rewards, keepingMean: true) }
    let values = places.map { buffer[$0].values }
    let estimate = generalizedAdvantages(
      rewards: rewards, values: values, gamma: Float(configuration.gamma),
      lambda: Float(configuration.gaeLambda))
    let advantages =
      configuration.whitenAdvantages
      ? whitened(estimate.advantages, keepingMean: false) : estimate.advantages
    for (index, place) in places.enumerated() {
      buffer[place].tokenRewards = rewards[index]
      buffer[place].advantages = advantages[index]
      buffer[place].returns = estimate.returns[index]
    }
    return [
      "objective/rlhf_reward": rlhf / Double(places.count),
      "objective/kl_coefficient": controller.coefficient,
      "val/explained_variance": explainedVariance(values: values, returns: estimate.returns),
    ]
  }
}

extension PPOTrainer: OnPolicyLearner {
  var trained: CausalLM { separatePolicy }

  /// Writes everything that a round changes into a folder.
  public func save(to folder: URL) throws {
    try actor.parameters.trainable.write(to: folder.appending(path: "parameters.safetensors"))
    try actor.valueBlock?.write(to: folder.appending(path: "value-parameters.safetensors"))
    try learners.save(to: folder)
    try AtomicFile.write(
      JSONEncoder().encode(controller), to: folder.appending(path: "kl-controller.json"))
  }

  /// Goes on from what `save` wrote.
  public mutating func load(from folder: URL) throws {
    try actor.parameters.withTrainable {
      try $0.read(from: folder.appending(path: "parameters.safetensors"))
    }
    try actor.withValueBlock {
      try $0.read(from: folder.appending(path: "value-parameters.safetensors"))
    }
    try learners.load(from: folder, for: actor)
    controller = try JSONDecoder().decode(
      AdaptiveKLController.self,
      from: Data(contentsOf: folder.appending(path: "kl-controller.json")))
  }
}
