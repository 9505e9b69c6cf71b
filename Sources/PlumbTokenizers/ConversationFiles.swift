public import Foundation

extension ConversationEncoder {
  private static let configName = "tokenizer_config.json"
  private static let templateKey = "plumb_template"
  private static let endOfTextKey = "plumb_end_of_text"
  private static let scoredEndingKey = "plumb_scored_ending"

  /// Reads the tokenizer of a model's folder and finds out its template.
  ///
  /// The template is the one that `write(to:)` noted in `tokenizer_config.json`; without a note, it
  /// is ChatML if the vocabulary has its markers, else plain. A text ends with `<|endoftext|>`;
  /// without it, with the `eos_token` of `tokenizer_config.json`, or the `eos_token_id` of
  /// `generation_config.json` or `config.json`. A reward model reads behind a response what the note
  /// says; without one, the end of the turn where the folder holds another program's sequence
  /// classifier, else the end of text.
  public static func load(from directory: URL) throws -> ConversationEncoder {
    let tokenizer = try Tokenizer(contentsOf: directory)
    let config = try readIfPresent(directory.appendingPathComponent(configName))
    let template = try template(config, tokenizer)
    let endOfText = try endOfText(config, tokenizer, directory)
    return try ConversationEncoder(
      tokenizer: tokenizer, template: template, endOfText: endOfText,
      scoredEnding: try scoredEnding(config, directory))
  }

  /// Writes `tokenizer.json` and `tokenizer_config.json` into `directory`, which must exist.
  ///
  /// transformers reads them: its `apply_chat_template` renders what this encoder encodes, and its
  /// `eos_token` is the token that ends a response.
  /// - Parameters:
  ///   - directory: where the files go.
  ///   - padding: id of `pad_token`; the end of text if nil.
  public func write(to directory: URL, padding: Int? = nil) throws {
    try tokenizer.write(to: directory.appendingPathComponent(TokenizerFile.name))
    let end = tokenizer.token(of: endOfText) ?? ""
    let endOfTurn = template.markers.last ?? end
    let beginning =
      template == .plain ? tokenizer.prefixIDs.map { tokenizer.token(of: $0) ?? "" } : []
    let literals = beginning.map { "{{ \(JSONValue.string($0).literal) }}" }.joined()
    let config = JSONValue.object([
      .init(key: "tokenizer_class", value: .string("PreTrainedTokenizerFast")),
      .init(key: "bos_token", value: .null),
      .init(key: "eos_token", value: .string(endOfTurn)),
      .init(
        key: "pad_token", value: .string(padding.flatMap { tokenizer.token(of: $0) } ?? end)),
      .init(key: "clean_up_tokenization_spaces", value: .bool(false)),
      .init(key: "model_max_length", value: .integer(Int(Int32.max))),
      .init(key: "chat_template", value: .string(literals + template.jinja)),
      .init(key: Self.templateKey, value: .string(template.rawValue)),
      .init(key: Self.endOfTextKey, value: .string(end)),
      .init(key: Self.scoredEndingKey, value: .string(scoredEnding.rawValue)),
    ])
    try JSONWriter.write(config, to: directory.appendingPathComponent(Self.configName))
  }

  private static func readIfPresent(_ file: URL) throws(TokenizerError) -> JSONNode {
    FileManager.default.fileExists(atPath: file.path)
      ? try JSONReader.read(file) : JSONNode(path: file.path, value: .object([]))
  }

  private static func template(
    _ config: JSONNode, _ tokenizer: Tokenizer
  ) throws(TokenizerError) -> ChatTemplate {
    let note = try config.member(templateKey)
    if !note.isNull {
      let names = ChatTemplate.allCases.map(\.rawValue).joined(separator: ", ")
      guard let template = ChatTemplate(rawValue: try note.string()) else {
        throw note.wrong(expected: "one of \(names)")
      }
      return template
    }
    let hasMarkers = ChatTemplate.chatML.markers.allSatisfy { tokenizer.id(of: $0) != nil }
    return hasMarkers ? .chatML : .plain
  }

  private static func scoredEnding(
    _ config: JSONNode, _ directory: URL
  ) throws(TokenizerError) -> ScoredEnding {
    let note = try config.member(scoredEndingKey)
    if !note.isNull {
      let names = ScoredEnding.allCases.map(\.rawValue).joined(separator: ", ")
      guard let ending = ScoredEnding(rawValue: try note.string()) else {
        throw note.wrong(expected: "one of \(names)")
      }
      return ending
    }
    let model = try readIfPresent(directory.appendingPathComponent("config.json"))
    let architectures = try model.member("architectures")
    guard case .array = architectures.value, let first = try architectures.elements().first,
      try first.string().hasSuffix("ForSequenceClassification"), try model.member("plumb").isNull
    else { return .endOfText }
    return .turn
  }

  private static func endOfText(
    _ config: JSONNode, _ tokenizer: Tokenizer, _ directory: URL
  ) throws(TokenizerError) -> String {
    let note = try config.member(endOfTextKey)
    if !note.isNull { return try note.string() }
    if tokenizer.id(of: endOfTextToken) != nil { return endOfTextToken }
    let eos = try config.member("eos_token")
    switch eos.value {
    case .null: break
    case .object: return try eos.member("content").string()
    default: return try eos.string()
    }
    for name in ["generation_config.json", "config.json"] {
      let ids = try readIfPresent(directory.appendingPathComponent(name)).member("eos_token_id")
      if ids.isNull { continue }
      var first = ids
      if case .array = ids.value, let element = try ids.elements().first { first = element }
      if let token = tokenizer.token(of: try first.integer()) { return token }
    }
    throw .missingToken(
      path: directory.path, token: endOfTextToken,
      reason: "and neither tokenizer_config.json nor generation_config.json names an end of text")
  }
}

extension JSONValue {
  /// The value as JSON text, which for a string is a literal of Jinja too.
  fileprivate var literal: String {
    String(decoding: serialized().dropLast(), as: UTF8.self)
  }
}
