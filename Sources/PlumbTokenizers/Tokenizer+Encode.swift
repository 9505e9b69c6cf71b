extension Tokenizer {
  /// The ids of `text`, without the tokens of a post-processor (`prefixIDs`, `suffixIDs`).
  ///
  /// - Parameters:
  ///   - text: any text.
  ///   - parsingSpecialTokens: whether "<|endoftext|>" in the text is the special token (true), or
  ///     just these 13 characters (false). Added tokens that are not special are found anyway.
  /// - Returns: ids in `0..<vocabularySize`.
  public func encode(_ text: String, parsingSpecialTokens: Bool = true) -> [Int] {
    var ids: [Int32] = []
    memo.with { memo in
      var encoding = Encoding(tokenizer: self, memo: memo)
      // The memo is moved, not copied: two owners would copy it on the first write.
      memo = .init()
      encoding.add(text, parsingSpecialTokens: parsingSpecialTokens)
      memo = encoding.memo
      ids = encoding.ids
    }
    return ids.map(Int.init)
  }
}

/// One call of `encode`: what it has found so far, and its working memory.
private struct Encoding {
  let tokenizer: Tokenizer
  var memo: EncodingMemo.Contents
  var ids: [Int32] = []
  var scratch = BytePairModel.Scratch()

  /// Added tokens are cut out of the raw text, then those looked for in normalized text, then the
  /// rest is cut into pre-tokens.
  mutating func add(_ text: String, parsingSpecialTokens: Bool) {
    withBytes(text) { encoding, bytes in
      encoding.split(bytes, encoding.tokenizer.rawMatcher, parsingSpecialTokens) {
        $0.normalize(bytes, $1, parsingSpecialTokens)
      }
    }
  }

  private mutating func normalize(
    _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ parsingSpecialTokens: Bool
  ) {
    if tokenizer.normalization.isSurelyApplied(to: bytes[range]) {
      splitNormalized(UnsafeBufferPointer(rebasing: bytes[range]), parsingSpecialTokens)
    } else {
      let text = String(decoding: bytes[range], as: UTF8.self)
      withBytes(tokenizer.normalization.applied(to: text)) { encoding, bytes in
        encoding.splitNormalized(bytes, parsingSpecialTokens)
      }
    }
  }

  private mutating func splitNormalized(
    _ bytes: UnsafeBufferPointer<UInt8>, _ parsingSpecialTokens: Bool
  ) {
    split(bytes, tokenizer.normalizedMatcher, parsingSpecialTokens) { encoding, range in
      let needsSpace =
        encoding.tokenizer.preTokenizer.addsPrefixSpace
        && bytes[range.lowerBound] != UInt8(ascii: " ")
      if needsSpace {
        let text = " " + String(decoding: bytes[range], as: UTF8.self)
        encoding.withBytes(text) { $0.addText($1, 0..<$1.count) }
      } else {
        encoding.addText(bytes, range)
      }
    }
  }

  private mutating func split(
    _ bytes: UnsafeBufferPointer<UInt8>, _ matcher: AddedTokenMatcher,
    _ parsingSpecialTokens: Bool, text: (inout Encoding, Range<Int>) -> Void
  ) {
    guard !bytes.isEmpty else { return }
    guard !matcher.isEmpty else { return text(&self, 0..<bytes.count) }
    let pieces = matcher.split(
      bytes, 0..<bytes.count, parsingSpecialTokens: parsingSpecialTokens)
    for piece in pieces {
      if let id = piece.id { ids.append(Int32(id)) } else { text(&self, piece.range) }
    }
  }

  private mutating func addText(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
    ClassifiedText.with(bytes) { text in
      tokenizer.preTokenizer.split(text, from: range.lowerBound, to: range.upperBound) {
        addPreToken(UnsafeBufferPointer(rebasing: bytes[$0..<$1]))
      }
    }
  }

  private mutating func addPreToken(_ bytes: UnsafeBufferPointer<UInt8>) {
    let isShort = bytes.count <= EncodingMemo.Contents.longestKey
    if isShort, let known = memo.ids(of: bytes) {
      ids.append(contentsOf: known)
      return
    }
    if let id = tokenizer.wholeTokens?.id(of: bytes) {
      ids.append(id)
      return
    }
    let start = ids.count
    tokenizer.model.encode(bytes, into: &ids, scratch: &scratch)
    if isShort { memo.store(ids[start...], for: bytes) }
  }

  private mutating func withBytes(
    _ text: String, _ body: (inout Encoding, UnsafeBufferPointer<UInt8>) -> Void
  ) {
    var text = text
    text.withUTF8 { body(&self, $0) }
  }
}

/// Tokens by their bytes, for `ignore_merges`: a pre-token that is a token is taken as it is.
struct WholeTokens: Sendable {
  private var bytes: ByteTable
  private var ids: [Int32] = []

  /// Special tokens are left out: text must not become one.
  init(_ entries: [(spelling: String, id: Int)], _ vocabulary: Vocabulary) {
    bytes = ByteTable(minimumCapacity: entries.count)
    for (_, id) in entries where !vocabulary.isSpecial(id) {
      guard let content = vocabulary.bytes(of: id) else { continue }
      if content.withUnsafeBufferPointer({ bytes.insert($0) }).isNew { ids.append(Int32(id)) }
    }
  }

  func id(of key: UnsafeBufferPointer<UInt8>) -> Int32? {
    bytes.find(key).flatMap { ids[$0] >= 0 ? ids[$0] : nil }
  }

  mutating func remove(_ removed: Set<Int>) {
    for index in ids.indices where removed.contains(Int(ids[index])) { ids[index] = -1 }
  }
}
