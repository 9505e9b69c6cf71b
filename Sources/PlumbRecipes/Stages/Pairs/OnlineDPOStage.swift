import Foundation
import PlumbData
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Preference optimization on the best and the worst of K responses of the policy itself.
///
/// Guo et al. 2024, arXiv 2402.04792: the losses of `dpo` with pairs that a judge makes on the way.
struct OnlineDPOStage: Stage {
  let configuration: OnlineDPOConfiguration

  var inputs: [String] {
    configuration.settings.inputs(judge: configuration.judge) + configuration.references
  }

  static var product: StageProduct { .model(.language) }

  var models: [ModelUse] {
    configuration.settings.models(judge: configuration.judge, responses: configuration.responses)
      + configuration.references.map { ModelUse($0, as: .policy) }
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let responses =
      configuration.updates * configuration.promptsPerUpdate * configuration.responses
    return policyPlan(
      "\(configuration.updates) rounds of \(configuration.promptsPerUpdate) prompts, best and worst of "
        + "\(configuration.responses) responses, \(configuration.lossSummary)\(adapterNote(configuration.lora))",
      parameters: try parameterCount(context, model: configuration.policy), responses: responses,
      newTokens: configuration.sampling.maxNewTokens, trainingPasses: configuration.epochs)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let start = try OnPolicyStart(
      context, configuration.settings, judge: configuration.judge, rounds: configuration.updates,
      responses: configuration.responses, references: configuration.references,
      longestAnswer: configuration.anchorWeight > 0 ? configuration.anchorTokens : 0)
    var learner = OnlineDPOLearner(
      configuration, policy: start.policy, seed: context.seed,
      references: OnlineReferences(
        models: zip(configuration.references, start.references).map { (name: $0, model: $1) },
        weights: configuration.mergeWeights, stopTokens: start.encoder.stopTokens))
    let watched = try start.train(
      &learner,
      settings: configuration.settings.rounds(
        configuration.updates, start.prompts, promptsPerUpdate: configuration.promptsPerUpdate,
        responsesPerPrompt: configuration.responses, onBadScore: configuration.onBadScore))
    return try policyResult(
      context, learner.trained,
      responses: configuration.promptsPerUpdate * configuration.responses,
      metrics: [
        ("loss", "loss (nats/pair)", "nats"), ("objective/scores", "score", ""),
        ("rewards/accuracies", "accuracy", ""),
        ("objective/kl", "KL from the reference (nats/response)", "nats/response"),
        ("completions/mean_length", "length (tokens)", "tokens"),
        ("pairs/skipped", "prompts without a best and a worst response", ""),
      ], watched: watched)
  }
}
