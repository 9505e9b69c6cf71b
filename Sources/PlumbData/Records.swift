public import PlumbTokenizers

/// A row of a data set that starts from a prompt.
public protocol PromptRecord: Codable, Hashable, Sendable {
  /// The turns before the answer.
  var prompt: [Message] { get }
}

extension PromptRecord {
  /// The text by which rows are split and compared: the first user turn, without outer spaces.
  ///
  /// Rows that share it never fall into different parts of a ``Split``.
  public var promptKey: String { PromptKey.of(prompt) }

  /// How often the user speaks before the answer.
  public var userTurnCount: Int { prompt.reduce(0) { $0 + ($1.role == "user" ? 1 : 0) } }
}

/// Two answers to one prompt and which of them was preferred.
public struct PreferencePair: PromptRecord {
  /// Unique in its source.
  public var id: String
  /// The data set it comes from.
  public var source: String
  /// The turns before the answers.
  public var prompt: [Message]
  /// The preferred answer.
  public var chosen: String
  /// The other answer.
  public var rejected: String
  /// By how much the chosen one is better, in the units of the source (votes, score points).
  public var margin: Double?
  /// Who chose: the annotator or the group of annotators, where the row says so.
  public var group: String?
  /// How sure it is that the chosen one is better, 0...1, where people disagreed; nil means sure.
  public var probability: Double?

  /// A pair from its parts.
  public init(
    id: String, source: String, prompt: [Message], chosen: String, rejected: String,
    margin: Double? = nil, group: String? = nil, probability: Double? = nil
  ) {
    self.id = id
    self.source = source
    self.prompt = prompt
    self.chosen = chosen
    self.rejected = rejected
    self.margin = margin
    self.group = group
    self.probability = probability
  }
}

/// A conversation whose last turn is an answer to learn from.
public struct Demonstration: PromptRecord {
  /// Unique in its source.
  public var id: String
  /// The data set it comes from.
  public var source: String
  /// The turns; the last is the assistant's.
  public var messages: [Message]

  /// A demonstration from its parts.
  public init(id: String, source: String, messages: [Message]) {
    self.id = id
    self.source = source
    self.messages = messages
  }

  /// The turns before the last.
  public var prompt: [Message] { Array(messages.dropLast()) }
  /// The content of the last turn.
  public var response: String { messages.last?.content ?? "" }
}

/// One answer with a verdict, as KTO reads it.
public struct UnpairedRow: PromptRecord {
  /// Unique in its source.
  public var id: String
  /// The data set it comes from.
  public var source: String
  /// The turns before the answer.
  public var prompt: [Message]
  /// The answer.
  public var response: String
  /// True if the answer is a good one.
  public var label: Bool

  /// A row from its parts.
  public init(id: String, source: String, prompt: [Message], response: String, label: Bool) {
    self.id = id
    self.source = source
    self.prompt = prompt
    self.response = response
    self.label = label
  }
}

/// A prompt without an answer.
public struct PromptRow: PromptRecord {
  /// Unique in its source.
  public var id: String
  /// The data set it comes from.
  public var source: String
  /// The turns; the answer is to come.
  public var prompt: [Message]
  /// The known answer, where the row has one: a rule can hold responses against it.
  public var answer: String?

  /// A row from its parts.
  public init(id: String, source: String, prompt: [Message], answer: String? = nil) {
    self.id = id
    self.source = source
    self.prompt = prompt
    self.answer = answer
  }
}

/// Text to learn a language from: running text, or a conversation.
public struct TextRow: PromptRecord {
  /// What the row holds.
  public enum Content: Codable, Hashable, Sendable {
    /// Running text.
    case text(String)
    /// Turns, to be rendered by a chat template.
    case messages([Message])
  }

  /// Unique in its source.
  public var id: String
  /// The data set it comes from.
  public var source: String
  /// The text or the turns.
  public var content: Content

  /// A row from its parts.
  public init(id: String, source: String, content: Content) {
    self.id = id
    self.source = source
    self.content = content
  }

  /// The turns before the last, or the running text as one user turn.
  public var prompt: [Message] {
    switch content {
    case .text(let text): [Message(role: "user", content: text)]
    case .messages(let messages): messages.count > 1 ? Array(messages.dropLast()) : messages
    }
  }

  /// All text of the row; turns are joined by an empty line.
  public var text: String {
    switch content {
    case .text(let text): text
    case .messages(let messages): messages.map(\.content).joined(separator: "\n\n")
    }
  }
}
