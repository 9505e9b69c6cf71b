/// Several preference models that answer as one, by the rule of a `CombinedJudge`.
public struct PreferenceEnsemble: Sendable {
  /// The models, at least one; all read the ids of one tokenizer.
  public let members: [PreferenceModel]
  /// How their answers become one.
  public let rule: CombinedJudge.Rule

  /// Makes one model of several.
  /// - Parameters:
  ///   - members: at least one.
  ///   - rule: how their answers become one; a single member answers as it does alone.
  public init(_ members: [PreferenceModel], rule: CombinedJudge.Rule) {
    precondition(!members.isEmpty, "PreferenceEnsemble: expected at least one model, found none")
    self.members = members
    self.rule = rule
  }

  /// The longest sequence that any member makes of a group, in tokens.
  public func longestSequence(of group: PreferenceGroup) -> Int {
    members.map { $0.longestSequence(of: group) }.max() ?? 0
  }

  /// Log-odds that the first response of each group is preferred to the second.
  ///
  /// Reward models have their scores combined, normalised where a model is: the log-odds are the
  /// difference of the means, or of the lowest scores. Members of other kinds give the mean of their
  /// log-odds.
  /// - Throws: `PreferenceError` naming the row at fault; `.scoresNeeded` where the lowest score is
  ///   wanted of a model that has preferences only.
  public func logOdds(
    pairs: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [Double] {
    if members.count == 1 {
      return try members[0].logOdds(pairs: pairs, tokenBudget: tokenBudget)
    }
    let rewards = members.compactMap { member -> RewardModel? in
      guard case .reward(let model) = member else { return nil }
      return model
    }
    guard rewards.count == members.count else {
      guard rule == .mean else { throw .scoresNeeded(judge: "ensemble", row: 0) }
      var sums = [Double](repeating: 0, count: pairs.count)
      for member in members {
        let found = try member.logOdds(pairs: pairs, tokenBudget: tokenBudget)
        for (row, value) in found.enumerated() { sums[row] += value }
      }
      return sums.map { $0 / Double(members.count) }
    }
    var scores: [[[Float]]] = []
    for model in rewards {
      scores.append(try model.scores(groups: pairs, tokenBudget: tokenBudget))
    }
    return pairs.indices.map { row in
      let sides = (0..<2).map { side in combined(scores.map { Double($0[row][side]) }) }
      return sides[0] - sides[1]
    }
  }

  private func combined(_ values: [Double]) -> Double {
    rule.combine(values, weights: values.map { _ in 1 })
  }
}
