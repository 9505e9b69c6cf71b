/// Several judges with scores as one: their mean, or the lowest.
public struct CombinedJudge: Judge {
  /// How the scores of one response become one.
  public enum Rule: String, Codable, Hashable, Sendable, CaseIterable {
    /// Their mean: "Averaging" of reward models (MORE, arXiv 2312.07401, table 2).
    case mean
    /// The lowest of the response: MaxMin-RLHF's egalitarian reward (arXiv 2402.08925) as its code
    /// has it, *per sample*. That is stricter than the minimum over clusters of the expected reward,
    /// of which the paper speaks.
    ///
    /// Only scores of one scale and origin can be compared: normalise the reward models.
    case minimum
  }

  /// Name of the judge.
  public let name: String
  /// The judges, at least one.
  public let judges: [any Judge]
  /// How their scores become one.
  public let rule: Rule

  /// Makes one judge of several.
  public init(_ judges: [any Judge], rule: Rule, name: String) {
    precondition(!judges.isEmpty, "CombinedJudge: expected at least one judge, found none")
    self.judges = judges
    self.rule = rule
    self.name = name
  }

  /// Every judge scores every response; the log-odds are differences of the combined scores.
  /// - Throws: what a judge throws, `PreferenceError.wrongCount` where one answers on another number of
  ///   groups or responses, or `.scoresNeeded` where one has only preferences.
  public func judge(groups: [JudgeGroup]) throws -> [Judgement] {
    var scores = groups.map { group in group.responses.map { _ in [Double]() } }
    for judge in judges {
      let judgements = try judge.judge(groups: groups)
      guard judgements.count == groups.count else {
        throw PreferenceError.wrongCount(
          judge: judge.name, expected: groups.count, found: judgements.count)
      }
      for (index, judgement) in judgements.enumerated() {
        guard let found = judgement.scores else {
          throw PreferenceError.scoresNeeded(judge: judge.name, row: index)
        }
        guard found.count == scores[index].count else {
          throw PreferenceError.wrongCount(
            judge: judge.name, expected: scores[index].count, found: found.count)
        }
        for (place, score) in found.enumerated() { scores[index][place].append(score) }
      }
    }
    return scores.map { group in
      Judgement(scores: group.map(combined), source: name)
    }
  }

  private func combined(_ scores: [Double]) -> Double {
    switch rule {
    case .mean: scores.reduce(0, +) / Double(max(1, scores.count))
    case .minimum: scores.min() ?? 0
    }
  }
}
