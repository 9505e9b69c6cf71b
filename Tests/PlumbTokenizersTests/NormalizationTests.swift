import Testing

@testable import PlumbTokenizers

/// Canonical composition, where Foundation alone falls short.
@Suite struct NormalizationTests {
  @Test(
    arguments: [
      ("e\u{301}", "\u{E9}"), ("\u{1100}\u{1161}\u{11A8}", "\u{AC01}"),
      ("\u{AC00}\u{11A8}", "\u{AC01}"), ("\u{AC00}\u{11A7}", "\u{AC00}\u{11A7}"),
      ("\u{AC01}\u{11A8}", "\u{AC01}\u{11A8}"),
      ("\u{AC00}\u{301}\u{11A8}", "\u{AC00}\u{301}\u{11A8}"),
      ("\u{212B}", "\u{C5}"), ("\u{344}", "\u{308}\u{301}"), ("u\u{344}", "\u{1D8}"),
      ("\u{36E}\u{F81}", "\u{F71}\u{F80}\u{36E}"), ("\u{958}", "\u{915}\u{93C}"),
      ("a\u{327}\u{301}\u{323}", "\u{1EA1}\u{327}\u{301}"), ("中文", "中文"),
    ])
  func composes(text: String, expected: String) {
    #expect(same(Normalization.nfc.applied(to: text), expected))
    #expect(same(Normalization.none.applied(to: text), text))
  }
}
