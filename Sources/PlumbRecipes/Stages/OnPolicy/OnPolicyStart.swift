import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// What every on-line stage has before its first round: policy, judge, watch, and prompts that fit them all.
struct OnPolicyStart {
  /// The policy that the stage starts from, with the adapter that it trains.
  let policy: CausalLM
  /// Tokenizer and template of the policy.
  let encoder: ConversationEncoder
  /// Frozen models that responses are compared with in place of the policy as it was.
  let references: [CausalLM]
  /// Who judges the responses.
  let judge: any Judge
  /// What looks at each round.
  let watch: RolloutWatch
  /// Prompts that leave room for a response in every model that reads it.
  let prompts: [PolicyPrompt]
  private let context: StageContext

  /// Loads them.
  ///
  /// - Parameters:
  ///   - settings: policy, prompts and watch, as the recipe names them.
  ///   - choice: of the judge.
  ///   - rounds: of the stage.
  ///   - responses: to each prompt, K.
  ///   - needsScores: whether the stage learns from one number per response.
  ///   - references: models to load that responses are compared with, as the recipe names them.
  ///   - longestAnswer: of a reference to the same prompts, in tokens; 0 where none is asked.
  /// - Throws: `RunError.wrongModel` for a judge of preferences where scores are needed, or, as held-out
  ///   judge, where there is one response to a prompt; what `requireSame` throws for a reference with another
  ///   tokenizer or template; else what loading throws.
  init(
    _ context: StageContext, _ settings: OnlineTrainingSettings, judge choice: JudgeChoice,
    rounds: Int, responses: Int, needsScores: Bool = false, references names: [String] = [],
    longestAnswer: Int = 0
  ) throws {
    self.context = context
    (policy, encoder) = try loadPolicy(context, settings.policy, adapter: settings.lora)
    let same = encoder
    references = try names.map { name in
      var (model, own) = try loadPolicy(context, name)
      try own.requireSame(as: same)
      model.parameters.isFrozen = true
      return model
    }
    let found = try recipeJudge(choice, context: context, policy: encoder)
    // Now, and not after the first round was sampled.
    if needsScores, found.givesScores == false {
      throw RunError.wrongModel(
        stage: context.stage, model: choice.summary,
        expected: ScoreNeed.training.rawValue,
        found: "one that gives preferences only")
    }
    judge = found.judge
    watch = try RolloutWatch(
      settings.watch, updates: rounds, responses: responses, context: context, encoder: encoder)
    prompts = try policyPrompts(
      context, settings.prompts, encoder: encoder,
      models: [policy.configuration] + references.map(\.configuration) + found.readers
        + watch.readers,
      newTokens: max(settings.sampling.maxNewTokens, longestAnswer))
  }

  /// All rounds of a learner, watched, and the policy that it ends with in the stage's folder.
  ///
  /// - Returns: the watch's part of the report.
  func train(
    _ learner: inout some OnPolicyLearner, settings: OnPolicySettings
  ) throws -> [ReportSection] {
    var observer: (any RolloutObserver)? = watch
    try runOnPolicy(
      &learner, settings: settings, judge: judge, reference: policy,
      encoder: encoder, context: context, watch: &observer)
    try learner.trained.write(to: context.directory, encoder: encoder)
    return (observer as? RolloutWatch)?.sections ?? []
  }
}
