public import Foundation

/// A byte-level BPE tokenizer (Sennrich 2016; Radford 2019), equal to Hugging Face `tokenizers`.
///
/// Token ids are `0..<vocabularySize`. Every text can be encoded; if the vocabulary holds all 256
/// bytes and nothing is normalized, decoding gives it back. Bytes that a vocabulary lacks
/// (SmolLM2's lacks some control characters) become its unknown token, or nothing if it has none,
/// as in `tokenizers`.
public struct Tokenizer: Sendable {
  let vocabulary: Vocabulary
  let model: BytePairModel
  /// Whole pre-tokens that need no merge, where the file says `ignore_merges`.
  private(set) var wholeTokens: WholeTokens?
  private(set) var rawMatcher: AddedTokenMatcher
  private(set) var normalizedMatcher: AddedTokenMatcher
  private(set) var memo = EncodingMemo()

  /// Tokens that are found in a text before any merging.
  public let addedTokens: [AddedToken]
  /// How text is cut into pre-tokens.
  public let preTokenizer: PreTokenizer
  /// What is done to a text before.
  public let normalization: Normalization
  /// Ids that a model of this tokenizer expects before a whole text (a BOS token, mostly none).
  ///
  /// From the file's `TemplateProcessing`. `encode` never adds them by itself.
  public let prefixIDs: [Int]
  /// Ids that a model of this tokenizer expects behind a whole text, mostly none.
  public let suffixIDs: [Int]
  /// Hash of vocabulary, merges, added tokens, normalization and pattern, in 64 hexadecimal digits.
  public let fingerprint: String
  /// Where the tokenizer came from, for messages.
  public let path: String

  /// Reads a `tokenizer.json`, or a folder with one, or a folder with `vocab.json` and
  /// `merges.txt`.
  ///
  /// Throws `TokenizerError` for everything that is damaged or not byte-level BPE.
  public init(contentsOf url: URL) throws {
    try self.init(TokenizerFile.definition(at: url), path: url.path)
  }

  /// Puts a tokenizer together from its parts.
  /// - Parameters:
  ///   - definition: the parts; every merge must join tokens to a token, ids are used once.
  ///   - path: where the parts came from, for messages.
  public init(_ definition: TokenizerDefinition, path: String) throws(TokenizerError) {
    vocabulary = try definition.checkedVocabulary(path: path)
    model = try definition.checkedModel(vocabulary, path: path)
    wholeTokens =
      definition.ignoresMerges ? WholeTokens(definition.vocabulary, vocabulary) : nil
    addedTokens = definition.addedTokens
    preTokenizer = definition.preTokenizer
    normalization = definition.normalization
    rawMatcher = AddedTokenMatcher(
      addedTokens.filter { !$0.isNormalized }, normalization: .none)
    normalizedMatcher = AddedTokenMatcher(
      addedTokens.filter(\.isNormalized), normalization: normalization)
    self.path = path
    prefixIDs = try Self.ids(definition.prefixTokens, in: vocabulary, path: path)
    suffixIDs = try Self.ids(definition.suffixTokens, in: vocabulary, path: path)
    fingerprint = Self.fingerprint(
      vocabulary, model, addedTokens, preTokenizer, normalization, definition)
  }

  /// The same tokenizer, but `ids` are special tokens even if the file does not call them so.
  ///
  /// Only for encoding.
  func protecting(_ ids: Set<Int>) -> Tokenizer {
    var copy = self
    let tokens = addedTokens.map { token in
      var token = token
      token.isSpecial = token.isSpecial || ids.contains(token.id)
      return token
    }
    copy.rawMatcher = AddedTokenMatcher(
      tokens.filter { !$0.isNormalized }, normalization: .none)
    copy.normalizedMatcher = AddedTokenMatcher(
      tokens.filter(\.isNormalized), normalization: normalization)
    copy.wholeTokens?.remove(ids)
    copy.memo = EncodingMemo()
    return copy
  }

  private static func ids(
    _ spellings: [String], in vocabulary: Vocabulary, path: String
  ) throws(TokenizerError) -> [Int] {
    try spellings.map { spelling throws(TokenizerError) in
      guard let id = vocabulary.id(of: spelling) else {
        throw .missingToken(path: path, token: spelling, reason: "which post_processor names")
      }
      return id
    }
  }

  /// The highest id plus one: the number of rows an embedding needs.
  public var vocabularySize: Int { vocabulary.size }

  /// The id of a token as the vocabulary spells it: "Ġthe" is " the", "<|endoftext|>" is itself.
  public func id(of token: String) -> Int? { vocabulary.id(of: token) }

  /// The vocabulary's spelling of `id`, nil if no token has it.
  public func token(of id: Int) -> String? { vocabulary.spelling(of: id) }

  /// Whether `id` is a special token.
  public func isSpecial(_ id: Int) -> Bool { vocabulary.isSpecial(id) }
}
