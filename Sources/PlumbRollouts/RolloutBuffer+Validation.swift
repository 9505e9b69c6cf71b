extension RolloutBuffer {
  /// Checks that the buffer can be learnt from.
  ///
  /// Every response has a token; arrays that are filled have one finite number per token; scores are
  /// finite; tables are K x K, finite and antisymmetric.
  /// - Throws: `RolloutError` naming group, response and field.
  public func validate() throws(RolloutError) {
    for (index, group) in groups.enumerated() {
      if group.promptTokens.isEmpty { throw .emptyPrompt(row: index) }
      for (number, response) in group.responses.enumerated() {
        try Self.validate(response, group: index, number: number)
      }
      if let table = group.preferenceLogits {
        try Self.validate(table, count: group.responses.count, group: index)
      }
    }
  }

  /// Refuses responses that are not samples of the distribution whose log-probs are recorded.
  ///
  /// A policy that learnt from them as if they were its own would do so off-policy, and nothing would
  /// tell. Buffers that do not say how their tokens were drawn pass.
  /// - Throws: `RolloutError.invalidOption` naming the filter, or the temperature of greedy decoding.
  public func requireUnfiltered() throws(RolloutError) {
    guard let filter = provenance.sampling?.filter else { return }
    throw .invalidOption(
      name: filter.name,
      expected: "\(filter.neutral) in responses that a policy learns from as its own samples",
      found: filter.value)
  }

  /// Refuses a padding id that is also the token a policy must learn to end its turn with.
  ///
  /// Plumb pads nothing, but other programs read the padding id from what it writes; where both are one
  /// id, they mask the end away and their policies never learn to stop.
  /// - Throws: `RolloutError.padIsEnd`.
  public static func requirePadApart(
    padTokenID: Int?, endOfTurn: Int?
  ) throws(RolloutError) {
    if let padTokenID, padTokenID == endOfTurn { throw .padIsEnd(id: padTokenID) }
  }

  private static func validate(
    _ response: Rollout, group: Int, number: Int
  ) throws(RolloutError) {
    let count = response.tokens.count
    guard count > 0 else { throw .emptyResponse(group: group, response: number) }
    for field in RolloutField.allCases {
      let values = response[keyPath: field.path]
      guard values.isEmpty || values.count == count else {
        throw .wrongLength(
          group: group, response: number, field: field.rawValue, expected: count,
          found: values.count)
      }
      guard values.allSatisfy(\.isFinite) else {
        throw .notFinite(group: group, response: number, what: field.rawValue)
      }
    }
    guard response.score?.isFinite ?? true else {
      throw .notFinite(group: group, response: number, what: "score")
    }
  }

  private static func validate(
    _ table: [[Double]], count: Int, group: Int
  ) throws(RolloutError) {
    guard table.count == count, table.allSatisfy({ $0.count == count }) else {
      throw .wrongTable(
        group: group,
        reason: "has rows of \(table.map(\.count)) entries; expected \(count) rows of \(count)")
    }
    for i in 0..<count {
      for j in 0...i {
        guard table[i][j].isFinite else {
          throw .wrongTable(group: group, reason: "holds \(table[i][j]) at (\(i), \(j))")
        }
        guard table[i][j] == -table[j][i] else {
          throw .wrongTable(
            group: group,
            reason: """
              holds \(table[i][j]) at (\(i), \(j)) and \(table[j][i]) at (\(j), \(i)); \
              expected opposite numbers
              """)
        }
      }
    }
  }
}
