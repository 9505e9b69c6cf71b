/// The parts of a tokenizer, as a file lists them or as training makes them, before they are
/// checked.
///
/// ``Tokenizer/init(_:path:)`` checks them and puts them together.
public struct TokenizerDefinition: Sendable {
  /// Spellings and ids of the model's own vocabulary.
  public var vocabulary: [(spelling: String, id: Int)] = []
  /// Pairs of spellings in the order of their rank.
  public var merges: [(left: String, right: String)] = []
  /// Tokens that are found in a text before any merging.
  public var addedTokens: [AddedToken] = []
  /// How text is cut into pre-tokens.
  public var preTokenizer = PreTokenizer.gpt2
  /// What is done to a text before.
  public var normalization = Normalization.none
  /// Whether a pre-token that is a token is taken as it is, whatever the merges say (Llama 3).
  public var ignoresMerges = false
  /// Stands for bytes that the vocabulary lacks.
  public var unknownToken: String?
  /// Whether a run of such bytes becomes one token.
  public var fusesUnknown = false
  /// Texts of the tokens put before a whole text (a BOS token, mostly none).
  public var prefixTokens: [String] = []
  /// Texts of the tokens put behind a whole text.
  public var suffixTokens: [String] = []

  /// A definition without tokens.
  public init() {}

  /// The two parts of a merge written as `left right`; nil unless there is one space between them.
  public static func merge(_ line: String) -> (left: String, right: String)? {
    let parts = line.utf8.split(
      separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
    return (String(Substring(parts[0])), String(Substring(parts[1])))
  }

  /// The vocabulary with its added tokens; `path` and the keys are for messages.
  func checkedVocabulary(path: String) throws(TokenizerError) -> Vocabulary {
    var result = Vocabulary(minimumCapacity: vocabulary.count + addedTokens.count)
    for (spelling, id) in vocabulary {
      let complaint = result.add(spelling, id: id, isLiteral: false, isSpecial: false)
      if let (expected, found) = complaint {
        throw .field(path: path, key: "model.vocab", expected: expected, found: found)
      }
    }
    for token in addedTokens {
      let complaint = result.add(
        token.content, id: token.id, isLiteral: true, isSpecial: token.isSpecial)
      if let (expected, found) = complaint {
        throw .field(path: path, key: "added_tokens", expected: expected, found: found)
      }
    }
    return result
  }

  /// The merge rules by id; every part and every result must be a token.
  func checkedModel(
    _ vocabulary: Vocabulary, path: String
  ) throws(TokenizerError) -> BytePairModel {
    var rules: [Merge] = []
    rules.reserveCapacity(merges.count)
    for (rank, (left, right)) in merges.enumerated() {
      func id(_ spelling: String) throws(TokenizerError) -> Int32 {
        guard let id = vocabulary.id(of: spelling) else {
          throw .field(
            path: path, key: "model.merges[\(rank)]", expected: "tokens of the vocabulary",
            found: "\"\(left)\" + \"\(right)\", where \"\(spelling)\" is none")
        }
        return Int32(id)
      }
      rules.append(Merge(left: try id(left), right: try id(right), result: try id(left + right)))
    }
    let unknownID = try unknownToken.map { spelling throws(TokenizerError) in
      guard let id = vocabulary.id(of: spelling) else {
        throw TokenizerError.field(
          path: path, key: "model.unk_token", expected: "a token of the vocabulary",
          found: "\"\(spelling)\"")
      }
      return Int32(id)
    }
    let byteIDs = (0...UInt8.max).map { byte in
      vocabulary.id(of: ByteAlphabet.spelling(of: CollectionOfOne(byte))).map(Int32.init) ?? -1
    }
    return BytePairModel(
      byteIDs: byteIDs, unknownID: unknownID, fusesUnknown: fusesUnknown, merges: rules)
  }
}
