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
  fileprivate var nfc: String { precomposedStringWithCanonicalMapping }
}
