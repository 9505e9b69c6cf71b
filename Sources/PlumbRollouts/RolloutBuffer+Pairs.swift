public import PlumbData
public import PlumbTokenizers

extension RolloutBuffer {
  /// Makes an off-policy buffer from preference pairs: K = 2, chosen first.
  ///
  /// - Parameters:
  ///   - pairs: from a data set.
  ///   - encoder: tokenizer and template of the policy.
  ///   - origin: name of the data set.
  ///   - maximumTokens: pairs whose prompt and longer response exceed this are left out.
  /// - Returns: the buffer, and how many pairs were left out as too long or with an empty response.
  public static func pairs(
    _ pairs: [PreferencePair], encoder: ConversationEncoder, origin: String,
    maximumTokens: Int = .max
  ) -> (buffer: RolloutBuffer, dropped: Int) {
    var groups: [RolloutGroup] = []
    groups.reserveCapacity(pairs.count)
    for pair in pairs {
      let prompt = encoder.prompt(pair.prompt).map(Int32.init)
      let responses = [pair.chosen, pair.rejected].map { text in
        Rollout(
          tokens: encoder.response(text).map(Int32.init), text: text, finishReason: .stop)
      }
      let longest = responses.map(\.tokens.count).max() ?? 0
      guard !prompt.isEmpty, prompt.count + longest <= maximumTokens,
        responses.allSatisfy({ !$0.tokens.isEmpty })
      else { continue }
      groups.append(
        RolloutGroup(
          id: pair.id, prompt: pair.prompt, promptTokens: prompt, responses: responses))
    }
    return (
      RolloutBuffer(
        groups: groups, provenance: Provenance(source: .preferencePairs, origin: origin)),
      pairs.count - groups.count
    )
  }
}
