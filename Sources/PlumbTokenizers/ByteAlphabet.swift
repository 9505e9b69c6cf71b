/// GPT-2's spelling of bytes as visible characters, in which byte-level vocabularies are written.
///
/// Printable Latin-1 bytes stand for themselves; the other 68 are shifted to U+0100 and up, so that
/// a space is "Ġ" and a newline "Ċ" (openai/gpt-2, `encoder.py`, `bytes_to_unicode`).
enum ByteAlphabet {
  /// The scalar that spells each byte.
  static let scalars: [Unicode.Scalar] = {
    var shifted: UInt8 = 0
    return (0...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        // 68 shifted bytes: U+0100...U+0143 are all scalars, so the fallback is never taken.
        defer { shifted += 1 }
        return Unicode.Scalar(0x100 + UInt32(shifted)) ?? Unicode.Scalar(byte)
      }
    }
  }()

  /// The byte that each scalar below U+0144 spells.
  private static let bytes: [UInt8?] = {
    var table = [UInt8?](repeating: nil, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = UInt8(byte) }
    return table
  }()

  /// `bytes` as a vocabulary spells them.
  static func spelling(of bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(scalars[Int(byte)]) }
    return String(text)
  }

  /// The bytes that `spelling` stands for; nil if it holds a character outside of the alphabet.
  static func decode(_ spelling: String) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(spelling.utf8.count)
    let table = bytes
    for scalar in spelling.unicodeScalars {
      guard scalar.value < 0x144, let byte = table[Int(scalar.value)] else { return nil }
      result.append(byte)
    }
    return result
  }
}
