import Foundation
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
}

/// The shift and scale of a stage's scores, found once, before its first round.
///
/// Belongs to every checkpoint: a stage that is resumed does not ask its judge again.
struct NormalisationFit: Codable, Equatable {
  /// Gain and bias.
  let normalisation: RewardNormalisation
  /// Responses that the judge was asked about.
  let responses: Int

  /// Responses that the fit takes, or the nearest number that is whole groups.
  static let sampleSize = 128
  private static let fileName = "score-normalisation.json"

  /// Fits to samples of the reference for the first prompts.
  ///
  /// One sample for each of 128 prompts; where the judge compares the responses to a prompt, as many as
  /// a round has, two or more, for as many fewer prompts.
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
    let count = settings.needsOpponents ? max(2, settings.responsesPerPrompt) : 1
    let prompts = settings.prompts.prefix(max(1, Self.sampleSize / count))
    var buffer = try RolloutBuffer.sample(
      policy: reference, prompts: Array(prompts), encoder: encoder, count: count,
      options: settings.sampling.options(seed: context.seed), step: 0)
    responses = buffer.responseCount
    let skipped = try buffer.judge(
      by: judge, encoder: encoder, onBadScore: settings.onBadScore, stage: context.stage)
    if !skipped.isEmpty {
      context.warn("\(skipped.count) prompts are left out of the normalisation of scores")
    }
    normalisation = try RewardNormalisation(
      fitting: try ScoreShaping().rewards(of: buffer))
  }

  /// Writes it into the folder of a checkpoint.
  func save(to folder: URL) throws {
    try RunFiles.write(json: self, to: folder.appending(path: Self.fileName))
  }

  /// What a checkpoint holds; nil where scores are not normalised.
  static func load(from folder: URL) throws -> NormalisationFit? {
    try RunFiles.read(json: Self.self, from: folder.appending(path: fileName))
  }
}
