import PlumbCheckpoints
import PlumbTokenizers

extension RowDecoder {
  /// One side of a preference as the file has it.
  private enum Side {
    case text(String)
    case turns([Message])
  }

  /// Rows with `chosen` and `rejected`: texts, messages, lists of messages or transcripts.
  func preference(_ fields: RowFields) throws -> (row: DataRow, schema: String) {
    guard let chosenValue = fields["chosen"], let rejectedValue = fields["rejected"] else {
      let lacking = fields.has("chosen") ? "rejected" : "chosen"
      throw fields.fault(lacking, expected: "an answer", found: nil)
    }
    let chosen = try side(chosenValue, "chosen", fields)
    let rejected = try side(rejectedValue, "rejected", fields)
    switch (chosen, rejected) {
    case (.text(let chosen), .text(let rejected)):
      if let key = ["messages", "conversations", "conversation"].first(where: fields.has) {
        let prompt = try fields.messages(key)
        return (try pair(fields, prompt, chosen, rejected), "\(key)/chosen/rejected")
      }
      if let key = RowFields.promptKeys.first(where: fields.has) {
        let prompt = try fields.prompt()
        return (try pair(fields, prompt, chosen, rejected), "\(key)/chosen/rejected")
      }
      guard let first = Transcript.messages(chosen), let second = Transcript.messages(rejected)
      else {
        throw fields.fault(
          "prompt", expected: "a prompt, messages, or answers that start with 'Human:'", found: nil)
      }
      return (try pair(fields, [], first, second), "chosen/rejected transcripts")
    case (.turns(let chosen), .turns(let rejected)):
      let key = (["messages", "conversations"] + RowFields.promptKeys).first(where: fields.has)
      let prompt =
        switch key {
        case .some("messages"), .some("conversations"): try fields.messages(key ?? "")
        case .some: try fields.prompt()
        case .none: [Message]()
        }
      let schema = (key.map { "\($0)/" } ?? "") + "chosen/rejected conversations"
      return (try pair(fields, prompt, chosen, rejected), schema)
    case (.text, .turns):
      throw fields.fault("rejected", expected: "a string as chosen is", found: rejectedValue)
    case (.turns, .text):
      throw fields.fault("chosen", expected: "a string as rejected is", found: chosenValue)
    }
  }

  private func side(_ value: JSONValue, _ key: String, _ fields: RowFields) throws -> Side {
    switch value {
    case .string(let text): .text(text)
    case .null: .text("")
    case .array: .turns(try fields.messages(value, key))
    case .object: .text(try fields.message(value, key).content)
    case .bool, .integer, .number:
      throw fields.fault(key, expected: "a string or a list of messages", found: value)
    }
  }

  /// Two conversations: what they share is the prompt, what differs must be one answer each.
  private func pair(
    _ fields: RowFields, _ prompt: [Message], _ chosen: [Message], _ rejected: [Message]
  ) throws -> DataRow {
    if chosen == rejected { return .dropped(.identicalResponses) }
    guard let first = chosen.last, let second = rejected.last else {
      return .dropped(.emptyResponse)
    }
    guard first.role == "assistant", second.role == "assistant" else {
      return .dropped(.noAnswer)
    }
    let shared = Array(chosen.dropLast())
    guard shared == Array(rejected.dropLast()) else { return .dropped(.differingTurns) }
    // Either the lists hold the answers only, or they repeat the prompt before them.
    let full = shared.isEmpty || shared.starts(with: prompt) ? shared : prompt + shared
    let turns = shared.isEmpty ? prompt : full
    return try pair(fields, turns, first.content, second.content)
  }

  private func pair(
    _ fields: RowFields, _ prompt: [Message], _ chosen: String, _ rejected: String
  ) throws -> DataRow {
    guard !PromptKey.of(prompt).isEmpty else { return .dropped(.emptyPrompt) }
    let (first, second) = (trimmed(chosen), trimmed(rejected))
    guard !first.isEmpty, !second.isEmpty else { return .dropped(.emptyResponse) }
    guard first != second else { return .dropped(.identicalResponses) }
    let margin = fields.margin
    guard margin != 0 else { return .dropped(.tie) }
    return .pair(
      PreferencePair(
        id: fields.id, source: fields.source, prompt: prompt, chosen: chosen, rejected: rejected,
        margin: margin, group: fields.name(under: groupField),
        probability: try fields.probability()))
  }
}

/// Anthropic's transcripts: `\n\nHuman: … \n\nAssistant: …`, any number of turns.
enum Transcript {
  /// The turns, without outer white space, or nil if the text is no transcript.
  static func messages(_ text: String) -> [Message]? {
    let marks = [("Human:", "user"), ("Assistant:", "assistant")]
    var messages: [Message] = []
    // The first mark may stand without the empty line before it.
    for part in ("\n\n" + trimmed(text)).split(separator: "\n\n", omittingEmptySubsequences: false)
      .dropFirst()
    {
      if let (mark, role) = marks.first(where: { part.hasPrefix($0.0) }) {
        messages.append(Message(role: role, content: String(part.dropFirst(mark.count))))
      } else if let last = messages.indices.last {
        let content = messages[last].content + "\n\n" + part
        messages[last] = Message(role: messages[last].role, content: content)
      } else {
        return nil
      }
    }
    return messages.map { Message(role: $0.role, content: trimmed($0.content)) }
  }
}
