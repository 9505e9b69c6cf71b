import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// A judge that trains nothing, held against the training judge on the same responses.
///
/// A policy that learns to exploit its judge raises that judge's score and not the other's (Gao et al.
/// 2022, arXiv 2210.10760, where a larger "gold" model plays the part of the held-out judge).
struct HeldOutJudge {
  let judge: any Judge
  /// The judge's models, whose contexts must hold prompts and responses.
  let readers: [DecoderConfiguration]
  let encoder: ConversationEncoder

  /// Makes one from any judge.
  init(judge: any Judge, readers: [DecoderConfiguration], encoder: ConversationEncoder) {
    self.judge = judge
    self.readers = readers
    self.encoder = encoder
  }

  /// Loads the judge of a recipe.
  ///
  /// - Parameter responses: to each prompt, K.
  /// - Throws: `RunError.wrongModel` for a judge of preferences where K is 1: with nothing to compare it
  ///   would look at every round and say nothing.
  init(
    _ choice: JudgeChoice, responses: Int, context: StageContext, encoder: ConversationEncoder
  ) throws {
    let found = try recipeJudge(choice, context: context, policy: encoder)
    guard responses >= 2 || found.givesScores != false else {
      throw RunError.wrongModel(
        stage: context.stage, model: choice.summary,
        expected: ScoreNeed.heldOut.rawValue,
        found: "one that gives preferences only, and one response to a prompt")
    }
    self.init(judge: found.judge, readers: found.readers, encoder: encoder)
  }

  /// Judges a round and compares.
  ///
  /// - Parameters:
  ///   - buffer: as the training judge left it; judged anew in a copy.
  ///   - isBaseline: whether the round belongs to the start.
  ///   - state: gets the scores of the rounds of the start.
  /// - Returns: what the monitors `divergence` and `agreement` look at, and the metrics.
  func compare(
    _ buffer: RolloutBuffer, isBaseline: Bool, state: inout WatchState
  ) throws -> (values: [String: Double], metrics: [String: Double]) {
    var copy = buffer
    try copy.judge(by: judge, encoder: encoder)
    var values: [String: Double] = [:]
    var metrics = ["held_out/responses": Double(buffer.responseCount)]
    if copy.hasScores {
      let own = scores(copy)
      metrics["held_out/score"] = own.reduce(0, +) / Double(max(1, own.count))
      // A preference table has no level that could rise, so both sides need scores.
      if buffer.hasScores {
        let training = scores(buffer)
        if isBaseline {
          state.training.add(training)
          state.heldOut.add(own)
        }
        values["divergence"] = rise(training, state.training) - rise(own, state.heldOut)
        if let gap = values["divergence"], gap.isFinite { metrics["held_out/divergence"] = gap }
      }
    }
    if let training = buffer.verdicts, let own = copy.verdicts,
      let agreement = Correlation.coefficient(.spearman, centred(training), centred(own))
    {
      values["agreement"] = agreement
      metrics["held_out/agreement"] = agreement
    }
    return (values, metrics)
  }

  private func scores(_ buffer: RolloutBuffer) -> [Double] {
    buffer.groups.flatMap { $0.responses.compactMap { $0.score.map { Double($0) } } }
  }

  /// How far a mean has risen since the start, in standard deviations of the start.
  ///
  /// A start without spread, as of a rule that no first response keeps to, has none: then in those of start
  /// and round together, which grow with the rise itself.
  private func rise(_ values: [Double], _ start: WatchState.Baseline) -> Double {
    var spread = start
    if spread.isFlat { spread.add(values) }
    guard !spread.isFlat else { return 0 }
    let mean = values.reduce(0, +) / Double(max(1, values.count))
    return (mean - start.mean) / spread.deviation
  }
}
