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

  /// Whether every member gives a score to a single response.
  public var hasScores: Bool {
    members.allSatisfy {
      guard case .reward = $0 else { return false }
      return true
    }
  }

  /// One score per response of each group, by the rule, normalised where a model is.
  ///
  /// - Returns: [groups][responses].
  /// - Throws: `PreferenceError` naming the row at fault; `.scoresNeeded` for a member that has
  ///   preferences only.
  public func scores(
    groups: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [[Double]] {
    var scores: [[[Float]]] = []
    for model in try rewards() {
      scores.append(try model.scores(groups: groups, tokenBudget: tokenBudget))
    }
    return groups.indices.map { row in
      groups[row].responses.indices.map { response in
        combined(scores.map { Double($0[row][response]) })
      }
    }
  }

  /// Log-odds that each response is preferred to each, with which ``logOdds(pairs:tokenBudget:)`` agrees.
  ///
  /// - Returns: [groups][K][K].
  /// - Throws: as `logOdds` does.
  public func preferenceLogits(
    groups: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws -> [[[Double]]] {
    if members.count > 1, hasScores {
      return try scores(groups: groups, tokenBudget: tokenBudget).map { scores in
        scores.map { own in scores.map { own - $0 } }
      }
    }
    guard rule == .mean || members.count == 1 else {
      throw PreferenceError.scoresNeeded(judge: "ensemble", row: 0)
    }
    var tables: [[[[Double]]]] = []
    for member in members {
      tables.append(try member.preferenceLogits(groups: groups, tokenBudget: tokenBudget))
    }
    return groups.indices.map { row in
      let places = groups[row].responses.indices
      return places.map { i in
        places.map { j in tables.reduce(0) { $0 + $1[row][i][j] } / Double(tables.count) }
      }
    }
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
    guard hasScores else {
      guard rule == .mean else { throw .scoresNeeded(judge: "ensemble", row: 0) }
      var sums = [Double](repeating: 0, count: pairs.count)
      for member in members {
        let found = try member.logOdds(pairs: pairs, tokenBudget: tokenBudget)
        for (row, value) in found.enumerated() { sums[row] += value }
      }
      return sums.map { $0 / Double(members.count) }
    }
    return try scores(groups: pairs, tokenBudget: tokenBudget).map { $0[0] - $0[1] }
  }

  /// One raw score per response of each group, by the member whose people's group it is.
  ///
  /// - Parameters:
  ///   - places: for each group the place of its member; nil takes the mean over all members.
  ///   - tokenBudget: tokens computed at once.
  /// - Returns: [groups][responses]; not normalised, so that differences are the log-odds that the
  ///   member itself gives.
  /// - Throws: as ``scores(groups:tokenBudget:)``.
  public func scores(
    groups: [PreferenceGroup], by places: [Int?], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [[Double]] {
    precondition(
      places.count == groups.count,
      "PreferenceEnsemble: expected members of \(groups.count) groups, found \(places.count)")
    var scores = groups.map { [Double](repeating: 0, count: $0.responses.count) }
    for (place, model) in try rewards().enumerated() {
      let rows = groups.indices.filter { places[$0] == nil || places[$0] == place }
      guard !rows.isEmpty else { continue }
      let found: [[Float]]
      do {
        found = try model.rawScores(groups: rows.map { groups[$0] }, tokenBudget: tokenBudget)
      } catch {
        throw error.movedTo(rows)
      }
      for (row, values) in zip(rows, found) {
        let share = places[row] == nil ? 1 / Double(members.count) : 1
        for (response, value) in values.enumerated() {
          scores[row][response] += share * Double(value)
        }
      }
    }
    return scores
  }

  /// The members, all of which must be reward models.
  private func rewards() throws(PreferenceError) -> [RewardModel] {
    var models: [RewardModel] = []
    for member in members {
      guard case .reward(let model) = member else {
        throw .scoresNeeded(judge: "ensemble", row: 0)
      }
      models.append(model)
    }
    return models
  }

  private func combined(_ values: [Double]) -> Double {
    rule.combine(values, weights: values.map { _ in 1 })
  }
}
