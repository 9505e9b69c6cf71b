public import PlumbTokenizers

/// A hash that is the same on every machine and in every run, unlike `Hasher`.
public enum StableHash {
  /// FNV-1a over the UTF-8 bytes, then SplitMix64's finaliser over it and the seed.
  ///
  /// FNV alone leaves its high bits poorly mixed for short texts; the finaliser makes every bit of
  /// the result depend on every bit of text and seed.
  public static func of(_ text: String, seed: UInt64 = 0) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return mixed(hash &+ mixed(seed &+ 0x9e37_79b9_7f4a_7c15))
  }

  /// A number in [0, 1) from the upper 53 bits of the hash.
  public static func unit(_ text: String, seed: UInt64 = 0) -> Double {
    Double(of(text, seed: seed) >> 11) * 0x1p-53
  }

  /// SplitMix64's finaliser.
  static func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// The text that stands for a prompt when rows are split or compared.
public enum PromptKey {
  /// The first user turn, or the first turn if the user has none, without outer white space.
  public static func of(_ prompt: [Message]) -> String {
    let turn = prompt.first { $0.role == "user" } ?? prompt.first
    return trimmed(turn?.content ?? "")
  }
}

/// `text` without white space at both ends.
func trimmed(_ text: String) -> String {
  let scalars = text.unicodeScalars
  guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
    let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
  else { return "" }
  return String(scalars[first...last])
}
