extension Tokenizer {
  /// Trains a byte-level BPE tokenizer (Sennrich 2016), as Hugging Face's `BpeTrainer` does.
  ///
  /// Ids: the special tokens in their order, the 256 bytes, then one token per merge. The result
  /// depends on the texts alone, not on their order. Special tokens inside the texts count as
  /// ordinary text, and no merge spells one.
  /// - Parameters:
  ///   - texts: the training texts; a pre-token never spans two of them.
  ///   - vocabularySize: tokens wanted; there are fewer if the texts run out of pairs.
  ///   - specialTokens: must be different from each other and from single bytes.
  ///   - pattern: how text is cut into pre-tokens.
  ///   - normalization: nil: NFC for the patterns of the Qwen2 kind, none for the others.
  ///   - minimumCount: pairs that occur less often are not merged.
  ///   - progress: called now and then.
  /// - Throws: `TokenizerError.training` if the sizes do not fit or special tokens clash.
  public static func train(
    on texts: some Sequence<String>, vocabularySize: Int,
    specialTokens: [String] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    pattern: PreTokenizer = .qwen2, normalization: Normalization? = nil, minimumCount: Int = 1,
    progress: (TrainingProgress) -> Void = { _ in }
  ) throws -> Tokenizer {
    try check(specialTokens, vocabularySize: vocabularySize)
    let normalization = normalization ?? pattern.usualNormalization
    var counts = PreTokenCounts()
    var reported = 0
    for text in texts {
      counts.add(text, pattern, normalization)
      if counts.bytesRead - reported >= 1 << 20 {
        reported = counts.bytesRead
        progress(.counting(bytes: reported))
      }
    }
    let firstID = specialTokens.count
    // By their spelling, as `tokenizers` orders its initial alphabet.
    let alphabet = (0...UInt8.max).sorted {
      ByteAlphabet.scalars[Int($0)] < ByteAlphabet.scalars[Int($1)]
    }
    var trainer = MergeTrainer(
      counts, alphabet: alphabet, firstID: firstID, reserved: specialTokens)
    let merges = trainer.train(to: vocabularySize, minimumCount: minimumCount) {
      progress(.merging(tokens: $0, of: vocabularySize))
    }
    let spellings = trainer.tokenBytes.map(ByteAlphabet.spelling)
    var definition = TokenizerDefinition()
    definition.vocabulary = Array(
      zip(specialTokens + spellings, 0..<firstID + spellings.count))
    definition.merges = merges.map {
      (spellings[Int($0.left) - firstID], spellings[Int($0.right) - firstID])
    }
    definition.addedTokens = specialTokens.enumerated().map {
      AddedToken(id: $0.offset, content: $0.element)
    }
    definition.preTokenizer = pattern
    definition.normalization = normalization
    return try Tokenizer(definition, path: "the trained tokenizer")
  }

  private static func check(
    _ specialTokens: [String], vocabularySize: Int
  ) throws(TokenizerError) {
    let least = 256 + specialTokens.count
    guard (least..<Vocabulary.idLimit).contains(vocabularySize) else {
      throw .training(
        expected: "a vocabulary of \(least) (256 bytes and the special tokens) or more",
        found: "\(vocabularySize)")
    }
    var seen = ByteTable()
    for token in specialTokens {
      let isByte = ByteAlphabet.decode(token)?.count == 1
      guard !token.isEmpty, !isByte, seen.insert(token).isNew else {
        throw .training(
          expected: "different special tokens of two characters or more", found: "\"\(token)\"")
      }
    }
  }
}

extension PreTokenizer {
  /// Qwen2 and its kin compose characters first; GPT-2 and SmolLM take the text as it is.
  fileprivate var usualNormalization: Normalization {
    steps.contains { if case .qwen2(digits: 1) = $0 { true } else { false } } ? .nfc : .none
  }
}
