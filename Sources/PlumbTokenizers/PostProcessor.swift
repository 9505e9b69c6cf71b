/// The tokens that `post_processor` puts around a whole text.
///
/// `ByteLevel` only shifts offsets, which are not kept here; `TemplateProcessing` adds tokens by
/// name.
struct PostProcessor {
  var prefix: [String] = []
  var suffix: [String] = []

  init(json: JSONNode) throws(TokenizerError) {
    guard !json.isNull else { return }
    let type = try json.member("type")
    switch try type.string() {
    case "ByteLevel": return
    case "TemplateProcessing": try readTemplate(json)
    case "Sequence":
      for part in try json.member("processors").elements() {
        let inner = try PostProcessor(json: part)
        prefix = inner.prefix + prefix
        suffix += inner.suffix
      }
    default: throw type.unsupported(supported: "ByteLevel, TemplateProcessing, a Sequence, null")
    }
  }

  private mutating func readTemplate(_ json: JSONNode) throws(TokenizerError) {
    var isBehindText = false
    for part in try json.member("single").elements() {
      let token = try part.member("SpecialToken")
      if token.isNull {
        _ = try part.member("Sequence").member("id").string()
        if isBehindText { throw part.wrong(expected: "the text once") }
        isBehindText = true
        continue
      }
      let name = try token.member("id").string()
      let entry = try json.member("special_tokens").member(name)
      for spelling in try entry.member("tokens").elements() {
        if isBehindText {
          suffix.append(try spelling.string())
        } else {
          prefix.append(try spelling.string())
        }
      }
    }
    if !isBehindText { throw try json.member("single").wrong(expected: "a Sequence") }
  }

  /// A `TemplateProcessing` of tokens before and behind the text; null if there are none.
  static func json(prefix: [(String, Int)], suffix: [(String, Int)]) -> JSONValue {
    if prefix.isEmpty, suffix.isEmpty { return .null }
    func part(_ kind: String, _ name: String, _ type: Int) -> JSONValue {
      let place: [JSONValue.Member] = [
        .init(key: "id", value: .string(name)), .init(key: "type_id", value: .integer(type)),
      ]
      return .object([.init(key: kind, value: .object(place))])
    }
    func line(_ texts: [(String, Int)]) -> [JSONValue] {
      let before = prefix.map { part("SpecialToken", $0.0, 0) }
      let behind = suffix.map { part("SpecialToken", $0.0, 0) }
      return before + texts.map { part("Sequence", $0.0, $0.1) } + behind
    }
    var seen: Set<Int> = []
    let tokens = (prefix + suffix).filter { seen.insert($0.1).inserted }.map { name, id in
      JSONValue.Member(
        key: name,
        value: .object([
          .init(key: "id", value: .string(name)),
          .init(key: "ids", value: .array([.integer(id)])),
          .init(key: "tokens", value: .array([.string(name)])),
        ]))
    }
    return .object([
      .init(key: "type", value: .string("TemplateProcessing")),
      .init(key: "single", value: .array(line([("A", 0)]))),
      .init(key: "pair", value: .array(line([("A", 0), ("B", 1)]))),
      .init(key: "special_tokens", value: .object(tokens)),
    ])
  }
}
