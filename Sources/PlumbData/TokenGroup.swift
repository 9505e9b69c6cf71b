/// One prompt with the responses that share it, as token ids.
public struct TokenGroup: Hashable, Sendable {
  /// The tokens that every response follows; may be empty, as for running text.
  public var prompt: [Int32]
  /// The responses; none is empty.
  public var responses: [[Int32]]
  /// Which tokens of each response a loss reads; nil means all.
  public var isTarget: [[Bool]]?
  /// The index of the row of the data set that this group came from.
  public var example: Int

  /// A group from its parts; traps on an empty response and on masks of other lengths.
  public init(
    prompt: [Int32], responses: [[Int32]], isTarget: [[Bool]]? = nil, example: Int
  ) {
    precondition(
      responses.allSatisfy { !$0.isEmpty }, "TokenGroup: expected responses with tokens, found none"
    )
    precondition(
      isTarget == nil || isTarget?.map(\.count) == responses.map(\.count),
      "TokenGroup: expected masks of lengths \(responses.map(\.count)), "
        + "found \(isTarget?.map(\.count) ?? [])")
    self.prompt = prompt
    self.responses = responses
    self.isTarget = isTarget
    self.example = example
  }

  /// The tokens that this group takes in a packed batch.
  public var tokenCount: Int { responses.reduce(prompt.count) { $0 + $1.count } }
}
