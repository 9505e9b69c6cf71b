import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct HostileDataTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let content: String
    let kind: DataError.Kind
    let line: Int?
    let says: String

    init(_ content: String, _ kind: DataError.Kind, _ line: Int?, _ says: String) {
      (testDescription, self.content, self.kind) = (String(content.prefix(40)), content, kind)
      (self.line, self.says) = (line, says)
    }
  }

  static let good = #"{"prompt":"a","chosen":"b","rejected":"c"}"#

  static let cases = [
    Case("", .noUsableRows, nil, "no rows"),
    Case("\n \n\r\n", .noUsableRows, nil, "no rows"),
    Case("[]", .noUsableRows, nil, "no rows"),
    Case("\(good)\n\n{\"prompt\":", .invalidJSON, 3, "column 11"),
    Case("\(good)\n\(good)x\n", .invalidJSON, 2, "expected the end of the text, found 'x'"),
    Case("\(good)\nnonsense", .invalidJSON, 2, "'nonsense'"),
    Case("\(good)\n[1]", .unknownSchema, 2, "expected an object, found a list"),
    Case("\(good)\n3", .unknownSchema, 2, "a number"),
    Case("{}", .unknownSchema, 1, "none"),
    Case(#"{"foo":1,"bar":2}"#, .unknownSchema, 1, "foo, bar"),
    Case(#"{"prompt":"a","chosen":"b"}"#, .unknownSchema, 1, "'rejected'"),
    Case(#"{"prompt":3,"chosen":"b","rejected":"c"}"#, .unknownSchema, 1, "'prompt'"),
    Case(#"{"prompt":"a","chosen":true,"rejected":"c"}"#, .unknownSchema, 1, "'chosen'"),
    Case(#"{"prompt":"a","chosen":["b"],"rejected":["c"]}"#, .unknownSchema, 1, "role"),
    Case(#"{"prompt":"a","chosen":"b","rejected":[]}"#, .unknownSchema, 1, "'rejected'"),
    Case(#"{"chosen":"b","rejected":"c"}"#, .unknownSchema, 1, "Human:"),
    Case(#"{"messages":"a","chosen":"b","rejected":"c"}"#, .unknownSchema, 1, "list of messages"),
    Case(#"{"messages":[{"role":"","content":"a"}]}"#, .unknownSchema, 1, "role"),
    Case(#"{"messages":[{"role":"user","content":4}]}"#, .unknownSchema, 1, "'messages'"),
    Case(#"{"prompt":"a","completion":"b","label":"maybe"}"#, .unknownSchema, 1, "'label'"),
    Case(#"{"title":"a","answers":3}"#, .unknownSchema, 1, "'answers'"),
    Case(#"{"title":"a","answers":[{"text":"b"}]}"#, .unknownSchema, 1, "answers[0].score"),
    Case(#"{"title":"a","answers":[{"score":1}]}"#, .unknownSchema, 1, "answers[0].text"),
    Case(#"{"chosen":[],"rejected":[{"role":"user","content":"a"}]}"#, .noUsableRows, nil, "empty"),
  ]

  @Test(arguments: cases) func refuses(_ item: Case) throws {
    try withFile(item.content) { url in
      let error = dataError { _ = try DataFile.preferencePairs(url) }
      #expect(error?.kind == item.kind)
      #expect(error?.line == item.line)
      #expect(error?.file == url.path)
      #expect(error?.description.contains(item.says) == true, "\(error?.description ?? "")")
      #expect(throws: DataError.self) { _ = try DataFile.inspect(url) }
    }
  }

  @Test func rowsOfAnotherKindAreNotEnough() throws {
    try withFile(#"{"text":"a"}"#) { url in
      let error = dataError { _ = try DataFile.preferencePairs(url) }
      #expect(error?.found == "1 rows (no preference: 1)")
    }
  }

  @Test func invalidListNamesTheLine() throws {
    try withFile("[\n{\"prompt\": \"a\"},\n{]", named: "list.json") { url in
      let error = #expect(throws: CheckpointError.self) { _ = try DataFile.prompts(url) }
      #expect(error?.message == "invalid JSON at line 3")
    }
  }

  @Test func filesThatAreNone() throws {
    try withTemporaryDirectory { folder in
      #expect(throws: CheckpointError.self) { _ = try DataFile.inspect(folder) }
      let missing = #expect(throws: CheckpointError.self) {
        _ = try DataFile.inspect(folder.appending(path: "none.jsonl"))
      }
      #expect(missing?.kind == .missing)
    }
  }

  @Test func truncatedCompressedFile() throws {
    let lines = (0..<5000).map { #"{"prompt":"p\#($0)","chosen":"b\#($0)","rejected":"c"}"# }
    try withTemporaryDirectory { folder in
      for name in ["a.jsonl.gz", "a.jsonl.zst"] {
        let url = folder.appending(path: name)
        try LineWriter.write(lines, to: url)
        #expect(try DataFile.preferencePairs(url).rows.count == 5000)
        try Data(contentsOf: url).dropLast(100).write(to: url)
        let error = #expect(throws: CheckpointError.self) { _ = try DataFile.preferencePairs(url) }
        #expect(error?.kind == .truncated)
      }
    }
  }

  /// Every prefix of a row and every flipped bit: rows or an error, never a trap.
  @Test func survivesDamage() throws {
    let rows = [
      #"{"id":1,"messages":[{"role":"user","content":"ä"}],"chosen":"b","rejected":"c","margin":1}"#,
      #"{"title":"t","body":"b","answers":[{"id":1,"score":2,"accepted":true,"text":"x"}]}"#,
      #"{"chosen":"\n\nHuman: a\n\nAssistant: b","rejected":"\n\nHuman: a\n\nAssistant: c"}"#,
    ]
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "rows.jsonl")
      for row in rows {
        let bytes = Array(row.utf8)
        for place in bytes.indices {
          var flipped = bytes
          flipped[place] ^= UInt8(1 << (place % 7))
          for content in [Array(bytes[..<place]), flipped] {
            try Data(content).write(to: url)
            _ = try? DataFile.inspect(url)
          }
        }
      }
    }
  }
}
