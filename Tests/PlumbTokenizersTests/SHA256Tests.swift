import CKernels
import Testing

@testable import PlumbTokenizers

@Suite struct SHA256Tests {
  /// Every code that this machine can run.
  static let codes = [PLUMB_SHA256_PORTABLE, PLUMB_SHA256_X86]
    .filter { $0.rawValue <= plumb_sha256_best_code().rawValue }

  /// FIPS 180-4's published examples.
  static let examples = [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      String(repeating: "a", count: 1_000_000),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    ),
  ]

  /// The digest by one code of bytes that are fed in pieces.
  private func digest(_ code: plumb_sha256_code, _ pieces: [[UInt8]]) -> String {
    var hash = plumb_sha256()
    plumb_sha256_start_on(code, &hash)
    for piece in pieces { plumb_sha256_add(&hash, piece, piece.count) }
    var digest = [UInt8](repeating: 0, count: 32)
    plumb_sha256_digest(&hash, &digest)
    return digest.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  /// Bytes without a pattern.
  private func bytes(_ count: Int) -> [UInt8] {
    var state: UInt64 = 17
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    }
  }

  @Test(arguments: examples) func theExamplesOfTheStandard(text: String, expected: String) {
    var hash = SHA256()
    hash.update(text)
    let found = hash.hexadecimalDigest()
    #expect(found == expected)
    for code in Self.codes {
      let own = digest(code, [Array(text.utf8)])
      #expect(own == expected, "code \(code.rawValue)")
    }
  }

  /// All lengths around three borders of blocks, in one piece and cut in two at every third place.
  @Test func everyCodeAndEveryCutGiveOneDigest() {
    let all = bytes(200)
    for count in 0...all.count {
      let message = Array(all.prefix(count))
      let whole = digest(PLUMB_SHA256_PORTABLE, [message])
      for code in Self.codes {
        let own = digest(code, [message])
        #expect(own == whole, "code \(code.rawValue), \(count) bytes")
        for cut in stride(from: 0, through: count, by: 3) {
          let pieces = digest(code, [Array(message[..<cut]), Array(message[cut...])])
          #expect(pieces == whole, "code \(code.rawValue), \(count) bytes, cut at \(cut)")
        }
      }
    }
  }

  @Test func manySmallPiecesAreOneMessage() {
    let all = bytes(4001)
    let whole = digest(PLUMB_SHA256_PORTABLE, [all])
    for code in Self.codes {
      for size in [1, 7, 63, 64, 65, 1000] {
        let pieces = stride(from: 0, to: all.count, by: size).map {
          Array(all[$0..<min($0 + size, all.count)])
        }
        let found = digest(code, pieces)
        #expect(found == whole, "code \(code.rawValue), pieces of \(size) bytes")
      }
    }
  }

  /// A digest ends nothing, and a copy goes its own way.
  @Test func aHashIsAValue() {
    var hash = SHA256()
    hash.update("ab")
    let early = hash.hexadecimalDigest()
    var copy = hash
    copy.update("c")
    let (before, after) = (hash.hexadecimalDigest(), copy.hexadecimalDigest())
    #expect(early == before)
    #expect(after == Self.examples[1].1)
  }

  /// What is fed beside plain text: the length as eight bytes, lowest first, before a counted text.
  @Test func numbersAndCountedTextsAreBytes() {
    var hash = SHA256()
    hash.update(0x0102)
    hash.update(counted: "abc")
    let found = hash.hexadecimalDigest()
    let expected = digest(
      PLUMB_SHA256_PORTABLE,
      [[2, 1, 0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0, 0, 0], Array("abc".utf8)])
    #expect(found == expected)
  }
}
