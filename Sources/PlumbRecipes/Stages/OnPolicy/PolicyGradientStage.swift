import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// GRPO, RLOO and REINFORCE: policy gradients on whole responses, without a critic.
struct PolicyGradientStage<Method: PolicyGradientMethod>: Stage {
  let configuration: PolicyGradientConfiguration<Method>

  var inputs: [String] {
    [configuration.policy] + configuration.reward.inputs + configuration.prompts
      + configuration.watch.inputs
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let responses =
      configuration.updates * configuration.promptsPerUpdate * configuration.responsesPerPrompt
    return policyPlan(
      "\(Method.title): \(configuration.updates) rounds of \(configuration.promptsPerUpdate) prompts, "
        + "\(configuration.responsesPerPrompt) responses each\(adapterNote(configuration.lora))",
      parameters: try parameterCount(context, model: configuration.policy), responses: responses,
      newTokens: configuration.sampling.maxNewTokens, trainingPasses: configuration.epochs)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let (start, encoder) = try loadPolicy(
      context, configuration.policy, adapter: configuration.lora)
    let scorer = try recipeJudge(configuration.reward, context: context, policy: encoder)
    let watch = try RolloutWatch(
      configuration.watch, updates: configuration.updates, context: context, encoder: encoder)
    let settings = OnPolicySettings(
      prompts: try policyPrompts(
        context, configuration.prompts, encoder: encoder,
        models: [start.configuration] + scorer.readers + watch.readers,
        newTokens: configuration.sampling.maxNewTokens),
      updates: configuration.updates, promptsPerUpdate: configuration.promptsPerUpdate,
      responsesPerPrompt: configuration.responsesPerPrompt, sampling: configuration.sampling,
      checkpointEvery: configuration.checkpointEvery, passes: configuration.epochs,
      onBadScore: configuration.onBadScore)
    let judge: any Judge =
      try configuration.normalizeRewards
      ? NormalizedJudge(
        scorer.judge, reference: start, settings: settings, encoder: encoder, context: context)
      : scorer.judge
    var trainer = PolicyGradientTrainer(configuration, policy: start, seed: context.seed)
    let watched = try runWatched(
      &trainer, settings: settings, judge: judge, reference: start, encoder: encoder,
      context: context, watch: watch)
    try trainer.trained.write(to: context.directory, encoder: encoder)
    return try policyResult(
      context, trainer.policy,
      responses: configuration.promptsPerUpdate * configuration.responsesPerPrompt,
      metrics: [
        ("objective/scores", "score", ""),
        ("reward_std", "spread of the reward within a prompt", ""),
        ("objective/kl", "KL from the reference (nats/response)", "nats/response"),
        ("completions/mean_length", "length (tokens)", "tokens"),
      ], watched: watched)
  }
}
