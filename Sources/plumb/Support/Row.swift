import PlumbCheckpoints
import PlumbData
import PlumbTokenizers

/// One row of an input, read with errors that name file, line and key.
struct Row {
  let json: JSONValue
  let input: String
  let line: Int

  func has(_ key: String) -> Bool { json[key] != nil }

  /// An error at this row.
  func fault(_ message: String, expected: String? = nil, found: String? = nil) -> DataError {
    DataError(
      .unknownSchema, file: input, line: line, message, expected: expected, found: found)
  }

  /// The error for a row that has none of the forms that a command reads.
  func unknownForm(expected forms: String) -> DataError {
    let keys = (json.object ?? []).map { "\"\($0.key)\"" }
    return fault(
      "unknown kind of row", expected: forms,
      found: keys.isEmpty ? "no keys" : keys.prefix(8).joined(separator: ", "))
  }

  /// A text.
  func text(_ key: String) throws -> String {
    guard let text = json[key]?.string else {
      throw wrong(key, expected: "a string", found: json[key])
    }
    return text
  }

  /// Token ids, each inside a vocabulary, and at least one unless none may be there.
  func tokens(
    _ key: String, vocabularySize: Int, allowingNone: Bool = false
  ) throws -> [Int32] {
    guard let list = json[key]?.array else {
      throw wrong(key, expected: "a list of token ids", found: json[key])
    }
    guard allowingNone || !list.isEmpty else {
      throw fault("\"\(key)\"", expected: "at least one token id", found: "an empty list")
    }
    return try list.enumerated().map { position, value in
      guard let id = value.integer, (0..<vocabularySize).contains(id) else {
        throw wrong(
          "\(key)[\(position)]", expected: "a token id from 0 to \(vocabularySize - 1)",
          found: value)
      }
      return Int32(id)
    }
  }

  /// The turns before an answer: `messages`, or `prompt` as a text or as messages.
  func prompt() throws -> [Message] {
    if has("messages") { return try messages("messages") }
    guard case .string(let text) = json["prompt"] else { return try messages("prompt") }
    guard !text.isEmpty else {
      throw fault("\"prompt\"", expected: "a text or messages", found: "an empty string")
    }
    return [Message(role: "user", content: text)]
  }

  /// An answer: a text, or messages of which it is the last, after turns that the prompt has too.
  func answer(_ key: String, to prompt: [Message]) throws -> String {
    guard case .array = json[key] else { return try text(key) }
    let turns = try messages(key)
    guard let last = turns.last, last.role == "assistant" else {
      throw fault(
        "\"\(key)\"", expected: "a last message by the assistant",
        found: turns.last.map { "one by '\($0.role)'" })
    }
    let before = Array(turns.dropLast())
    guard before.isEmpty || before == prompt else {
      throw fault(
        "\"\(key)\"", expected: "the prompt's messages, then the answer", found: "other messages")
    }
    return last.content
  }

  /// The turns that two lists of messages share, for a row that has no prompt of its own.
  func sharedPrompt(_ key: String) throws -> [Message] {
    // A text is an answer without its prompt, like a list of one message.
    let turns = json[key]?.string == nil ? try messages(key) : []
    guard turns.count > 1 else {
      throw fault(
        "\"\(key)\"", expected: "a \"prompt\" in the row, or its messages before the answer",
        found: "an answer alone")
    }
    return Array(turns.dropLast())
  }

  private func messages(_ key: String) throws -> [Message] {
    guard let list = json[key]?.array else {
      throw wrong(key, expected: "a text or a list of messages", found: json[key])
    }
    guard !list.isEmpty else {
      throw fault("\"\(key)\"", expected: "at least one message", found: "an empty list")
    }
    return try list.enumerated().map { position, value in
      guard let role = value["role"]?.string, !role.isEmpty, let content = value["content"]?.string
      else {
        throw wrong(
          "\(key)[\(position)]", expected: "a message with \"role\" and \"content\"", found: value)
      }
      return Message(role: role, content: content)
    }
  }

  private func wrong(_ key: String, expected: String, found value: JSONValue?) -> DataError {
    let found: String
    switch value {
    case nil: found = "no such key"
    case .integer, .number, .bool, .null: found = value?.serialized() ?? ""
    default: found = value?.kindName ?? ""
    }
    return fault("\"\(key)\"", expected: expected, found: found)
  }
}
