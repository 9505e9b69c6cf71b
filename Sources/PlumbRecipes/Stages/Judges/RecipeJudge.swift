import PlumbModels
import PlumbPreferences
import PlumbTokenizers

/// A judge of a recipe, ready to judge.
struct RecipeJudge {
  /// The judge; what is to be skipped and what becomes a score is its own business.
  let judge: any Judge
  /// The models that read prompts and responses: both must fit into their contexts.
  let readers: [DecoderConfiguration]
}

/// Loads what a recipe chose as a judge of a policy with this encoder.
///
/// - Throws: where a model and the policy have other tokenizers or templates, naming both.
func recipeJudge(
  _ choice: JudgeChoice, context: StageContext, policy: ConversationEncoder
) throws -> RecipeJudge {
  let plain = try plainJudge(choice, context: context, policy: policy)
  var judge = plain.judge
  if let measure = choice.handling.preferenceReward.measure {
    judge = OpponentRewardJudge(judge, measure: measure)
  }
  if choice.handling.onFailure == .skip { judge = SkippingJudge(judge) }
  return RecipeJudge(judge: judge, readers: plain.readers)
}

private func plainJudge(
  _ choice: JudgeChoice, context: StageContext, policy: ConversationEncoder
) throws -> RecipeJudge {
  switch choice.form {
  case .model(let configuration):
    let (judge, reader) = try modelJudge(context, configuration.model, policy: policy)
    return RecipeJudge(judge: judge, readers: [reader])
  case .rule(let configuration):
    return RecipeJudge(judge: try configuration.judge(ending: policy.scoredEnd.count), readers: [])
  case .ensemble(let configuration):
    let members = try configuration.ensemble.map {
      try recipeJudge($0, context: context, policy: policy)
    }
    let judge = CombinedJudge(
      members.map(\.judge), rule: configuration.combine,
      weights: configuration.weights.isEmpty ? nil : configuration.weights, name: choice.summary)
    return RecipeJudge(judge: judge, readers: members.flatMap(\.readers))
  case .endpoint(let configuration):
    let address = try EndpointAddress(
      configuration.endpoint, allowsRemote: configuration.allowRemote)
    return RecipeJudge(
      judge: EndpointJudge(address, options: configuration.options), readers: [])
  }
}
