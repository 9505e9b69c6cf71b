import Foundation
import PlumbData
import PlumbModels
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
  /// Where values come from: a head on the policy's trunk (`shared`), or a model of its own that
  /// starts from the reward model's trunk (`separate`).
  public var valueModel = ValueModelChoice.shared
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

/// The value models that a recipe can ask for.
public enum ValueModelChoice: String, Codable, Sendable, CaseIterable {
  case shared
  case separate
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
      newTokens: configuration.sampling.maxNewTokens,
      trainingPasses: configuration.epochs * (configuration.valueModel == .separate ? 2 : 1))
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
    var trainer = try PPOTrainer(
      configuration, policy: start, reward: model, seed: context.seed)
    let first = try context.resume { try trainer.load(from: $0) }
    for update in first..<max(first, configuration.updates + 1) {
      let chosen = plan.examples(ofStep: update).map { prompts[$0] }
      var buffer = try RolloutBuffer.sample(
        policy: trainer.policy, prompts: chosen.map { ($0.id, $0.messages) }, encoder: encoder,
        count: configuration.responsesPerPrompt,
        options: configuration.sampling.options(seed: context.seed), step: update)
      try buffer.judge(by: judge, encoder: encoder)
      let metrics = try trainer.improve(on: &buffer, reference: reference, update: update)
      try context.finishStep(
        update, of: configuration.updates, metrics: metrics,
        loss: metrics["loss/policy_avg"],
        tokens: buffer.groups.reduce(0) { $0 + $1.tokenCount } * (1 + configuration.epochs),
        checkpointEvery: configuration.checkpointEvery
      ) { try trainer.save(to: $0) }
    }
    let trained = trainer.separatePolicy
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
}
