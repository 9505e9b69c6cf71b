/// What stands behind a response where a reward model reads it.
public enum ScoredEnding: String, Codable, Hashable, Sendable, CaseIterable {
  /// The end of the turn and `<|endoftext|>`, as WorldPM reads a response; Plumb trains so.
  case endOfText = "end-of-text"
  /// The end of the turn as the template renders it, with ChatML's newline behind it: what TRL's
  /// reward trainer sees of a conversation. Without turns (template `plain`) it is `<|endoftext|>`,
  /// which TRL appends to texts.
  case turn
}

extension ConversationEncoder {
  /// The ids behind the text of a response that a reward model reads.
  public var scoredEnd: [Int] {
    switch (template, scoredEnding) {
    case (.plain, _): [endOfText]
    case (.chatML, .endOfText): turnEnd + [endOfText]
    case (.chatML, .turn): turnEnd + newline
    }
  }

  /// A token that may pad sequences which end with the end of text.
  ///
  /// transformers' sequence classifiers read at the last token that is not the padding token, so the
  /// token that they shall read at must not be it.
  public var paddingBesidesEnd: Int { template == .chatML ? turnStart : endOfText == 0 ? 1 : 0 }
}
