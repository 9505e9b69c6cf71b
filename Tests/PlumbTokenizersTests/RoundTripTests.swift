import Foundation
import PlumbTestSupport
import Testing

@testable import PlumbTokenizers

/// What must hold for any text and any ids.
@Suite struct RoundTripTests {
  @Test func decodingGivesAnyTextBack() throws {
    let tokenizer = try Cases.golden("gpt2_style.json")
    var random = SplitMix(state: 1)
    for _ in 0..<400 {
      var scalars = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...40, using: &random) {
        let limit: UInt32 = [0x80, 0x250, 0x3000, 0x11_0000][Int.random(in: 0..<4, using: &random)]
        let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &random))
        if let scalar { scalars.append(scalar) }
      }
      let text = String(scalars)
      #expect(same(tokenizer.decode(tokenizer.encode(text)), text))
      #expect(same(tokenizer.decode(tokenizer.encode(text, parsingSpecialTokens: false)), text))
    }
  }

  @Test func anyBytesComeBackAsUTF8Repaired() throws {
    let tokenizer = try Cases.golden("gpt2_style.json")
    var random = SplitMix(state: 2)
    for _ in 0..<200 {
      let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(same(tokenizer.decode(tokenizer.encode(text)), text))
    }
  }

  @Test func nothingIsLostBetweenPiecesOfACharacter() throws {
    let tokenizer = try Cases.golden("gpt2_style.json")
    let ids = tokenizer.encode("☃")
    #expect(ids.count > 1)
    #expect(tokenizer.decode([ids[0]]) == "\u{FFFD}")
    #expect(ids.flatMap { tokenizer.bytes(of: $0) ?? [] } == Array("☃".utf8))
  }

  @Test func unknownIDsBecomeReplacementCharacters() throws {
    let tokenizer = try Cases.golden("gpt2_style.json")
    #expect(tokenizer.decode([-1, 1200, .max, .min]) == "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}")
    #expect(tokenizer.token(of: 1200) == nil)
    #expect(tokenizer.bytes(of: -1) == nil)
  }

  // 300,000 pieces in one pre-token: the square of that would take hours.
  @Test(.timeLimit(.minutes(10))) func longPreTokensTakeNoQuadraticTime() throws {
    let tokenizer = try Cases.golden("gpt2_style.json")
    for unit in ["a", "the", "ab", " ", "\n", "☃", "1"] {
      let text = String(repeating: unit, count: 300_000 / unit.utf8.count)
      #expect(same(tokenizer.decode(tokenizer.encode(text)), text))
    }
  }

  @Test func heapAndScanMergeAlike() throws {
    let tokenizer = try Cases.golden("gpt2_style.json")
    var random = SplitMix(state: 3)
    for _ in 0..<50 {
      // Letters of real words, so that many merges apply; more than the 64 bytes of the scan.
      let letters = (0..<200).map { _ in "theandiongrsaeo".randomElement(using: &random) ?? "e" }
      let word = String(letters)
      let expected = merged(Array(word.utf8), by: tokenizer.model)
      #expect(tokenizer.encode(word) == expected.map(Int.init))
    }
  }

  /// The definition of byte pair encoding, word for word.
  private func merged(_ bytes: [UInt8], by model: BytePairModel) -> [Int32] {
    var symbols = bytes.map { model.byteIDs[Int($0)] }
    for merge in model.merges {
      var place = 0
      while place + 1 < symbols.count {
        if symbols[place] == merge.left, symbols[place + 1] == merge.right {
          symbols.replaceSubrange(place...place + 1, with: [merge.result])
        }
        place += 1
      }
    }
    return symbols
  }

  @Test func canonicallyEquivalentTextsStayDifferent() throws {
    let gpt2 = try Cases.golden("gpt2_style.json")
    #expect(gpt2.encode("e\u{301}") != gpt2.encode("\u{E9}"))
    let qwen2 = try Cases.golden("qwen2_style.json")
    #expect(qwen2.encode("e\u{301}") == qwen2.encode("\u{E9}"))
  }

  @Test func resultsDoNotDependOnThreadsOrOnWhatCameBefore() async throws {
    let tokenizer = try Cases.golden("qwen2_style.json")
    let cases = try #require(try Cases.file().variants["qwen2"]).cases
    await withTaskGroup(of: Bool.self) { group in
      for shift in 0..<8 {
        group.addTask {
          cases.indices.allSatisfy { index in
            let expected = cases[(index + shift * 17) % cases.count]
            return tokenizer.encode(expected.text) == expected.ids
          }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  @Test func writtenFilesReadTheSame() throws {
    for name in ["gpt2", "qwen2", "llama3", "digits", "smollm", "prefix space", "no pattern"]
      + ["flags nfc", "ignore merges", "template"]
    {
      let original = try Cases.variant(name)
      try withTemporaryDirectory { folder in
        try original.write(to: folder)
        let read = try Tokenizer(contentsOf: folder)
        #expect(read.fingerprint == original.fingerprint, "\(name)")
        #expect(
          read.encode("The <|im_end|> \u{E9}1 12") == original.encode("The <|im_end|> \u{E9}1 12"))
        let file = folder.appendingPathComponent("tokenizer.json")
        #expect(try Tokenizer(contentsOf: file).fingerprint == original.fingerprint)
      }
    }
  }
}
