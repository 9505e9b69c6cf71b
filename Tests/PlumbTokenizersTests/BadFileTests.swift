import Foundation
import PlumbTestSupport
import Testing

@testable import PlumbTokenizers

/// Every complaint says where, what was expected, and what was found.
@Suite struct BadFileTests {
  private static let good = #"""
    {"added_tokens": [{"id": 3, "content": "<e>", "special": true}], "normalizer": null,
     "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
     "decoder": {"type": "ByteLevel"},
     "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}
    """#

  private func error(replacing old: String, with new: String) throws -> String {
    try #require(Self.good.contains(old))
    return error(in: Self.good.replacingOccurrences(of: old, with: new))
  }

  private func error(in text: String) -> String {
    message {
      _ = try Cases.tokenizer(JSONReader.parse(Array(text.utf8), path: "t.json"), path: "t.json")
    }
  }

  @Test func theGoodFileIsGood() throws {
    let tokenizer = try Cases.tokenizer(
      JSONReader.parse(Array(Self.good.utf8), path: "t.json"), path: "t.json")
    #expect(tokenizer.encode("abba<e>") == [2, 1, 0, 3])
    #expect(tokenizer.vocabularySize == 4)
  }

  @Test(
    arguments: [
      (
        #""a b""#, #""a c""#,
        #"model.merges[0]: expected tokens of the vocabulary, found "a" + "c", where "c" is none"#
      ),
      (#""a b""#, #""b a""#, #"where "ba" is none"#),
      (
        #""a b""#, #""ab""#,
        #"model.merges[0]: expected "left right" or ["left", "right"], found "ab""#
      ),
      (#""a b""#, #"["a"]"#, "found an array of 1"),
      (
        #""b": 1"#, #""b": 0"#, #"model.vocab: expected ids used once, found 0 for "a" and for "b""#
      ),
      (#""b": 1"#, #""a": 1"#, #"expected tokens listed once, found "a" with the ids 0 and 1"#),
      (#""b": 1"#, #""b": -1"#, #"expected an id in 0..<16777216, found -1 for "b""#),
      (#""b": 1"#, #""b": 99999999"#, "expected an id in 0..<16777216"),
      (#""b": 1"#, #""b": "1""#, #"model.vocab["b"]: expected an integer, found "1""#),
      (
        #""id": 3"#, #""id": 2"#,
        #"added_tokens: expected ids used once, found 2 for "ab" and for "<e>""#
      ),
      (#""id": 3, "#, "", "added_tokens[0].id: expected an integer, found nothing"),
      (#""<e>""#, #""""#, "added_tokens[0].content: expected a text"),
      (#""vocab""#, #""words""#, "model.vocab: expected an object, found nothing"),
      (#""merges""#, #""joins""#, "model.merges: expected an array, found nothing"),
      (
        #""BPE""#, #""Unigram""#,
        #"model.type: "Unigram" is not supported; supported: byte-level BPE"#
      ),
      (#""BPE""#, #""WordPiece""#, #""WordPiece" is not supported"#),
      (#""BPE""#, #""BPE", "byte_fallback": true"#, "model.byte_fallback: true is not supported"),
      (#""BPE""#, #""BPE", "dropout": 0.1"#, "model.dropout: 0.1 is not supported"),
      (#""BPE""#, #""BPE", "end_of_word_suffix": "</w>""#, "model.end_of_word_suffix"),
      (
        #""BPE""#, #""BPE", "unk_token": "<unk>""#,
        #"model.unk_token: expected a token of the vocabulary, found "<unk>""#
      ),
      (
        #""normalizer": null"#, #""normalizer": {"type": "Lowercase"}"#,
        #"normalizer.type: "Lowercase" is not supported"#
      ),
      (
        #"{"type": "ByteLevel", "add_prefix_space": false}"#, "null",
        "pre_tokenizer: null is not supported"
      ),
      (
        #"{"type": "ByteLevel", "add_prefix_space": false}"#, #"{"type": "Metaspace"}"#,
        "pre_tokenizer: an object of 1 keys is not supported"
      ),
      (
        #""decoder": {"type": "ByteLevel"}"#, #""decoder": {"type": "WordPiece"}"#,
        #"decoder.type: "WordPiece" is not supported"#
      ),
      (
        #""normalizer": null"#, #""post_processor": {"type": "BertProcessing"}"#,
        #"post_processor.type: "BertProcessing""#
      ),
    ])
  func complaints(old: String, new: String, expected: String) throws {
    let found = try error(replacing: old, with: new)
    #expect(found.hasPrefix("t.json: "))
    #expect(found.contains(expected), "\(found)")
  }

  @Test func unknownExpressionsAreShown() throws {
    let split = #"""
      {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}
      """#
    let found = try error(
      replacing: #"{"type": "ByteLevel", "add_prefix_space": false}"#, with: split)
    let place = "pre_tokenizer.pretokenizers[0].pattern.Regex"
    #expect(found.contains(place + #": "\w+" is not supported"#), "\(found)")
    let isolated = split.replacingOccurrences(of: "Isolated", with: "MergedWithNext")
      .replacingOccurrences(
        of: #"\\w+"#,
        with: #"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"#
      )
    #expect(
      try error(
        replacing: #"{"type": "ByteLevel", "add_prefix_space": false}"#, with: isolated
      ).contains(#""MergedWithNext" is not supported; supported: Isolated"#))
  }

  @Test func everyTruncationIsAnError() throws {
    let bytes = Array(Self.good.utf8)
    for count in 0..<bytes.count {
      #expect(throws: TokenizerError.self) {
        try JSONReader.parse(Array(bytes.prefix(count)), path: "t.json")
      }
    }
  }

  @Test(
    arguments: [
      (#"{"a": 1,}"#, "not valid JSON at byte 8: expected a key in quotes"),
      (#"["\ud800"]"#, "not valid JSON at byte 2: expected no lone surrogate"),
      (#"["\ud800\u0041"]"#, "expected no lone surrogate"), (#"["\udc00"]"#, "no lone surrogate"),
      (#"["\u00g0"]"#, "expected four hexadecimal digits"),
      (#"["\x"]"#, "an escape that JSON knows"),
      ("[\"a\nb\"]", "no raw control character"), ("[1] 2", "expected the end"),
      ("[01x]", "expected \",\" or \"]\""), ("[tru]", "expected true"), ("", "may be truncated"),
      (String(repeating: "[", count: 5000), "expected at most 128 levels"),
      ("[+]", "expected a value"),
    ])
  func brokenJSON(text: String, expected: String) {
    let found = message { _ = try JSONReader.parse(Array(text.utf8), path: "t.json") }
    #expect(found.hasPrefix("t.json: not valid JSON at byte"))
    #expect(found.contains(expected), "\(found)")
  }

  @Test func stringsKeepTheirScalars() throws {
    let text = #"["\u0065\u0301\ud83d\ude00\n\"\\\/", "é", -1.5e2, 7, true, null, {}, []]"#
    let value = try JSONReader.parse(Array(text.utf8), path: "t.json")
    let elements = try JSONNode(path: "t.json", value: value).elements()
    #expect(same(try elements[0].string(), "e\u{301}😀\n\"\\/"))
    #expect(same(try elements[1].string(), "\u{E9}"))
    let again = try JSONReader.parse(value.serialized(), path: "t.json")
    #expect(again.serialized() == value.serialized())
    #expect(throws: TokenizerError.self) {
      try JSONReader.parse([0x22, 0xFF, 0x22], path: "invalid UTF-8")
    }
  }

  @Test func filesThatCannotBeReadOrWritten() throws {
    try withTemporaryDirectory { folder in
      let missing = folder.appendingPathComponent("no")
      #expect(
        message { _ = try Tokenizer(contentsOf: missing) }
          == "\(missing.path): there is no such file or folder")
      #expect(
        message { _ = try Tokenizer(contentsOf: folder) }
          .hasSuffix("holds neither tokenizer.json nor vocab.json with merges.txt"))
      let tokenizer = try Cases.golden("gpt2_style.json")
      #expect(
        message { try tokenizer.write(to: missing.appendingPathComponent("t.json")) }
          .contains("no/t.json: cannot be written"))
      try Data("{}".utf8).write(to: folder.appendingPathComponent("vocab.json"))
      #expect(
        message { _ = try Tokenizer(contentsOf: folder) }.contains("merges.txt: cannot be read"))
      try Data("#version: 0.2\na b c\n".utf8).write(to: folder.appendingPathComponent("merges.txt"))
      #expect(
        message { _ = try Tokenizer(contentsOf: folder) }
          .hasSuffix(#"merges.txt: line 2: expected two tokens and a space, found "a b c""#))
      try Data(#"{"tokenizer_class": "LlamaTokenizer"}"#.utf8)
        .write(to: folder.appendingPathComponent("tokenizer_config.json"))
      try Data().write(to: folder.appendingPathComponent("merges.txt"))
      #expect(
        message { _ = try Tokenizer(contentsOf: folder) }
          .contains(#"tokenizer_class: "LlamaTokenizer" is not supported"#))
    }
  }
}
