public import PlumbPreferences
public import PlumbTokenizers

extension RolloutBuffer {
  /// Asks a judge about every group and stores scores and preference tables.
  ///
  /// The judge sees the sampled ids, cut at the first stop token and ended as in its training.
  /// - Parameters:
  ///   - judge: any judge.
  ///   - encoder: tokenizer and template of the policy.
  /// - Throws: what the judge throws, or `RolloutError` if a score or table is not finite.
  public mutating func judge(by judge: any Judge, encoder: ConversationEncoder) throws {
    let judgements = try judge.judge(groups: judgeGroups(encoder: encoder))
    guard judgements.count == groups.count else {
      throw PreferenceError.wrongCount(
        judge: judge.name, expected: groups.count, found: judgements.count)
    }
    for (index, judgement) in judgements.enumerated() {
      let count = groups[index].responses.count
      guard (judgement.scores?.count ?? count) == count else {
        throw PreferenceError.wrongCount(
          judge: judge.name, expected: count, found: judgement.scores?.count ?? 0)
      }
      for number in 0..<count {
        groups[index].responses[number].score = judgement.scores.map { Float($0[number]) }
      }
      groups[index].preferenceLogits = judgement.preferenceLogits
      groups[index].judge = judgement.source
    }
    try validate()
  }

  /// The groups as a judge reads them.
  public func judgeGroups(encoder: ConversationEncoder) -> [JudgeGroup] {
    groups.map { group in
      JudgeGroup(
        prompt: group.prompt, promptTokens: group.promptTokens,
        sampled: group.responses.map(\.tokens), encoder: encoder)
    }
  }
}
