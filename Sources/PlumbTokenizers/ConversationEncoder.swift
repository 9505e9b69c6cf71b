/// Turns conversations into token ids and a model's answers back into text.
///
/// Prompt and response are encoded separately and concatenated, so that no token spans both.
/// Markers go in by id; what people wrote is never parsed into special tokens, whatever it looks
/// like. (Added tokens that are not special, such as Qwen's `<tool_call>`, are words of the
/// vocabulary and are found in any text.)
public struct ConversationEncoder: Sendable {
  /// The tokenizer.
  public let tokenizer: Tokenizer
  /// The layout of conversations.
  public let template: ChatTemplate
  /// The id of `<|endoftext|>`, or of what stands in for it.
  public let endOfText: Int
  /// What a reward model reads behind a response.
  public var scoredEnding: ScoredEnding
  /// Tokens at which a response is over.
  public let stopTokens: Set<Int>

  /// The tokenizer as user text meets it: no marker is ever found.
  private let reader: Tokenizer
  private let markers: [Int]
  let newline: [Int]
  private let assistant: [Int]

  /// Creates an encoder.
  ///
  /// - Parameters:
  ///   - tokenizer: its vocabulary must hold the template's markers and the end of text.
  ///   - template: the layout of conversations.
  ///   - endOfText: the token that ends a text.
  ///   - scoredEnding: what a reward model reads behind a response.
  /// - Throws: `TokenizerError.missingToken`, also where ordinary text can spell a marker.
  public init(
    tokenizer: Tokenizer, template: ChatTemplate, endOfText: String = Self.endOfTextToken,
    scoredEnding: ScoredEnding = .endOfText
  ) throws {
    let names = template.markers + [endOfText]
    let ids = try names.map { name throws(TokenizerError) in
      guard let id = tokenizer.id(of: name) else {
        throw .missingToken(
          path: tokenizer.path, token: name,
          reason: name == endOfText
            ? "which ends a text" : "which the template \(template.rawValue) needs")
      }
      if tokenizer.model.canEmit(id) || Set(names).count < names.count {
        throw .missingToken(
          path: tokenizer.path, token: name, reason: "that no other text or marker stands for")
      }
      return id
    }
    self.tokenizer = tokenizer
    reader = tokenizer.protecting(Set(ids))
    self.template = template
    self.scoredEnding = scoredEnding
    markers = ids.dropLast()
    self.endOfText = ids[ids.count - 1]
    stopTokens = Set(ids.dropFirst(ids.count > 1 ? 1 : 0))
    newline = reader.encode("\n", parsingSpecialTokens: false)
    assistant = reader.encode("assistant\n", parsingSpecialTokens: false)
  }

  /// The token that ends a text for GPT-2, Qwen2 and SmolLM2, and in trained vocabularies.
  public static let endOfTextToken = "<|endoftext|>"

  /// The ids of a conversation up to where the assistant's answer begins.
  public func prompt(_ messages: [Message]) -> [Int] {
    switch template {
    case .chatML:
      messages.flatMap { turn("\($0.role)\n\($0.content)") + newline } + [markers[0]] + assistant
    case .plain:
      tokenizer.prefixIDs + text(messages.map(\.content).joined(separator: "\n\n") + "\n\n")
    }
  }

  /// The ids of an answer, with the token that ends the turn: what a policy must learn to emit.
  public func response(_ text: String) -> [Int] {
    self.text(text) + [template == .chatML ? markers[1] : endOfText]
  }

  /// Prompt and answer as reward models read them: the answer with ``scoredEnd`` behind it.
  public func scored(
    prompt: [Message], response: String
  ) -> (prompt: [Int], response: [Int]) {
    (self.prompt(prompt), text(response) + scoredEnd)
  }

  /// The text of an answer, up to its first stop token.
  ///
  /// Other special tokens that a model emitted stay visible.
  public func decodeResponse(_ ids: [Int]) -> String {
    tokenizer.decode(Array(ids.prefix { !stopTokens.contains($0) }))
  }

  /// The ids that begin and end a turn; traps for a template without turns.
  var turnStart: Int { markers[0] }
  var turnEnd: [Int] { [markers[1]] }

  private func text(_ text: String) -> [Int] {
    reader.encode(text, parsingSpecialTokens: false)
  }

  private func turn(_ text: String) -> [Int] {
    [markers[0]] + self.text(text) + [markers[1]]
  }
}
