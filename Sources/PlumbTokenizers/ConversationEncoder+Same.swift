extension ConversationEncoder {
  /// Hash of the tokenizer, the template and the end of text, in 64 hexadecimal digits.
  public var fingerprint: String {
    var hash = SHA256()
    hash.update(counted: tokenizer.fingerprint)
    hash.update(counted: template.rawValue)
    hash.update(endOfText)
    return hash.hexadecimalDigest()
  }

  /// Throws unless `other` encodes every conversation to the same ids.
  ///
  /// A policy, its reference, its value model and the judges that read its ids must share one
  /// tokenizer and one template. The error names both fingerprints and what differs.
  public func requireSame(as other: ConversationEncoder) throws {
    guard let difference = difference(from: other) else { return }
    throw TokenizerError.mismatch(
      first: String(fingerprint.prefix(12)), second: String(other.fingerprint.prefix(12)),
      difference: difference)
  }

  private func difference(from other: ConversationEncoder) -> String? {
    if let difference = tokenizer.difference(from: other.tokenizer) { return difference }
    if template != other.template {
      return "one template is \(template.rawValue), the other \(other.template.rawValue)"
    }
    if endOfText != other.endOfText {
      return "a text ends with id \(endOfText) in one, with \(other.endOfText) in the other"
    }
    return nil
  }
}
