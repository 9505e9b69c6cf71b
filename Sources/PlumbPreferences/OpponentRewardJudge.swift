/// Gives the responses that a judge compares one score each: the mean preference over the others.
///
/// So that PPO and its kin, which need a number per response, can be paid by a general preference
/// model or a pair model. The score of response i is its mean over the K - 1 *other* responses to the
/// prompt, itself not counted (its own comparison is 0 whatever it says, and would only scale all scores
/// by (K - 1)/K). It depends on what else was sampled; the policy gradient of it is that of the game
/// against the policy itself (arXiv 2410.02197, remark 5.2).
public struct OpponentRewardJudge: Judge {
  /// What is meant over the opponents.
  public enum Measure: String, Codable, Hashable, Sendable, CaseIterable {
    /// Log-odds: unbounded, GPO's ŝ without the response itself.
    case opponents
    /// Probabilities: from 0 to 1, SPPO's p̂ without the response itself.
    case winRate = "win-rate"
  }

  /// The judge that compares.
  public let base: any Judge
  /// What is meant over the opponents.
  public let measure: Measure
  /// Name of the judge that compares.
  public var name: String { base.name }

  /// Makes a judge with scores.
  public init(_ base: any Judge, measure: Measure = .opponents) {
    self.base = base
    self.measure = measure
  }

  /// The judge's tables with scores; any scores that it has itself are replaced.
  /// - Throws: what the judge throws, or `PreferenceError.opponentsNeeded` for a group of one.
  public func judge(groups: [JudgeGroup]) throws -> [Judgement] {
    try base.judge(groups: groups).enumerated().map { try scored($1, row: $0) }
  }

  /// As the judge's own, with scores.
  public func outcomes(of groups: [JudgeGroup]) -> [Result<Judgement, any Error>] {
    base.outcomes(of: groups).enumerated().map { row, outcome in
      outcome.flatMap { judgement in Result { try scored(judgement, row: row) } }
    }
  }

  private func scored(_ judgement: Judgement, row: Int) throws -> Judgement {
    if judgement.skipReason != nil { return judgement }
    guard judgement.preferenceLogits.count >= 2 else {
      throw PreferenceError.opponentsNeeded(
        judge: name, row: row, found: judgement.preferenceLogits.count)
    }
    let scores =
      switch measure {
      case .opponents: judgement.opponentMeans(includingSelf: false)
      case .winRate: judgement.winProbabilities(includingSelf: false)
      }
    return Judgement(
      preferenceLogits: judgement.preferenceLogits, scores: scores, source: judgement.source)
  }
}
