/// Hashes texts by their words alone: case of ASCII letters, punctuation, white space and HTML tags
/// make no difference.
struct NormalisedTextHasher {
  /// Whether tags are passed over.
  var isHTML: Bool
  private var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  /// Words so far.
  private(set) var wordCount = 0

  init(isHTML: Bool) { self.isHTML = isHTML }

  /// The hash of the words so far.
  var value: UInt64 { StableHash.mixed(hash) }

  /// Adds the words of `text`, which begin and end with it.
  mutating func consume(_ text: [UInt8]) {
    NormalisedWords.forEach(in: text, isHTML: isHTML) { word in
      hash = (hash &* 0x9e37_79b9_7f4a_7c15) ^ word
      hash = hash ^ (hash >> 29)
      wordCount += 1
    }
  }
}

/// The words of a text as hashes: runs of ASCII letters and digits and of other scripts' bytes.
enum NormalisedWords {
  /// Calls `body` with the hash of every word; FNV-1a over its bytes in lower case.
  @inline(__always)
  static func forEach(in text: [UInt8], isHTML: Bool = false, _ body: (UInt64) -> Void) {
    // The table is fetched once: a static is checked for its first use at every access.
    let letters = letters
    text.withUnsafeBufferPointer { bytes in
      var place = 0
      while place < bytes.count {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        let start = place
        while place < bytes.count {
          let letter = letters[Int(bytes[place])]
          if letter == 0 { break }
          hash = (hash ^ UInt64(letter)) &* 0x0000_0100_0000_01b3
          place += 1
        }
        if place > start {
          body(hash)
        } else if isHTML, bytes[place] == UInt8(ascii: "<") {
          while place < bytes.count, bytes[place] != UInt8(ascii: ">") { place += 1 }
        } else {
          place += 1
        }
      }
    }
  }

  /// The letter that a byte counts as, 0 for what parts words.
  private static let letters: [UInt8] = (0...255).map { value in
    let byte = UInt8(value)
    switch byte {
    case 0x30...0x39, 0x61...0x7a, 0x80...: return byte
    case 0x41...0x5a: return byte + 0x20
    default: return 0
    }
  }
}
