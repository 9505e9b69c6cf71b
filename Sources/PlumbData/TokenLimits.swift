/// How long prompts and responses may be, in tokens, and what happens to longer ones.
public struct TokenLimits: Codable, Hashable, Sendable {
  /// What happens to an example that is too long.
  public enum Policy: String, Codable, Hashable, Sendable, CaseIterable {
    /// It is left out and counted.
    case drop
    /// The prompt loses its beginning and the response its end, and both are counted.
    case cut
  }

  /// Prompt and longest response together; the model's context or less.
  public var context: Int
  /// The prompt alone; bounded by `context` only if nil.
  public var prompt: Int?
  /// A response alone; bounded by `context` only if nil.
  public var response: Int?
  /// What happens to longer ones.
  public var policy: Policy

  /// Limits with a context of at least 2 tokens, and parts of at least 1; throws ``DataError``.
  public init(
    context: Int, prompt: Int? = nil, response: Int? = nil, policy: Policy = .cut
  ) throws {
    guard context >= 2, prompt ?? 1 >= 1, response ?? 1 >= 1 else {
      throw DataError(
        .invalidSetting, file: "token limits", "these limits leave no room",
        expected: "a context of 2 or more, parts of 1 or more",
        found: "context \(context), prompt \(prompt ?? context), response \(response ?? context)")
    }
    self.context = context
    self.prompt = prompt
    self.response = response
    self.policy = policy
  }

  /// What was done to fit.
  struct Outcome: Hashable {
    var prompt: [Int32]
    var responses: [[Int32]]
    var promptWasCut = false
    var responseWasCut = false
  }

  /// Fits one example, or gives nil where it must be dropped.
  ///
  /// Responses are cut first to their own limit, then the prompt to its own. If both together are
  /// still over the context, the prompt gives way until it takes half of it, then the responses.
  /// The last `kept` tokens of a response (its end marks) survive a cut.
  func fit(_ prompt: [Int32], _ responses: [[Int32]], keepingLast kept: Int) -> Outcome? {
    var outcome = Outcome(prompt: prompt, responses: responses)
    func limitResponses(_ limit: Int) {
      for index in outcome.responses.indices where outcome.responses[index].count > limit {
        outcome.responses[index] = Self.cut(outcome.responses[index], to: limit, keepingLast: kept)
        outcome.responseWasCut = true
      }
    }
    func limitPrompt(_ limit: Int) {
      guard outcome.prompt.count > limit else { return }
      outcome.prompt = Array(outcome.prompt.suffix(limit))
      outcome.promptWasCut = true
    }
    limitResponses(min(response ?? context, context - (prompt.isEmpty ? 0 : 1)))
    limitPrompt(self.prompt ?? context)
    let longest = outcome.responses.map(\.count).max() ?? 0
    if outcome.prompt.count + longest > context {
      limitPrompt(max(context / 2, context - longest))
      limitResponses(context - outcome.prompt.count)
    }
    if policy == .drop, outcome.promptWasCut || outcome.responseWasCut { return nil }
    return outcome
  }

  private static func cut(_ tokens: [Int32], to limit: Int, keepingLast kept: Int) -> [Int32] {
    let kept = min(kept, limit, tokens.count)
    return Array(tokens.prefix(limit - kept)) + tokens.suffix(kept)
  }
}
