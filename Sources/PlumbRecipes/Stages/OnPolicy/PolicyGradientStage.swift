import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// GRPO, RLOO and REINFORCE: policy gradients on whole responses, without a critic.
struct PolicyGradientStage<Method: PolicyGradientMethod>: Stage {
  let configuration: PolicyGradientConfiguration<Method>

  var inputs: [String] { configuration.settings.inputs }

  static var product: StageProduct { .model(.language) }

  var models: [ModelUse] { configuration.settings.models }

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
    let start = try configuration.settings.start(context)
    var trainer = PolicyGradientTrainer(configuration, policy: start.policy, seed: context.seed)
    let watched = try start.train(
      &trainer, settings: configuration.settings.rounds(start.prompts))
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
