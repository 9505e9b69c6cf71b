import Foundation

/// What is done to a text before it is cut.
public enum Normalization: String, Hashable, Sendable {
  /// Nothing.
  case none
  /// Unicode's canonical composition.
  case nfc = "NFC"

  /// `text` normalized.
  func applied(to text: String) -> String {
    switch self {
    case .none: text
    case .nfc: text.unicodeScalars.allSatisfy(Self.isStable) ? text : text.nfc
    }
  }

  /// Whether `bytes`, valid UTF-8, are surely in normal form already.
  func isSurelyApplied(to bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
    switch self {
    case .none: true
    // Bytes below 0xCC begin characters below U+0300.
    case .nfc: bytes.allSatisfy { $0 < 0xCC }
    }
  }

  /// A quick yes for the commonest scripts, which neither decompose nor compose with what precedes.
  private static func isStable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x300, 0x400...0x482, 0x2010...0x203A, 0x3041...0x3096, 0x30A1...0x30FA,
      0x4E00...0x9FFF, 0xAC00...0xD7A3, 0x1F300...0x1FAFF:
      true
    default: false
    }
  }
}

extension String {
  fileprivate var nfc: String {
    expandingNonStarters.precomposedStringWithCanonicalMapping.composingHangul
  }

  /// The four characters whose decomposition begins with a combining mark, decomposed.
  ///
  /// Foundation does not sort their marks among those before them (seen in Swift 6.3 on Linux).
  private var expandingNonStarters: String {
    var result = UnicodeScalarView()
    for scalar in unicodeScalars {
      switch scalar.value {
      case 0x344: result.append(contentsOf: "\u{308}\u{301}".unicodeScalars)
      case 0xF73: result.append(contentsOf: "\u{F71}\u{F72}".unicodeScalars)
      case 0xF75: result.append(contentsOf: "\u{F71}\u{F74}".unicodeScalars)
      case 0xF81: result.append(contentsOf: "\u{F71}\u{F80}".unicodeScalars)
      default: result.append(scalar)
      }
    }
    return String(result)
  }

  /// Foundation leaves a Hangul syllable without a final consonant and a following final consonant
  /// apart (seen in Swift 6.3 on Linux); Unicode composes them (section 3.12).
  private var composingHangul: String {
    let finals = UInt32(0x11A8)...0x11C2
    guard unicodeScalars.contains(where: { finals.contains($0.value) }) else { return self }
    var result = UnicodeScalarView()
    for scalar in unicodeScalars {
      let last = result.last?.value ?? 0
      let isOpenSyllable = (0xAC00...0xD7A3).contains(last) && (last - 0xAC00) % 28 == 0
      if isOpenSyllable, finals.contains(scalar.value),
        let syllable = Unicode.Scalar(last + scalar.value - 0x11A7)
      {
        result.removeLast()
        result.append(syllable)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }
}
