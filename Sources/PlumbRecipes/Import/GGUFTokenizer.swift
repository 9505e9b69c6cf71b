import PlumbCheckpoints
import PlumbTokenizers

/// The tokenizer that the metadata of a GGUF file describe: byte-level BPE only.
struct GGUFTokenizer {
  private let file: GGUFFile
  /// Rows of the embedding: no id may be above.
  private let vocabularySize: Int

  init(_ file: GGUFFile, vocabularySize: Int) {
    self.file = file
    self.vocabularySize = vocabularySize
  }

  private static let prefix = "tokenizer.ggml."

  /// The codes of `tokenizer.ggml.token_type`.
  private enum Kind: Int {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  /// What a name in `tokenizer.ggml.pre` stands for.
  private struct Cut {
    let preTokenizer: PreTokenizer
    var normalization = Normalization.none
    var ignoresMerges = false
    /// Whether texts begin with the BOS token where `add_bos_token` does not say.
    var addsBeginning = false
  }

  /// The names that llama.cpp gives the pre-tokenizers that are cut here as Hugging Face cuts them.
  private static let cuts: [(name: String, cut: Cut)] = [
    ("gpt-2", Cut(preTokenizer: .gpt2)),
    ("llama-bpe", Cut(preTokenizer: .llama3, ignoresMerges: true, addsBeginning: true)),
    ("qwen2", Cut(preTokenizer: .qwen2, normalization: .nfc)),
    ("smollm", Cut(preTokenizer: .smolLM)),
    ("starcoder", Cut(preTokenizer: .smolLM)),
  ]

  /// The name in `tokenizer.ggml.pre`.
  func preTokenizerName() throws -> String { try text("pre") }

  /// The checked tokenizer.
  func tokenizer() throws -> Tokenizer {
    let model = try text("model")
    guard model == "gpt2" else { throw unsupported("model", model, "gpt2 (byte-level BPE)") }
    let name = try preTokenizerName()
    let aliases = ["llama3": "llama-bpe", "llama-v3": "llama-bpe", "phi-2": "gpt-2"]
    guard let cut = Self.cuts.first(where: { $0.name == aliases[name] ?? name })?.cut else {
      throw unsupported("pre", name, Self.cuts.map(\.name).joined(separator: ", "))
    }
    var definition = TokenizerDefinition()
    definition.preTokenizer = cut.preTokenizer
    definition.normalization = cut.normalization
    definition.ignoresMerges = cut.ignoresMerges
    if try file.bool(Self.prefix + "add_space_prefix") == true {
      guard cut.preTokenizer == .gpt2 else {
        throw unsupported("add_space_prefix", "true", "false for \(name)")
      }
      definition.preTokenizer.addsPrefixSpace = true
    }
    try addTokens(to: &definition)
    try addMerges(to: &definition)
    if try file.bool(Self.prefix + "add_bos_token") ?? cut.addsBeginning {
      definition.prefixTokens = [try token("bos", definition)]
    }
    if try file.bool(Self.prefix + "add_eos_token") ?? false {
      definition.suffixTokens = [try token("eos", definition)]
    }
    return try Tokenizer(definition, path: file.path)
  }

  private func addTokens(to definition: inout TokenizerDefinition) throws {
    let key = Self.prefix + "tokens"
    guard let tokens = try file.texts(key, limit: vocabularySize) else { throw missing("tokens") }
    guard !tokens.isEmpty else { throw field("tokens", "at least one token", "none") }
    let types =
      try file.integers(Self.prefix + "token_type", limit: vocabularySize)
      ?? [Int](repeating: Kind.normal.rawValue, count: tokens.count)
    guard types.count == tokens.count else {
      throw field("token_type", "\(tokens.count) types, as many as tokens", "\(types.count)")
    }
    for (id, (spelling, type)) in zip(tokens, types).enumerated() {
      guard !spelling.isEmpty else { throw field("tokens[\(id)]", "a text", "an empty one") }
      switch Kind(rawValue: type) {
      case .normal: definition.vocabulary.append((spelling, id))
      case .control, .unknown:
        definition.addedTokens.append(AddedToken(id: id, content: spelling))
      case .userDefined:
        definition.addedTokens.append(AddedToken(id: id, content: spelling, isSpecial: false))
      // Filled up to the rows of the embedding: no text becomes such a token.
      case .unused: break
      case .byte: throw unsupported("token_type[\(id)]", "a byte token", "1 to 5")
      case nil: throw field("token_type[\(id)]", "a type from 1 to 6", "\(type)")
      }
    }
  }

  private func addMerges(to definition: inout TokenizerDefinition) throws {
    // A pair makes one token; a token may be made by several pairs, if by few.
    let limit = 16 * vocabularySize
    guard let merges = try file.texts(Self.prefix + "merges", limit: limit) else {
      throw missing("merges")
    }
    for (rank, line) in merges.enumerated() {
      guard let merge = TokenizerDefinition.merge(line) else {
        throw field("merges[\(rank)]", "two tokens and a space", "\"\(line)\"")
      }
      definition.merges.append(merge)
    }
  }

  /// The spelling of a token that the metadata name by its id.
  private func token(_ name: String, _ definition: TokenizerDefinition) throws -> String {
    let key = "\(name)_token_id"
    guard let id = try file.integer(Self.prefix + key) else { throw missing(key) }
    let added = definition.addedTokens.first { $0.id == id }?.content
    guard let text = added ?? definition.vocabulary.first(where: { $0.id == id })?.spelling else {
      throw field(key, "the id of a token", "\(id)")
    }
    return text
  }

  private func text(_ key: String) throws -> String {
    guard let text = try file.text(Self.prefix + key, limit: 256) else { throw missing(key) }
    return text
  }

  private func missing(_ key: String) -> CheckpointError {
    CheckpointError(
      .missing, path: file.path, "there is no metadata '\(Self.prefix)\(key)'")
  }

  private func field(_ key: String, _ expected: String, _ found: String) -> TokenizerError {
    .field(path: file.path, key: Self.prefix + key, expected: expected, found: found)
  }

  private func unsupported(
    _ key: String, _ found: String, _ supported: String
  ) -> TokenizerError {
    .unsupported(
      path: file.path, key: Self.prefix + key, found: found, supported: supported)
  }
}
