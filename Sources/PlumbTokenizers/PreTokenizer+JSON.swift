extension PreTokenizer {
  private static let gpt2Pattern =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  private static func qwen2Pattern(_ numbers: String) -> String {
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// The expressions that have a scanner, as files spell them.
  private static let patterns: [(expression: String, step: Step)] = [
    (gpt2Pattern, .gpt2),
    (qwen2Pattern(#"\p{N}"#), .qwen2(digits: 1)),
    (qwen2Pattern(#"\p{N}{1,3}"#), .qwen2(digits: 3)),
  ]

  /// The chain that a `pre_tokenizer` of `tokenizer.json` describes; it must end with `ByteLevel`.
  init(json: JSONNode) throws(TokenizerError) {
    self.init(steps: [])
    let parts = try Self.flattened(json)
    let supported = "ByteLevel, or a Sequence of Split and Digits that ends with ByteLevel"
    guard let last = parts.last, try last.member("type").string() == "ByteLevel" else {
      throw json.unsupported(supported: supported)
    }
    for part in parts.dropLast() {
      let type = try part.member("type")
      switch try type.string() {
      case "Split": steps.append(try Self.split(part))
      case "Digits":
        steps.append(.digits(individual: try part.member("individual_digits").bool(or: false)))
      default: throw type.unsupported(supported: supported)
      }
    }
    let prefix = try last.member("add_prefix_space")
    addsPrefixSpace = try prefix.bool(or: true)
    if addsPrefixSpace, !steps.isEmpty {
      throw prefix.unsupported(supported: "false behind another pre-tokenizer")
    }
    if try last.member("use_regex").bool(or: true) { steps.append(.gpt2) }
  }

  private static func flattened(_ node: JSONNode) throws(TokenizerError) -> [JSONNode] {
    guard !node.isNull else { return [] }
    guard try node.member("type").string() == "Sequence" else { return [node] }
    var result: [JSONNode] = []
    for part in try node.member("pretokenizers").elements() { result += try flattened(part) }
    return result
  }

  /// A `Split` that keeps everything: the matches (with what lies between them) are the pieces.
  private static func split(_ node: JSONNode) throws(TokenizerError) -> Step {
    let expression = try node.member("pattern").member("Regex")
    guard !expression.isNull else {
      throw try node.member("pattern").unsupported(supported: "a known Regex")
    }
    let text = try expression.string()
    guard let known = patterns.first(where: { $0.expression.utf8.elementsEqual(text.utf8) }) else {
      throw expression.unsupported(
        supported: "the expressions of GPT-2, Qwen2 and Llama 3, which are cut by hand-written code"
      )
    }
    let behavior = try node.member("behavior")
    let isInverted = try node.member("invert").bool(or: false)
    // The known expressions match every character, so "remove what does not match" removes nothing.
    switch (try behavior.string(), isInverted) {
    case ("Isolated", _), ("Removed", true): return known.step
    default: throw behavior.unsupported(supported: "Isolated, or Removed with invert")
    }
  }

  /// The chain as `tokenizer.json` has it.
  var json: JSONValue {
    var parts = steps.map { step -> JSONValue in
      if case .digits(let individual) = step {
        return .object([
          .init(key: "type", value: .string("Digits")),
          .init(key: "individual_digits", value: .bool(individual)),
        ])
      }
      let expression = Self.patterns.first { $0.step == step }?.expression ?? ""
      return .object([
        .init(key: "type", value: .string("Split")),
        .init(
          key: "pattern",
          value: .object([.init(key: "Regex", value: .string(expression))])),
        .init(key: "behavior", value: .string("Isolated")),
        .init(key: "invert", value: .bool(false)),
      ])
    }
    let endsWithGPT2 = steps.last == .gpt2
    if endsWithGPT2 { parts.removeLast() }
    parts.append(Self.byteLevel(addsPrefixSpace: addsPrefixSpace, usesRegex: endsWithGPT2))
    if parts.count == 1 { return parts[0] }
    return .object([
      .init(key: "type", value: .string("Sequence")),
      .init(key: "pretokenizers", value: .array(parts)),
    ])
  }

  static func byteLevel(addsPrefixSpace: Bool, usesRegex: Bool) -> JSONValue {
    .object([
      .init(key: "type", value: .string("ByteLevel")),
      .init(key: "add_prefix_space", value: .bool(addsPrefixSpace)),
      .init(key: "trim_offsets", value: .bool(true)),
      .init(key: "use_regex", value: .bool(usesRegex)),
    ])
  }
}
