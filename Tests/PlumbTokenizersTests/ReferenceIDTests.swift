import Foundation
import PlumbTestSupport
import Testing

@testable import PlumbTokenizers

/// Ids and decoded texts, exactly as other implementations have them.
@Suite struct ReferenceIDTests {
  private struct Golden: Decodable {
    var text: String
    var ids: [Int]
    var decoded: String
  }

  @Test(arguments: ["gpt2_style", "qwen2_style"])
  func goldenCases(name: String) throws {
    let tokenizer = try Cases.golden("\(name).json")
    let cases: [Golden] = try Cases.decode("golden/tokenizers/\(name)_expected.json")
    #expect(cases.count == 14)
    for expected in cases {
      #expect(tokenizer.encode(expected.text) == expected.ids, "\(expected.text)")
      #expect(same(tokenizer.decode(expected.ids), expected.decoded))
    }
  }

  @Test(
    arguments: [
      "gpt2", "qwen2", "llama3", "inverted", "digits", "smollm", "prefix space", "no pattern",
      "flags", "flags nfc", "ignore merges", "few merges", "template", "nested template",
    ])
  func variants(name: String) throws {
    let tokenizer = try Cases.variant(name)
    let variant = try #require(try Cases.file().variants[name])
    #expect(!variant.cases.isEmpty)
    for expected in variant.cases {
      let ids = tokenizer.encode(expected.text)
      #expect(ids == expected.ids, "\(expected.text.debugDescription)")
      #expect(
        tokenizer.encode(expected.text, parsingSpecialTokens: false) == expected.unparsed,
        "\(expected.text.debugDescription)")
      #expect(tokenizer.prefixIDs + ids + tokenizer.suffixIDs == expected.with_ends)
      // tokenizers reads an added "é" as the byte that this letter spells; here it decodes to
      // itself.
      if name == "flags nfc" { continue }
      #expect(same(tokenizer.decode(ids), expected.decoded))
      #expect(same(tokenizer.decode(ids, skippingSpecialTokens: true), expected.skipped))
    }
  }

  @Test func smolLM2() throws {
    struct Reference: Decodable {
      struct Case: Decodable {
        var text: String
        var ids: [Int]
      }
      struct Chat: Decodable {
        var messages: [Message]
        var prompt_ids: [Int]
        var response: String
        var response_ids: [Int]
      }
      var cases: [Case]
      var chat: Chat
    }
    let reference: Reference = try Cases.decode("tokenizers/smollm2/reference.json")
    let tokenizer = try Cases.smolLM2()
    #expect(tokenizer.vocabularySize == 49152)
    for expected in reference.cases {
      #expect(tokenizer.encode(expected.text) == expected.ids)
      #expect(same(tokenizer.decode(expected.ids), expected.text))
    }
    let encoder = try ConversationEncoder(tokenizer: tokenizer, template: .chatML)
    #expect(encoder.prompt(reference.chat.messages) == reference.chat.prompt_ids)
    #expect(encoder.response(reference.chat.response) == reference.chat.response_ids)
    #expect(encoder.decodeResponse(reference.chat.response_ids) == reference.chat.response)
    // Its vocabulary lacks some control characters; they are left out, as tokenizers does.
    #expect(tokenizer.encode("a\u{4}b") == tokenizer.encode("a") + tokenizer.encode("b"))
  }

  @Test func vocabularyFilesGiveTheSameTokenizer() throws {
    let original = try Cases.golden("gpt2_style.json")
    try withTemporaryDirectory { folder in
      try write(original, to: folder)
      let read = try Tokenizer(contentsOf: folder)
      #expect(read.preTokenizer == .gpt2)
      #expect(read.model.merges == original.model.merges)
      // Without a configuration, GPT-2's one special token is the only one.
      #expect(read.addedTokens.map(\.content) == ["<|endoftext|>"])
      let cases = try #require(try Cases.file().variants["gpt2"]).cases
      for expected in cases where !expected.text.contains("<|im_start|>") {
        #expect(read.encode(expected.text) == expected.ids)
      }
    }
  }

  @Test func vocabularyFilesFollowTheConfiguration() throws {
    let original = try Cases.golden("qwen2_style.json")
    try withTemporaryDirectory { folder in
      try write(original, to: folder)
      let config = #"""
        {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": {
          "0": {"content": "<|endoftext|>", "special": true},
          "1": {"content": "<|im_start|>", "special": true},
          "2": {"content": "<|im_end|>", "special": true}}}
        """#
      try Data(config.utf8).write(to: folder.appendingPathComponent("tokenizer_config.json"))
      let read = try Tokenizer(contentsOf: folder)
      #expect(read.fingerprint == original.fingerprint)
    }
  }

  /// The layout of `vocab.json` and `merges.txt`.
  private func write(_ tokenizer: Tokenizer, to folder: URL) throws {
    let ids = 0..<tokenizer.vocabularySize
    let entries = ids.map {
      JSONValue.Member(key: tokenizer.token(of: $0) ?? "", value: .integer($0))
    }
    try JSONWriter.write(.object(entries), to: folder.appendingPathComponent("vocab.json"))
    let lines = tokenizer.model.merges.map {
      "\(tokenizer.token(of: Int($0.left)) ?? "") \(tokenizer.token(of: Int($0.right)) ?? "")\n"
    }
    try Data("#version: 0.2\n\(lines.joined())".utf8)
      .write(to: folder.appendingPathComponent("merges.txt"))
  }
}
