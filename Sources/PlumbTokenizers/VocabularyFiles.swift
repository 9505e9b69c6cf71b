import Foundation

/// The older layout of a tokenizer: `vocab.json` and `merges.txt`, with `tokenizer_config.json`.
enum VocabularyFiles {
  /// The parts of the tokenizer in `folder`.
  ///
  /// These files do not say how text is cut; `tokenizer_class` does: GPT-2's (also where there is
  /// no configuration) or Qwen2's.
  static func definition(in folder: URL) throws(TokenizerError) -> TokenizerDefinition {
    let vocabularyFile = folder.appendingPathComponent("vocab.json")
    let mergesFile = folder.appendingPathComponent("merges.txt")
    guard FileManager.default.fileExists(atPath: vocabularyFile.path) else {
      throw .file(
        path: folder.path, reason: "holds neither tokenizer.json nor vocab.json with merges.txt")
    }
    var result = TokenizerDefinition()
    result.vocabulary = try TokenizerFile.entries(of: JSONReader.read(vocabularyFile))
    result.merges = try merges(at: mergesFile)
    let configFile = folder.appendingPathComponent("tokenizer_config.json")
    let hasConfig = FileManager.default.fileExists(atPath: configFile.path)
    let config =
      hasConfig
      ? try JSONReader.read(configFile) : JSONNode(path: configFile.path, value: .object([]))
    try readClass(config, into: &result)
    try readAddedTokens(config, folder, into: &result)
    return result
  }

  private static func merges(
    at file: URL
  ) throws(TokenizerError) -> [(left: String, right: String)] {
    let data: Data
    do {
      data = try Data(contentsOf: file)
    } catch {
      throw .file(path: file.path, reason: "cannot be read: \(error.localizedDescription)")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw .field(path: file.path, key: "the file", expected: "UTF-8", found: "other bytes")
    }
    var result: [(left: String, right: String)] = []
    for (number, bytes) in text.utf8.split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
    ).enumerated() {
      let bytes = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
      if bytes.isEmpty || bytes.starts(with: "#version".utf8) { continue }
      let line = String(Substring(bytes))
      guard let pair = TokenizerDefinition.merge(line) else {
        throw .field(
          path: file.path, key: "line \(number + 1)", expected: "two tokens and a space",
          found: "\"\(line)\"")
      }
      result.append(pair)
    }
    return result
  }

  private static func readClass(
    _ config: JSONNode, into result: inout TokenizerDefinition
  ) throws(TokenizerError) {
    let name = try config.member("tokenizer_class")
    switch name.isNull ? "GPT2Tokenizer" : try name.string() {
    case "GPT2Tokenizer", "GPT2TokenizerFast":
      result.preTokenizer = .gpt2
    case "Qwen2Tokenizer", "Qwen2TokenizerFast":
      result.preTokenizer = .qwen2
      result.normalization = .nfc
    default: throw name.unsupported(supported: "GPT2Tokenizer and Qwen2Tokenizer")
    }
    result.preTokenizer.addsPrefixSpace =
      try config.member("add_prefix_space").bool(or: false)
  }

  /// `added_tokens_decoder` of the configuration, or `added_tokens.json`, or GPT-2's one token.
  private static func readAddedTokens(
    _ config: JSONNode, _ folder: URL, into result: inout TokenizerDefinition
  ) throws(TokenizerError) {
    let decoder = try config.member("added_tokens_decoder")
    let file = folder.appendingPathComponent("added_tokens.json")
    if !decoder.isNull {
      for member in try decoder.members() {
        guard let id = Int(member.key) else {
          throw .field(
            path: config.path, key: decoder.key, expected: "ids as keys",
            found: "\"\(member.key)\"")
        }
        let entry = JSONNode(
          path: config.path, key: "\(decoder.key).\(id)", value: member.value)
        result.addedTokens.append(try AddedToken(json: entry, id: id))
      }
    } else if FileManager.default.fileExists(atPath: file.path) {
      for (content, id) in try TokenizerFile.entries(of: JSONReader.read(file)) {
        result.addedTokens.append(AddedToken(id: id, content: content))
      }
    } else {
      let end = "<|endoftext|>"
      for (spelling, id) in result.vocabulary where spelling.utf8.elementsEqual(end.utf8) {
        result.addedTokens.append(AddedToken(id: id, content: end))
      }
    }
    result.addedTokens.sort { $0.id < $1.id }
  }
}
