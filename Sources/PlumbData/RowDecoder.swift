import PlumbCheckpoints
import PlumbTokenizers

/// What one row of a file turned out to be.
enum DataRow {
  case pair(PreferencePair)
  case unpaired(UnpairedRow)
  case demonstration(Demonstration)
  case prompt(PromptRow)
  case text(TextRow)
  case thread(ForumThread)
  /// A row of a known schema whose content cannot be used.
  case dropped(DropReason)
}

/// Why rows of a known schema are left out; the raw value is the reason as reports say it.
enum DropReason: String, Error {
  case emptyPrompt = "empty prompt"
  case emptyResponse = "empty response"
  case identicalResponses = "identical responses"
  case tie = "tie"
  case differingTurns = "conversations differ before the last answer"
  case promptTooLong = "prompt too long"
  case responseTooLong = "response too long"
  case noAnswer = "no answer"
  case noPreference = "no preference"
  case noLabel = "no label"
  case noText = "no text"
  case noThread = "not a forum thread"
  case noPair = "no two answers with different votes"
}

/// Recognises the schema of a row by its keys and turns it into a record.
struct RowDecoder {
  let file: String
  /// The name of the file without folder and extensions, for rows that name no source.
  let source: String
  /// The key under which a pair says who chose.
  var groupField = "group"

  /// The row, and the name of its schema; throws ``DataError`` if the keys or types fit none.
  func decode(_ json: JSONValue, line: Int) throws -> (row: DataRow, schema: String) {
    guard json.object != nil else {
      throw DataError(
        .unknownSchema, file: file, line: line, "not a row", expected: "an object",
        found: json.kindName)
    }
    let fields = RowFields(json: json, file: file, line: line, source: source)
    if fields.has("title"), fields.has("answers") {
      return (.thread(try ForumThread(fields)), "forum thread")
    }
    if fields.has("chosen") || fields.has("rejected") { return try preference(fields) }
    if fields.has("label"), let row = try unpaired(fields) { return row }
    if let key = ["messages", "conversations", "conversation"].first(where: fields.has) {
      return (conversation(fields, try fields.messages(key)), key)
    }
    if let row = try answered(fields) { return row }
    if let key = RowFields.promptKeys.first(where: fields.has) {
      return (prompt(fields, try fields.prompt()), key)
    }
    if let text = fields["text"] {
      let content = try fields.content(text, "text")
      guard !trimmed(content).isEmpty else { return (.dropped(.noText), "text") }
      let row = TextRow(id: fields.id, source: fields.source, content: .text(content))
      return (.text(row), "text")
    }
    let keys = (json.object ?? []).map(\.key).prefix(12).joined(separator: ", ")
    throw DataError(
      .unknownSchema, file: file, line: line, "no known schema has these keys",
      expected: "chosen and rejected, messages, prompt, instruction, question, text, "
        + "or title and answers",
      found: keys.isEmpty ? "none" : keys)
  }

  private func conversation(_ fields: RowFields, _ messages: [Message]) -> DataRow {
    guard messages.last?.role == "assistant" else { return prompt(fields, messages) }
    return demonstration(fields, messages)
  }

  private func demonstration(_ fields: RowFields, _ messages: [Message]) -> DataRow {
    guard !PromptKey.of(messages.dropLast()).isEmpty else { return .dropped(.emptyPrompt) }
    guard let last = messages.last, !trimmed(last.content).isEmpty else {
      return .dropped(.emptyResponse)
    }
    return .demonstration(
      Demonstration(id: fields.id, source: fields.source, messages: messages))
  }

  private func prompt(_ fields: RowFields, _ messages: [Message]) -> DataRow {
    guard !PromptKey.of(messages).isEmpty else { return .dropped(.emptyPrompt) }
    return .prompt(PromptRow(id: fields.id, source: fields.source, prompt: messages))
  }

  /// Rows with a prompt and one answer under any of the usual names.
  private func answered(_ fields: RowFields) throws -> (row: DataRow, schema: String)? {
    guard let promptKey = RowFields.promptKeys.first(where: fields.has),
      let key = ["output", "completion", "response", "answer"].first(where: fields.has),
      let value = fields[key]
    else { return nil }
    var answer = try fields.answer(value, key)
    var schema = "\(promptKey)/\(key)"
    if fields.has("input") { schema = "\(promptKey)/input/\(key)" }
    if let rationale = fields["rationale"] {
      // FLAN's chain-of-thought rows: the reasoning, then the answer.
      schema += "/rationale"
      let reasoning = trimmed(try fields.content(rationale, "rationale"))
      if !reasoning.isEmpty { answer = "\(reasoning)\nThe answer is \(answer)." }
    }
    let messages = try fields.prompt() + [Message(role: "assistant", content: answer)]
    return (demonstration(fields, messages), schema)
  }

  /// One answer with a verdict; nil if the row has none of the answers that go with a label.
  private func unpaired(_ fields: RowFields) throws -> (row: DataRow, schema: String)? {
    let prompt: [Message]
    let response: String
    let schema: String
    if let key = ["completion", "response", "output"].first(where: fields.has),
      let value = fields[key]
    {
      prompt = try fields.prompt()
      response = try fields.answer(value, key)
      schema = "prompt/\(key)/label"
    } else if let key = ["messages", "conversations"].first(where: fields.has) {
      let messages = try fields.messages(key)
      guard let last = messages.last, last.role == "assistant" else {
        return (.dropped(.emptyResponse), "\(key)/label")
      }
      (prompt, response, schema) = (messages.dropLast(), last.content, "\(key)/label")
    } else {
      return nil
    }
    guard let label = fields["label"]?.bool ?? Self.truth(fields["label"]) else {
      throw fields.fault("label", expected: "true, false, 1 or 0", found: fields["label"])
    }
    guard !PromptKey.of(prompt).isEmpty else { return (.dropped(.emptyPrompt), schema) }
    guard !trimmed(response).isEmpty else { return (.dropped(.emptyResponse), schema) }
    let row = UnpairedRow(
      id: fields.id, source: fields.source, prompt: prompt, response: response, label: label)
    return (.unpaired(row), schema)
  }

  private static func truth(_ value: JSONValue?) -> Bool? {
    switch value {
    case .integer(1): true
    case .integer(0): false
    default: nil
    }
  }
}
