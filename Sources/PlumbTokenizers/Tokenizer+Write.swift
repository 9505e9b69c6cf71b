public import Foundation

extension Tokenizer {
  /// Writes a `tokenizer.json` that Hugging Face `tokenizers` reads with the same ids.
  ///
  /// The file appears whole or not at all.
  /// - Parameter url: the file, or an existing folder to put `tokenizer.json` into.
  public func write(to url: URL) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    let file = exists && isFolder.boolValue ? url.appendingPathComponent(TokenizerFile.name) : url
    try JSONWriter.write(json, to: file)
  }

  private var json: JSONValue {
    let byteLevel = PreTokenizer.byteLevel(addsPrefixSpace: true, usesRegex: true)
    return .object([
      .init(key: "version", value: .string("1.0")),
      .init(key: "truncation", value: .null),
      .init(key: "padding", value: .null),
      .init(
        key: "added_tokens",
        value: .array(addedTokens.sorted { $0.id < $1.id }.map(\.json))),
      .init(
        key: "normalizer",
        value: normalization == .none
          ? .null : .object([.init(key: "type", value: .string(normalization.rawValue))])),
      .init(key: "pre_tokenizer", value: preTokenizer.json),
      .init(
        key: "post_processor",
        value: PostProcessor.json(prefix: named(prefixIDs), suffix: named(suffixIDs))),
      .init(key: "decoder", value: byteLevel),
      .init(key: "model", value: modelJSON),
    ])
  }

  private func named(_ ids: [Int]) -> [(String, Int)] {
    ids.map { (token(of: $0) ?? "", $0) }
  }

  private var modelJSON: JSONValue {
    let unknown = model.unknownID.flatMap { token(of: Int($0)) }
    // Added tokens that the model's own vocabulary lacked are written there too: their ids and
    // meaning stay the same, and files of both habits are read.
    let entries = vocabulary.usedIDs.map {
      JSONValue.Member(key: token(of: $0) ?? "", value: .integer($0))
    }
    // The older form of a pair: every version of `tokenizers` reads it, and no spelling of bytes
    // holds a space.
    let merges = model.merges.map {
      JSONValue.string("\(token(of: Int($0.left)) ?? "") \(token(of: Int($0.right)) ?? "")")
    }
    return .object([
      .init(key: "type", value: .string("BPE")),
      .init(key: "dropout", value: .null),
      .init(key: "unk_token", value: unknown.map(JSONValue.string) ?? .null),
      .init(key: "continuing_subword_prefix", value: .null),
      .init(key: "end_of_word_suffix", value: .null),
      .init(key: "fuse_unk", value: .bool(model.fusesUnknown)),
      .init(key: "byte_fallback", value: .bool(false)),
      .init(key: "ignore_merges", value: .bool(wholeTokens != nil)),
      .init(key: "vocab", value: .object(entries)),
      .init(key: "merges", value: .array(merges)),
    ])
  }
}

extension AddedToken {
  var json: JSONValue {
    .object([
      .init(key: "id", value: .integer(id)),
      .init(key: "content", value: .string(content)),
      .init(key: "single_word", value: .bool(isSingleWord)),
      .init(key: "lstrip", value: .bool(stripsLeft)),
      .init(key: "rstrip", value: .bool(stripsRight)),
      .init(key: "normalized", value: .bool(isNormalized)),
      .init(key: "special", value: .bool(isSpecial)),
    ])
  }
}

/// Files written whole.
enum JSONWriter {
  static func write(_ value: JSONValue, to file: URL) throws(TokenizerError) {
    do {
      try Data(value.serialized()).write(to: file, options: .atomic)
    } catch {
      throw .file(
        path: file.path, reason: "cannot be written: \(error.localizedDescription)")
    }
  }
}
