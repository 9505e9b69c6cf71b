import CKernels

/// The Secure Hash Algorithm with 256 bits (FIPS 180-4), fed piece by piece.
///
/// Swift's own hash is seeded anew in every process, and Foundation on Linux has none.
package struct SHA256: Sendable {
  private var hash = plumb_sha256()

  /// The hash of nothing yet.
  package init() { plumb_sha256_start(&hash) }

  /// Feeds bytes.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    plumb_sha256_add(&hash, bytes.baseAddress, bytes.count)
  }

  /// Feeds the UTF-8 of a text.
  package mutating func update(_ text: String) {
    var text = text
    text.withUTF8 { update(UnsafeRawBufferPointer($0)) }
  }

  /// Feeds the length of a text and the text, so that no two lists of texts look alike.
  mutating func update(counted text: String) {
    update(text.utf8.count)
    update(text)
  }

  /// Feeds the eight bytes of `number`, lowest first.
  mutating func update(_ number: Int) {
    withUnsafeBytes(of: Int64(number).littleEndian) { update($0) }
  }

  /// The digest of everything fed, in 64 hexadecimal digits.
  package func hexadecimalDigest() -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    withUnsafePointer(to: hash) { plumb_sha256_digest($0, &digest) }
    return digest.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }
}
