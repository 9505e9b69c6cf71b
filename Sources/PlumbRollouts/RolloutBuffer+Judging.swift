public import PlumbPreferences
public import PlumbTokenizers

/// A group that a judge passed over.
public struct SkippedGroup: Hashable, Sendable {
  /// Id of the group.
  public let id: String
  /// What the judge said.
  public let reason: String
}

extension RolloutBuffer {
  /// Asks a judge about every group and stores scores and preference tables.
  ///
  /// The judge sees the sampled ids, cut at the first stop token and ended as in its training.
  /// - Parameters:
  ///   - judge: any judge.
  ///   - encoder: tokenizer and template of the policy.
  /// - Returns: the groups that the judge passed over (see ``SkippingJudge``); they are no longer in the
  ///   buffer, which may be empty then.
  /// - Throws: what the judge throws, or `RolloutError` if a score or table is not finite.
  @discardableResult
  public mutating func judge(
    by judge: any Judge, encoder: ConversationEncoder
  ) throws -> [SkippedGroup] {
    let judgements = try judge.judge(groups: judgeGroups(encoder: encoder))
    guard judgements.count == groups.count else {
      throw PreferenceError.wrongCount(
        judge: judge.name, expected: groups.count, found: judgements.count)
    }
    var skipped: [SkippedGroup] = []
    var judged: [RolloutGroup] = []
    for (var group, judgement) in zip(groups, judgements) {
      if let reason = judgement.skipReason {
        skipped.append(SkippedGroup(id: group.id, reason: reason))
        continue
      }
      let count = group.responses.count
      guard (judgement.scores?.count ?? count) == count else {
        throw PreferenceError.wrongCount(
          judge: judge.name, expected: count, found: judgement.scores?.count ?? 0)
      }
      for number in 0..<count {
        group.responses[number].score = judgement.scores.map { Float($0[number]) }
      }
      group.preferenceLogits = judgement.preferenceLogits
      group.judge = judgement.source
      judged.append(group)
    }
    groups = judged
    try validate()
    return skipped
  }

  /// The groups as a judge reads them.
  public func judgeGroups(encoder: ConversationEncoder) -> [JudgeGroup] {
    groups.map { group in
      var read = JudgeGroup(
        prompt: group.prompt, promptTokens: group.promptTokens,
        sampled: group.responses.map(\.tokens), encoder: encoder)
      read.id = group.id
      read.answer = group.answer
      return read
    }
  }

  /// Refuses a buffer with a response that has no score, for optimisers that need one number each.
  ///
  /// - Throws: `PreferenceError.scoresNeeded` where a judge gave preferences alone, which says how it
  ///   gives scores; `RolloutError.missing` naming the response where it was not judged.
  public func requireScores() throws {
    for (index, group) in groups.enumerated() {
      guard let empty = group.responses.firstIndex(where: { $0.score == nil }) else { continue }
      if group.preferenceLogits != nil, group.responses.allSatisfy({ $0.score == nil }) {
        throw PreferenceError.scoresNeeded(judge: group.judge ?? "none", row: index)
      }
      throw RolloutError.missing(
        group: index, response: empty, field: "score",
        remedy: "judge the buffer with a judge that gives scores")
    }
  }
}
