import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Settings of PPO.
public struct PPOConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "ppo"

  /// The policy to start from, also the frozen reference.
  public var policy = ""
  /// The reward model, frozen.
  public var reward = ""
  /// Files of prompts.
  public var prompts: [String] = []
  /// Rounds of sampling.
  public var updates = 20
  /// Prompts in one round.
  public var promptsPerUpdate = 64
  /// Responses to each prompt.
  public var responsesPerPrompt = 1
  /// How responses are sampled.
  public var sampling = SamplingConfiguration()
  /// Passes over the responses of a round.
  public var epochs = 2
  /// Parts that a pass is cut into, one optimizer step each.
  public var minibatches = 2
  /// Weight of the Kullback-Leibler penalty in the token rewards.
  public var klCoefficient = 0.05
  /// Where the penalty's weight is steered to, in nats per response; 0 keeps it fixed.
  public var klTarget = 0.0
  /// Responses over which the adaptive weight moves.
  public var klHorizon = 10_000.0
  /// A pass ends early once the mean k3 estimate exceeds this, in nats per token; 0 never.
  public var maxPolicyKL = 0.0
  /// The ratio's clip range.
  public var clip = 0.2
  /// The value's clip range; 0 for none.
  public var valueClip = 0.2
  /// Weight of the value loss.
  public var valueCoefficient = 0.1
  /// Discount.
  public var gamma = 1.0
  /// Decay of generalized advantage estimation.
  public var gaeLambda = 0.95
  /// Whether advantages are brought to mean 0 and variance 1 over a round.
  public var whitenAdvantages = true
  /// Whether rewards are shifted and scaled so that the reference's samples have mean 0 and variance 1.
  public var normalizeRewards = true
  /// Taken off the score of a response that does not end within the limit.
  public var missingEosPenalty = 0.0
  /// Rounds between checkpoints.
  public var checkpointEvery = 5
  /// The adapter to train in place of all weights.
  public var lora = AdapterConfiguration()
  /// The optimizer; its schedule runs over all optimizer steps.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a stage or a model folder", "nothing")
    try require("reward", !reward.isEmpty, "a stage or a model folder", "nothing")
    try require("prompts", !prompts.isEmpty, "at least one file", "none")
    for (name, value) in [
      ("updates", updates), ("prompts_per_update", promptsPerUpdate),
      ("responses_per_prompt", responsesPerPrompt), ("epochs", epochs),
      ("minibatches", minibatches),
    ] { try requireCount(name, value) }
    try require(
      "minibatches", minibatches <= promptsPerUpdate * responsesPerPrompt,
      "at most one per response (\(promptsPerUpdate * responsesPerPrompt))", minibatches)
    try require("clip", (1e-6..<1).contains(clip), "a number above 0 and below 1", clip)
    for (name, value) in [
      ("kl_coefficient", klCoefficient), ("kl_target", klTarget), ("max_policy_kl", maxPolicyKL),
      ("value_clip", valueClip), ("value_coefficient", valueCoefficient),
      ("missing_eos_penalty", missingEosPenalty),
    ] { try require(name, (0...1e6).contains(value), "a number from 0 to 1000000", value) }
    let responses = Double(promptsPerUpdate) * Double(responsesPerPrompt)
    try require(
      "kl_horizon", klHorizon >= responses, "at least the responses of a round (\(Int(responses)))",
      klHorizon)
    try require(
      "kl_coefficient", klTarget == 0 || klCoefficient > 0,
      "a number above 0 where kl_target is set", klCoefficient)
    try require("gamma", (0...1).contains(gamma), "a number from 0 to 1", gamma)
    try require("gae_lambda", (0...1).contains(gaeLambda), "a number from 0 to 1", gaeLambda)
  }
}

/// Proximal policy optimization against a frozen reward model.
///
/// Schulman et al. 2017, arXiv 1707.06347, with the details of "The N Implementation Details of RLHF with
/// PPO", Huang et al. 2023.
struct PPOStage: Stage {
  let configuration: PPOConfiguration

  var inputs: [String] {
    [configuration.policy, configuration.reward] + configuration.prompts
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let parameters = try parameterCount(context, model: configuration.policy)
    let responses =
      configuration.updates * configuration.promptsPerUpdate * configuration.responsesPerPrompt
    return policyPlan(
      "\(configuration.updates) rounds of \(configuration.promptsPerUpdate) prompts\(adapterNote(configuration.lora))",
      parameters: parameters, responses: responses,
      newTokens: configuration.sampling.maxNewTokens, trainingPasses: configuration.epochs)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let (start, encoder) = try loadPolicy(
      context, configuration.policy, adapter: configuration.lora)
    let model = try rewardModel(context, configuration.reward)
    let prompts = try policyPrompts(
      context, configuration.prompts, encoder: encoder,
      models: [start.configuration, model.decoder.configuration],
      newTokens: configuration.sampling.maxNewTokens)
    let plan = BatchPlan(
      costs: prompts.map(\.tokens.count), size: .examples(configuration.promptsPerUpdate),
      seed: context.seed, dropsRemainder: true)
    let judge = try rewardJudge(
      context, model: model, reference: start, encoder: encoder, prompts: prompts)
    var reference = start
    reference.parameters.isFrozen = true
    var state = State(
      actor: ActorCritic(policy: start), configuration: configuration)
    let first = try context.resume { try state.load($0) }
    for update in first..<max(first, configuration.updates + 1) {
      let chosen = plan.examples(ofStep: update).map { prompts[$0] }
      var buffer = try RolloutBuffer.sample(
        policy: state.actor.policy, prompts: chosen.map { ($0.id, $0.messages) }, encoder: encoder,
        count: configuration.responsesPerPrompt,
        options: configuration.sampling.options(seed: context.seed), step: update)
      try buffer.judge(by: judge, encoder: encoder)
      let metrics = try improve(
        &state, buffer: &buffer, reference: reference, update: update, seed: context.seed)
      try context.finishStep(
        update, of: configuration.updates, metrics: metrics,
        loss: metrics["loss/policy_avg"],
        tokens: buffer.groups.reduce(0) { $0 + $1.tokenCount } * (1 + configuration.epochs),
        checkpointEvery: configuration.checkpointEvery
      ) { try state.save($0) }
    }
    let trained = state.actor.separatePolicy
    try trained.write(to: context.directory, encoder: encoder)
    return try policyResult(
      context, trained,
      responses: configuration.promptsPerUpdate * configuration.responsesPerPrompt,
      metrics: [
        ("objective/scores", "score", ""),
        ("objective/kl", "KL from the reference (nats/response)", "nats/response"),
        ("completions/mean_length", "length (tokens)", "tokens"),
        ("val/explained_variance", "explained variance", ""),
      ])
  }

  /// One round: rewards, advantages, and the clipped updates over all minibatches.
  private func improve(
    _ state: inout State, buffer: inout RolloutBuffer, reference: CausalLM, update: Int,
    seed: UInt64
  ) throws -> [String: Double] {
    let passes = (0..<configuration.epochs).map {
      minibatches(of: buffer, pass: $0, update: update, seed: seed)
    }
    let entropy = state.actor.fill(&buffer, batches: passes[0])
    buffer.fillReferenceLogprobs(model: reference, batches: passes[0])
    var metrics = buffer.statistics()
    metrics["policy/entropy_avg"] = entropy
    metrics.merge(computeAdvantages(&buffer, klCoefficient: state.controller.coefficient)) { $1 }

    var mean = StatisticsMean()
    var steps = 0
    passes: for (pass, batches) in passes.enumerated() {
      for (number, places) in batches.enumerated() {
        let statistics = try step(
          &state, buffer: buffer, places: places, update: update,
          isFirst: pass == 0 && number == 0)
        mean.add(statistics, count: 1)
        steps += 1
        let moved = statistics["policy/approxkl_k3_avg"] ?? 0
        if configuration.maxPolicyKL > 0, moved > configuration.maxPolicyKL { break passes }
      }
    }
    metrics.merge(mean.means) { $1 }
    metrics["optimizer_steps"] = Double(steps)
    if configuration.klTarget > 0 {
      state.controller.update(kl: metrics["objective/kl"] ?? 0, episodes: buffer.responseCount)
    }
    return metrics
  }

  /// Token rewards (score at the last token, KL penalty at every token), GAE, whitening.
  private func computeAdvantages(
    _ buffer: inout RolloutBuffer, klCoefficient: Double
  ) -> [String: Double] {
    let places = buffer.places
    let scores = places.map { place in
      let rollout = buffer[place]
      let penalty = rollout.finishReason == .length ? configuration.missingEosPenalty : 0
      return (rollout.score ?? 0) - Float(penalty)
    }
    let rewards = tokenRewards(
      logprobs: places.map { buffer[$0].behaviourLogprobs },
      referenceLogprobs: places.map { buffer[$0].referenceLogprobs },
      scores: scores, klCoefficient: Float(klCoefficient))
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
    let rlhf = rewards.reduce(0.0) { $0 + $1.reduce(0.0) { $0 + Double($1) } }
    return [
      "objective/rlhf_reward": rlhf / Double(places.count),
      "objective/kl_coefficient": klCoefficient,
      "val/explained_variance": explainedVariance(values: values, returns: estimate.returns),
    ]
  }

  private func step(
    _ state: inout State, buffer: RolloutBuffer, places: [ResponsePlace], update: Int,
    isFirst: Bool
  ) throws -> [String: Double] {
    state.gradients.reset()
    var statistics: [String: Double] = [:]
    do {
      // The graph must be gone before the weights are written, or the write would copy them.
      let batch = buffer.batch(places)
      let (logprobs, values, _) = state.actor.forward(
        batch, temperature: buffer.logprobTemperature)
      if isFirst { try buffer.requireUnitRatio(logprobs.scalars, in: batch) }
      let policy = ppoPolicy(
        logprobs: logprobs, oldLogprobs: try buffer.values(of: .behaviourLogprobs, in: batch),
        advantages: try buffer.values(of: .advantages, in: batch), clip: Float(configuration.clip))
      let value = ppoValue(
        values: values, oldValues: try buffer.values(of: .values, in: batch),
        returns: try buffer.values(of: .returns, in: batch),
        clip: configuration.valueClip > 0 ? Float(configuration.valueClip) : nil)
      state.gradients.accumulate(
        policy.loss + value.loss * Float(configuration.valueCoefficient))
      statistics = policy.statistics.merging(value.statistics) { first, _ in first }
      statistics["loss/policy_avg"] = Double(policy.loss.item)
      statistics["loss/value_avg"] = Double(value.loss.item)
    }
    state.move(&statistics)
    return statistics
  }

  /// The responses of a round in a fresh order for each pass, cut into minibatches.
  private func minibatches(
    of buffer: RolloutBuffer, pass: Int, update: Int, seed: UInt64
  ) -> [[ResponsePlace]] {
    var stream = RandomStream(seed: seed, purpose: "ppo/minibatches", step: update, row: pass)
    let places = buffer.places
    let order = stream.permutation(places.count).map { places[$0] }
    let count = configuration.minibatches
    return (0..<count).map {
      Array(order[$0 * order.count / count..<($0 + 1) * order.count / count])
    }.filter { !$0.isEmpty }
  }

  /// The frozen reward model, normalised on samples of the reference where that is asked for.
  private func rewardJudge(
    _ context: StageContext, model: RewardModel, reference: CausalLM,
    encoder: ConversationEncoder, prompts: [PolicyPrompt]
  ) throws -> RewardModelJudge {
    var model = model
    model.parameters.isFrozen = true
    let ownEncoder = try ConversationEncoder.load(from: context.artifact(configuration.reward))
    try ownEncoder.requireSame(as: encoder)
    if configuration.normalizeRewards {
      let sample = prompts.prefix(128)
      let buffer = try RolloutBuffer.sample(
        policy: reference, prompts: sample.map { ($0.id, $0.messages) }, encoder: encoder, count: 1,
        options: configuration.sampling.options(seed: context.seed), step: 0)
      try model.normalise(on: buffer.judgeGroups(encoder: encoder).map(\.tokens))
    }
    return try RewardModelJudge(
      model: model, encoder: ownEncoder, policy: encoder, name: configuration.reward)
  }

  /// Everything that a round changes.
  private struct State {
    var actor: ActorCritic
    var optimizer: AdamW
    var gradients: GradientBlock
    var controller: AdaptiveKLController
    let rates: LearningRates

    init(actor: ActorCritic, configuration: PPOConfiguration) {
      self.actor = actor
      self.actor.checkpointsLayers = configuration.optimizer.gradientCheckpointing
      optimizer = AdamW(configuration.optimizer.adamW, for: actor.parameters.trainable)
      gradients = GradientBlock(for: actor.parameters.trainable)
      controller = AdaptiveKLController(
        initial: configuration.klCoefficient, target: max(configuration.klTarget, 1e-6),
        horizon: configuration.klHorizon)
      rates = configuration.optimizer.learningRates(
        steps: configuration.updates * configuration.epochs * configuration.minibatches)
    }

    /// One optimizer step; adds `grad_norm` (before clipping), `learning_rate` and `skipped_steps`, the
    /// share of steps left out because a gradient was not finite.
    mutating func move(_ statistics: inout [String: Double]) {
      let rate = rates.learningRate(at: optimizer.step)
      let update = actor.parameters.withTrainable {
        optimizer.update(&$0, gradients: gradients, learningRate: rate)
      }
      statistics["grad_norm"] = update.gradientNorm
      statistics["learning_rate"] = Double(rate)
      statistics["skipped_steps"] = update.isSkipped ? 1 : 0
    }

    func save(_ folder: URL) throws {
      try actor.parameters.trainable.write(to: folder.appending(path: "parameters.safetensors"))
      try optimizer.write(to: folder.appending(path: "optimizer.safetensors"))
      try AtomicFile.write(
        JSONEncoder().encode(controller), to: folder.appending(path: "kl-controller.json"))
    }

    mutating func load(_ folder: URL) throws {
      try actor.parameters.withTrainable {
        try $0.read(from: folder.appending(path: "parameters.safetensors"))
      }
      optimizer = try AdamW(
        contentsOf: folder.appending(path: "optimizer.safetensors"),
        configuration: optimizer.configuration, for: actor.parameters.trainable)
      controller = try JSONDecoder().decode(
        AdaptiveKLController.self,
        from: Data(contentsOf: folder.appending(path: "kl-controller.json")))
    }
  }
}
