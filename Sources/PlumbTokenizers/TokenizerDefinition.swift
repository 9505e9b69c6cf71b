/// The parts of a tokenizer, as a file lists them or as training makes them, before they are
/// checked.
struct TokenizerDefinition: Sendable {
  /// Spellings and ids of the model's own vocabulary.
  var vocabulary: [(spelling: String, id: Int)] = []
  /// Pairs of spellings in the order of their rank.
  var merges: [(left: String, right: String)] = []
  var addedTokens: [AddedToken] = []
  var preTokenizer = PreTokenizer.gpt2
  var normalization = Normalization.none
  var ignoresMerges = false
  var unknownToken: String?
  var fusesUnknown = false
  /// Texts of the tokens put before and behind a whole text by a `TemplateProcessing`.
  var prefixTokens: [String] = []
  var suffixTokens: [String] = []

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
