import PlumbModels
import PlumbPreferences
import PlumbTokenizers

/// A judge of a recipe, ready to judge.
struct RecipeJudge {
  /// The judge; what is to be skipped and what becomes a score is its own business.
  let judge: any Judge
  /// The models that read prompts and responses: both must fit into their contexts.
  let readers: [DecoderConfiguration]
  /// Whether each response gets a score, or preferences between responses are all that there is; nil where
  /// only the answers tell, as of an endpoint.
  let givesScores: Bool?
}

/// Loads what a recipe chose as a judge of a policy with this encoder.
///
/// - Throws: where a model and the policy have other tokenizers or templates, naming both, or where the lowest
///   score is wanted of a judge that has only preferences.
func recipeJudge(
  _ choice: JudgeChoice, context: StageContext, policy: ConversationEncoder
) throws -> RecipeJudge {
  let plain = try plainJudge(choice, context: context, policy: policy)
  var (judge, givesScores) = (plain.judge, plain.givesScores)
  if let measure = choice.handling.preferenceReward.measure {
    judge = OpponentRewardJudge(judge, measure: measure)
    givesScores = true
  }
  if choice.handling.onFailure == .skip { judge = SkippingJudge(judge) }
  return RecipeJudge(judge: judge, readers: plain.readers, givesScores: givesScores)
}

private func plainJudge(
  _ choice: JudgeChoice, context: StageContext, policy: ConversationEncoder
) throws -> RecipeJudge {
  switch choice.form {
  case .model(let configuration):
    let (judge, reader) = try modelJudge(context, configuration.model, policy: policy)
    // The other kinds of model compare.
    return RecipeJudge(judge: judge, readers: [reader], givesScores: judge is RewardModelJudge)
  case .rule(let configuration):
    return RecipeJudge(
      judge: try configuration.judge(ending: policy.scoredEnd.count), readers: [], givesScores: true
    )
  case .ensemble(let configuration):
    let members = try configuration.ensemble.map {
      try recipeJudge($0, context: context, policy: policy)
    }
    let scored = members.map(\.givesScores)
    if configuration.combine == .minimum, let member = scored.firstIndex(of: false) {
      throw RunError.wrongModel(
        stage: context.stage, model: configuration.ensemble[member].summary,
        expected: ScoreNeed.lowest.rawValue,
        found: "a judge that gives preferences only")
    }
    let judge = CombinedJudge(
      members.map(\.judge), rule: configuration.combine,
      weights: configuration.weights.isEmpty ? nil : configuration.weights, name: choice.summary)
    return RecipeJudge(
      judge: judge, readers: members.flatMap(\.readers),
      givesScores: scored.contains(false) ? false : scored.contains(nil) ? nil : true)
  case .endpoint(let configuration):
    let address = try EndpointAddress(
      configuration.endpoint, allowsRemote: configuration.allowRemote)
    return RecipeJudge(
      judge: EndpointJudge(address, options: configuration.options), readers: [], givesScores: nil)
  }
}
