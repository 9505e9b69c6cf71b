extension Tokenizer {
  /// The text of `ids`.
  ///
  /// Bytes that are not UTF-8 (a character cut in the middle) and ids that no token has become
  /// U+FFFD.
  /// - Parameters:
  ///   - ids: token ids.
  ///   - skippingSpecialTokens: whether special tokens are left out.
  public func decode(_ ids: [Int], skippingSpecialTokens: Bool = false) -> String {
    var bytes: [UInt8] = []
    for id in ids {
      if skippingSpecialTokens, vocabulary.isSpecial(id) { continue }
      if let token = vocabulary.bytes(of: id) {
        bytes.append(contentsOf: token)
      } else {
        bytes.append(contentsOf: "\u{FFFD}".utf8)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The bytes that `id` stands for, which need not be whole characters; nil if no token has this
  /// id.
  public func bytes(of id: Int) -> [UInt8]? { vocabulary.bytes(of: id) }
}
