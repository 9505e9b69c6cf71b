import Foundation

/// Reading and writing Hugging Face's `tokenizer.json`.
enum TokenizerFile {
  static let name = "tokenizer.json"

  /// The parts of the tokenizer at `url`: the file itself, or a folder of one of the two layouts.
  static func definition(at url: URL) throws(TokenizerError) -> TokenizerDefinition {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw .file(path: url.path, reason: "there is no such file or folder")
    }
    guard isFolder.boolValue else { return try definition(JSONReader.read(url)) }
    let file = url.appendingPathComponent(name)
    if FileManager.default.fileExists(atPath: file.path) {
      return try definition(JSONReader.read(file))
    }
    return try VocabularyFiles.definition(in: url)
  }

  static func definition(_ file: JSONNode) throws(TokenizerError) -> TokenizerDefinition {
    let model = try file.member("model")
    try checkModel(model)
    var result = TokenizerDefinition()
    let vocabulary = try model.member("vocab")
    result.vocabulary = try entries(of: vocabulary)
    result.merges = try merges(model.member("merges"))
    result.ignoresMerges = try model.member("ignore_merges").bool(or: false)
    let unknown = try model.member("unk_token")
    result.unknownToken = unknown.isNull ? nil : try unknown.string()
    result.fusesUnknown = try model.member("fuse_unk").bool(or: false)
    result.addedTokens = try addedTokens(file.member("added_tokens"))
    result.normalization = try normalization(file.member("normalizer"))
    result.preTokenizer = try PreTokenizer(json: file.member("pre_tokenizer"))
    try checkDecoder(file.member("decoder"))
    let ends = try PostProcessor(json: file.member("post_processor"))
    result.prefixTokens = ends.prefix
    result.suffixTokens = ends.suffix
    return result
  }

  /// Spellings and ids of an object like `vocab.json`.
  static func entries(of object: JSONNode) throws(TokenizerError) -> [(spelling: String, id: Int)] {
    try object.members().map { member throws(TokenizerError) in
      guard case .integer(let id) = member.value else {
        throw .field(
          path: object.path, key: "\(object.key)[\"\(member.key)\"]", expected: "an integer",
          found: member.value.summary)
      }
      return (member.key, id)
    }
  }

  /// Both spellings of a pair: `"a b"` and `["a", "b"]`.
  private static func merges(
    _ node: JSONNode
  ) throws(TokenizerError) -> [(left: String, right: String)] {
    guard case .array(let values) = node.value else { throw node.wrong(expected: "an array") }
    var result: [(left: String, right: String)] = []
    result.reserveCapacity(values.count)
    for (rank, value) in values.enumerated() {
      if case .array(let parts) = value, parts.count == 2, case .string(let left) = parts[0],
        case .string(let right) = parts[1]
      {
        result.append((left, right))
      } else if case .string(let line) = value, let pair = TokenizerDefinition.merge(line) {
        result.append(pair)
      } else {
        throw .field(
          path: node.path, key: "\(node.key)[\(rank)]",
          expected: "\"left right\" or [\"left\", \"right\"]", found: value.summary)
      }
    }
    return result
  }

  private static func addedTokens(_ node: JSONNode) throws(TokenizerError) -> [AddedToken] {
    if node.isNull { return [] }
    return try node.elements().map { element throws(TokenizerError) in
      try AddedToken(json: element, id: element.member("id").integer())
    }
  }

  private static func normalization(_ node: JSONNode) throws(TokenizerError) -> Normalization {
    if node.isNull { return .none }
    let type = try node.member("type")
    switch try type.string() {
    case "NFC": return .nfc
    case "Sequence":
      var result = Normalization.none
      for step in try node.member("normalizers").elements() {
        if try normalization(step) == .nfc { result = .nfc }
      }
      return result
    default: throw type.unsupported(supported: "NFC, a Sequence of it, null")
    }
  }

  private static func checkModel(_ model: JSONNode) throws(TokenizerError) {
    let type = try model.member("type")
    // Files of older versions have no type; a BPE model is known by its merges.
    let hasMerges = try !model.member("merges").isNull
    let name = type.isNull && hasMerges ? "BPE" : try type.string()
    if name != "BPE" { throw type.unsupported(supported: "byte-level BPE") }
    let fallback = try model.member("byte_fallback")
    if try fallback.bool(or: false) { throw fallback.unsupported(supported: "false") }
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
      let affix = try model.member(name)
      if !affix.isNull, !(try affix.string().isEmpty) {
        throw affix.unsupported(supported: "null or an empty string")
      }
    }
    let dropout = try model.member("dropout")
    switch dropout.value {
    case .null, .integer(0), .double(0): break
    default: throw dropout.unsupported(supported: "null")
    }
  }

  private static func checkDecoder(_ node: JSONNode) throws(TokenizerError) {
    guard !node.isNull else { throw node.unsupported(supported: "ByteLevel") }
    let type = try node.member("type")
    switch try type.string() {
    case "ByteLevel": return
    case "Sequence":
      for step in try node.member("decoders").elements() { try checkDecoder(step) }
    default: throw type.unsupported(supported: "ByteLevel")
    }
  }
}

extension AddedToken {
  /// An entry of `added_tokens` or of `added_tokens_decoder`.
  init(json: JSONNode, id: Int) throws(TokenizerError) {
    let isSpecial = try json.member("special").bool(or: false)
    self.init(
      id: id, content: try json.member("content").string(), isSpecial: isSpecial,
      isSingleWord: try json.member("single_word").bool(or: false),
      stripsLeft: try json.member("lstrip").bool(or: false),
      stripsRight: try json.member("rstrip").bool(or: false),
      isNormalized: try json.member("normalized").bool(or: !isSpecial))
    if content.isEmpty { throw try json.member("content").wrong(expected: "a text") }
  }
}
