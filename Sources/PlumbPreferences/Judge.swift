public import PlumbTokenizers

/// A prompt with K responses to be compared, as text and as token ids.
public struct JudgeGroup: Hashable, Sendable {
  /// The conversation before the responses.
  public let prompt: [Message]
  /// Texts of the responses, without special tokens.
  public let responses: [String]
  /// Ids as a preference model reads them: responses end with end-of-text.
  public let tokens: PreferenceGroup
  /// Names the prompt in messages; empty where it has no name.
  public var id = ""
  /// The known answer to the prompt, where there is one.
  public var answer: String?

  /// Makes a group whose ids are known.
  public init(prompt: [Message], responses: [String], tokens: PreferenceGroup) {
    precondition(
      responses.count == tokens.responses.count,
      "JudgeGroup: expected ids of \(responses.count) responses, found \(tokens.responses.count)")
    self.prompt = prompt
    self.responses = responses
    self.tokens = tokens
  }

  /// Encodes texts with the template that policy and judge share.
  public init(prompt: [Message], responses: [String], encoder: ConversationEncoder) {
    let scored = responses.map { encoder.scored(prompt: prompt, response: $0).response }
    self.init(
      prompt: prompt, responses: responses,
      tokens: PreferenceGroup(
        prompt: encoder.prompt(prompt).map(Int32.init),
        responses: scored.map { $0.map(Int32.init) }))
  }

  /// Takes sampled ids as they are, so that the judge sees what the policy was paid for.
  ///
  /// A response is cut at its first stop token. Where the policy ran into its limit and there is none,
  /// the end-of-turn token is added, so that every judged response is a whole turn.
  public init(
    prompt: [Message], promptTokens: [Int32], sampled: [[Int32]], encoder: ConversationEncoder
  ) {
    let ending = encoder.scoredEnd.map(Int32.init)
    let stops = encoder.stopTokens
    self.init(
      prompt: prompt,
      responses: sampled.map { encoder.decodeResponse($0.map(Int.init)) },
      tokens: PreferenceGroup(
        prompt: promptTokens,
        responses: sampled.map { ids in
          Array(ids.prefix { !stops.contains(Int($0)) }) + ending
        }))
  }
}

/// What turns a prompt and its responses into preferences.
///
/// Any optimiser takes any judge.
public protocol Judge: Sendable {
  /// Name of the judge, kept with what it judged.
  var name: String { get }

  /// Judges groups of responses, each on its own: an answer does not depend on the other groups.
  /// - Throws: an error that names the group where the judge fails.
  func judge(groups: [JudgeGroup]) throws -> [Judgement]

  /// Judges what can be judged: of a group that fails its error, of the others their judgements.
  func outcomes(of groups: [JudgeGroup]) -> [Result<Judgement, any Error>]
}

extension Judge {
  /// All groups at once; where that fails, each alone, to tell which of them fail.
  public func outcomes(of groups: [JudgeGroup]) -> [Result<Judgement, any Error>] {
    if let judgements = try? judge(groups: groups), judgements.count == groups.count {
      return judgements.map { .success($0) }
    }
    return groups.map { group in Result { try judge(group) } }
  }

  /// Judges the responses to one prompt.
  public func judge(_ group: JudgeGroup) throws -> Judgement {
    let judgements = try judge(groups: [group])
    guard let first = judgements.first else {
      throw PreferenceError.wrongCount(judge: name, expected: 1, found: 0)
    }
    return first
  }
}
