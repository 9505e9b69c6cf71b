extension Tokenizer {
  /// SHA-256 over everything that decides which ids a text gets.
  static func fingerprint(
    _ vocabulary: Vocabulary, _ model: BytePairModel, _ addedTokens: [AddedToken],
    _ preTokenizer: PreTokenizer, _ normalization: Normalization,
    _ definition: TokenizerDefinition
  ) -> String {
    var hash = SHA256()
    hash.update(counted: "plumb tokenizer 1")
    hash.update(vocabulary.count)
    for id in vocabulary.usedIDs {
      hash.update(id)
      hash.update(counted: vocabulary.spelling(of: id) ?? "")
    }
    hash.update(model.merges.count)
    for merge in model.merges {
      hash.update(Int(merge.left))
      hash.update(Int(merge.right))
    }
    hash.update(addedTokens.count)
    for token in addedTokens.sorted(by: { $0.id < $1.id }) {
      hash.update(token.id)
      hash.update(counted: token.flags)
    }
    hash.update(counted: normalization.rawValue)
    hash.update(counted: preTokenizer.name)
    hash.update(counted: "\(definition.ignoresMerges) \(definition.fusesUnknown)")
    hash.update(counted: definition.unknownToken ?? "")
    for text in definition.prefixTokens + [""] + definition.suffixTokens {
      hash.update(counted: text)
    }
    return hash.hexadecimalDigest()
  }

  /// What makes `other` another tokenizer, in words; nil if they are one.
  func difference(from other: Tokenizer) -> String? {
    if fingerprint == other.fingerprint { return nil }
    if vocabularySize != other.vocabularySize {
      return "one vocabulary has \(vocabularySize) tokens, the other \(other.vocabularySize)"
    }
    for id in 0..<vocabularySize where bytesDiffer(id, other) {
      let names = [self, other].map { $0.token(of: id).map { "\"\($0)\"" } ?? "no token" }
      return "id \(id) is \(names[0]) in one and \(names[1]) in the other"
    }
    if model.merges != other.model.merges { return "their merges differ" }
    if addedTokens.sorted(by: { $0.id < $1.id }) != other.addedTokens.sorted(by: { $0.id < $1.id })
    {
      return "their added tokens differ"
    }
    if preTokenizer != other.preTokenizer {
      return "one cuts text by \(preTokenizer.name), the other by \(other.preTokenizer.name)"
    }
    if normalization != other.normalization {
      return "one normalizes text by \(normalization.rawValue), the other by "
        + other.normalization.rawValue
    }
    return "they treat unknown bytes, whole tokens, or the ends of a text differently"
  }

  private func bytesDiffer(_ id: Int, _ other: Tokenizer) -> Bool {
    let (mine, theirs) = (token(of: id), other.token(of: id))
    return mine.map { Array($0.utf8) } != theirs.map { Array($0.utf8) }
  }
}

extension AddedToken {
  fileprivate var flags: String {
    "\(isSpecial) \(isSingleWord) \(stripsLeft) \(stripsRight) \(isNormalized)"
  }
}

extension PreTokenizer {
  /// The chain in words; equal chains have equal names.
  var name: String {
    let steps = steps.map { step in
      switch step {
      case .gpt2: "gpt2"
      case .qwen2(let digits): "qwen2(digits: \(digits))"
      case .digits(let individual): "digits(individual: \(individual))"
      }
    }
    return ((addsPrefixSpace ? ["prefix space"] : []) + steps).joined(separator: ", ")
  }
}
