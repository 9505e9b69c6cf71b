import PlumbCheckpoints
import PlumbTokenizers

/// The fields of one row, read with errors that name file, line and key.
struct RowFields {
  let json: JSONValue
  let file: String
  let line: Int
  /// The `source` of the row, or the name of the file.
  let source: String
  /// The `id` of the row, or the source and the line.
  let id: String

  /// The keys under which a prompt may stand.
  static let promptKeys = ["prompt", "instruction", "question", "query"]

  init(json: JSONValue, file: String, line: Int, source: String) {
    self.json = json
    self.file = file
    self.line = line
    self.source = json["source"]?.string ?? source
    id = json["id"]?.string ?? json["id"]?.integer.map(String.init) ?? "\(self.source)-\(line)"
  }

  subscript(_ key: String) -> JSONValue? { json[key] }

  func has(_ key: String) -> Bool { json[key] != nil }

  /// By how much the chosen answer is better, if the row says so.
  var margin: Double? {
    if let margin = json["margin"]?.number { return margin }
    for (chosen, rejected) in [
      ("score_chosen", "score_rejected"), ("chosen_score", "rejected_score"),
    ] {
      if let high = json[chosen]?.number, let low = json[rejected]?.number { return high - low }
    }
    return nil
  }

  /// A text or a whole number as a name; nil where there is none, or an empty one.
  func name(under key: String) -> String? {
    let name = json[key]?.string ?? json[key]?.integer.map(String.init)
    return name.flatMap { trimmed($0).isEmpty ? nil : $0 }
  }

  /// How sure it is that the chosen answer is better, if the row says so.
  func probability() throws -> Double? {
    guard let value = json["probability"], value != .null else { return nil }
    guard let probability = value.number, (0...1).contains(probability) else {
      throw fault("probability", expected: "a number from 0 to 1", found: value)
    }
    return probability
  }

  func fault(_ key: String, expected: String, found value: JSONValue?) -> DataError {
    let excerpt = value.map { value in
      let text = value.serialized()
      return text.count > 40 ? "\(value.kindName) (\(text.prefix(40))…)" : text
    }
    return DataError(
      .unknownSchema, file: file, line: line, "field '\(key)'", expected: expected,
      found: excerpt ?? "nothing")
  }

  /// A text; null counts as empty, and OpenAI's lists of text parts are joined.
  func content(_ value: JSONValue, _ key: String) throws -> String {
    switch value {
    case .string(let text): return text
    case .null: return ""
    case .array(let parts):
      return try parts.map { part in
        guard let text = part["text"]?.string else {
          throw fault(key, expected: "a string or text parts", found: value)
        }
        return text
      }.joined()
    default: throw fault(key, expected: "a string", found: value)
    }
  }

  /// An answer: a text, a message, or a list whose last message it is.
  func answer(_ value: JSONValue, _ key: String) throws -> String {
    switch value {
    case .array: try messages(value, key).last?.content ?? ""
    case .object: try message(value, key).content
    case .integer, .number: value.serialized()
    default: try content(value, key)
    }
  }

  /// The turns of a prompt: a text, a transcript or messages, with `input` and `system` if any.
  func prompt() throws -> [Message] {
    guard let key = Self.promptKeys.first(where: has), let value = json[key] else {
      throw fault(
        "prompt", expected: "one of \(Self.promptKeys.joined(separator: ", "))", found: nil)
    }
    var turns: [Message]
    if case .array(let parts) = value, parts.first?["text"] == nil {
      turns = try messages(value, key)
    } else {
      var text = try content(value, key)
      if let transcript = Transcript.messages(text), transcript.first?.role == "user" {
        // Anthropic's prompts end with an open "Assistant:".
        let open = transcript.last?.role == "assistant" && transcript.last?.content.isEmpty == true
        turns = open ? transcript.dropLast() : transcript
      } else {
        // FLAN writes line breaks as backslash and n.
        if has("rationale") { text = Self.replacingEscapedNewlines(text) }
        let input = try json["input"].map { try content($0, "input") } ?? ""
        if !trimmed(input).isEmpty { text += "\n\n" + input }
        turns = [Message(role: "user", content: text)]
      }
    }
    if let system = json["system"]?.string, !trimmed(system).isEmpty, turns.first?.role != "system"
    {
      turns.insert(Message(role: "system", content: system), at: 0)
    }
    return turns
  }

  /// The messages under `key`.
  func messages(_ key: String) throws -> [Message] {
    var turns = try messages(json[key] ?? .null, key)
    if let system = json["system"]?.string, !trimmed(system).isEmpty, turns.first?.role != "system"
    {
      turns.insert(Message(role: "system", content: system), at: 0)
    }
    return turns
  }

  func messages(_ value: JSONValue, _ key: String) throws -> [Message] {
    guard let list = value.array else {
      throw fault(key, expected: "a list of messages", found: value)
    }
    return try list.map { try message($0, key) }
  }

  /// One turn, in OpenAI's words (role, content) or ShareGPT's (from, value).
  func message(_ value: JSONValue, _ key: String) throws -> Message {
    guard let role = value["role"]?.string ?? value["from"]?.string, !role.isEmpty else {
      throw fault(key, expected: "messages with role and content", found: value)
    }
    let text = try content(value["content"] ?? value["value"] ?? .null, key)
    return Message(role: Self.roles[role.lowercased()] ?? role, content: text)
  }

  private static let roles = [
    "user": "user", "human": "user", "prompter": "user", "assistant": "assistant",
    "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant",
    "system": "system",
  ]

  private static func replacingEscapedNewlines(_ text: String) -> String {
    text.split(separator: "\\n", omittingEmptySubsequences: false).joined(separator: "\n")
  }
}
