import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// A judge whose scores are shifted and scaled; preferences are left as they are.
///
/// Ziegler et al. 2019 (arXiv 1909.08593, §2) bring the rewards of the reference's samples to mean 0 and
/// variance 1 this way, so that one penalty on divergence suits every reward model.
struct NormalizedJudge: Judge {
  let judge: any Judge
  let normalisation: RewardNormalisation

  var name: String { judge.name }

  /// - Throws: what the judge throws, or `PreferenceError.scoresNeeded` where it has only preferences.
  func judge(groups: [JudgeGroup]) throws -> [Judgement] {
    try judge.judge(groups: groups).enumerated().map { row, judgement in
      guard judgement.skipReason == nil else { return judgement }
      guard let scores = judgement.scores else {
        throw PreferenceError.scoresNeeded(judge: name, row: row)
      }
      return Judgement(
        preferenceLogits: judgement.preferenceLogits,
        scores: scores.map { normalisation.gain * $0 + normalisation.bias },
        source: judgement.source)
    }
  }

  /// Fits the shift and scale to one sample of the reference for each of the first 128 prompts.
  ///
  /// - Parameters:
  ///   - judge: a judge that gives scores.
  ///   - reference: the policy to sample from, in round 0.
  ///   - settings: prompts, sampling, and what happens to scores that are not finite.
  /// - Throws: `PreferenceError.degenerateNormalisation` where all scores are equal, or what sampling
  ///   and the judge throw.
  init(
    _ judge: any Judge, reference: CausalLM, settings: OnPolicySettings,
    encoder: ConversationEncoder, context: StageContext
  ) throws {
    var reference = reference
    reference.parameters.isFrozen = true
    var buffer = try RolloutBuffer.sample(
      policy: reference, prompts: Array(settings.prompts.prefix(128)), encoder: encoder,
      count: 1, options: settings.sampling.options(seed: context.seed), step: 0)
    let skipped = try buffer.judge(
      by: judge, encoder: encoder, onBadScore: settings.onBadScore, stage: context.stage)
    if !skipped.isEmpty {
      context.warn("\(skipped.count) prompts are left out of the normalisation of scores")
    }
    self.judge = judge
    normalisation = try RewardNormalisation(
      fitting: try ScoreShaping().rewards(of: buffer))
  }
}
