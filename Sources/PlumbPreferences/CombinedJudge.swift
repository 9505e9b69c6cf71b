/// Several judges as one: their mean, or the lowest score.
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

    /// One number of several.
    ///
    /// - Parameter weights: of the mean, one per value; the minimum reads none.
    func combine(_ values: [Double], weights: [Double]) -> Double {
      switch self {
      case .mean: zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
      case .minimum: values.min() ?? 0
      }
    }
  }

  /// Name of the judge.
  public let name: String
  /// The judges, at least one.
  public let judges: [any Judge]
  /// How their scores become one.
  public let rule: Rule
  /// The weights of the mean, one per judge.
  public let weights: [Double]

  /// Makes one judge of several.
  /// - Parameters:
  ///   - judges: at least one.
  ///   - rule: how their scores become one.
  ///   - weights: one above 0 per judge for a weighted mean, of any sum; nil for equal ones.
  ///   - name: for provenance.
  public init(_ judges: [any Judge], rule: Rule, weights: [Double]? = nil, name: String) {
    precondition(!judges.isEmpty, "CombinedJudge: expected at least one judge, found none")
    let weights = weights ?? judges.map { _ in 1 }
    precondition(
      weights.count == judges.count && weights.allSatisfy { $0 > 0 && $0.isFinite },
      "CombinedJudge: expected \(judges.count) weights above 0, found \(weights)")
    self.judges = judges
    self.rule = rule
    self.weights = weights
    self.name = name
  }

  /// Every judge judges every group.
  ///
  /// Where all have scores, scores are combined, and the log-odds are differences of the combined
  /// scores. Where one has only preferences, a mean is that of the tables, without scores.
  /// - Throws: what a judge throws, `PreferenceError.wrongCount` where one answers on another number of
  ///   groups or responses, or `.scoresNeeded` where the lowest is wanted of one that has only preferences.
  public func judge(groups: [JudgeGroup]) throws -> [Judgement] {
    let answers = try judges.map { judge in
      let judgements = try judge.judge(groups: groups)
      guard judgements.count == groups.count else {
        throw PreferenceError.wrongCount(
          judge: judge.name, expected: groups.count, found: judgements.count)
      }
      for (group, judgement) in zip(groups, judgements) {
        let found = judgement.scores?.count ?? judgement.preferenceLogits.count
        guard found == group.responses.count else {
          throw PreferenceError.wrongCount(
            judge: judge.name, expected: group.responses.count, found: found)
        }
      }
      return judgements
    }
    return try groups.indices.map { index in try combined(answers.map { $0[index] }, row: index) }
  }

  private func combined(_ judgements: [Judgement], row: Int) throws -> Judgement {
    let scores = judgements.compactMap(\.scores)
    if scores.count == judgements.count {
      return Judgement(
        scores: scores[0].indices.map { response in combined(scores.map { $0[response] }) },
        source: name)
    }
    guard rule == .mean else {
      let place = judgements.firstIndex { $0.scores == nil } ?? 0
      throw PreferenceError.scoresNeeded(judge: judges[place].name, row: row)
    }
    let tables = judgements.map(\.preferenceLogits)
    return Judgement(
      preferenceLogits: tables[0].indices.map { i in
        tables[0].indices.map { j in combined(tables.map { $0[i][j] }) }
      }, source: name)
  }

  private func combined(_ values: [Double]) -> Double { rule.combine(values, weights: weights) }
}
