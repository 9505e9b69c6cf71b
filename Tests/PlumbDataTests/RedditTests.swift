import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

@testable import PlumbData

/// Reddit's submissions and comments, and threads that are already whole.
@Suite struct RedditTests {
  static func submission(_ id: String, _ title: String, _ more: String = "") -> String {
    "{\"author\":\"a\",\"id\":\"\(id)\",\"title\":\"\(title)\",\"selftext\":\"body\","
      + "\"subreddit\":\"cooking\",\"score\":5,\"created_utc\":1325376000\(more)}\n"
  }

  static func comment(
    _ id: String, on link: String, score: Int, _ body: String, parent: String? = nil,
    _ more: String = ""
  ) -> String {
    "{\"id\":\"\(id)\", \"link_id\":\"t3_\(link)\",\"parent_id\":\"\(parent ?? "t3_" + link)\","
      + "\"media\":{\"id\":\"zz\",\"x\":[\"}\",\"\\\\\\\"\"]},\"body\":\"\(body)\",\"score\":\(score),"
      + "\"created_utc\":\"132537\(6001 + score)\"\(more)}\n"
  }

  static let submissions = [
    submission("abc1", "Why &amp; how\\u003f \\ud83d\\ude00"),
    submission("abc2", "Gone")
      .replacing("\"body\"", with: "\"[removed]\""),
    submission("abc3", "For adults", ",\"over_18\":true"), "{\"id\":\"abc4\",\"title\":\"cut",
  ].joined()

  static let comments = [
    comment("c1", on: "abc1", score: 2, "x &lt; y\\nz"),
    comment("c2", on: "abc1", score: 9, "better"),
    comment("c3", on: "abc1", score: 50, "[deleted]"),
    comment("c4", on: "abc1", score: 50, "nested", parent: "t1_c1"),
    comment("c5", on: "abc1", score: 50, "pinned", ",\"stickied\":true"),
    comment("c6", on: "abc1", score: 50, "bot", ",\"author\":\"AutoModerator\""),
    comment("c7", on: "abc1", score: 50, "secret", ",\"score_hidden\":true"),
    comment("c8", on: "abc2", score: 1, "a"), comment("c9", on: "abc3", score: 1, "a"),
    comment("ca", on: "abc3", score: 2, "b"), comment("cb", on: "abc1", score: 3, "bad \\x escape"),
    "not json\n", "\n", "[1]\n", "{}\n", "{\"id\":\"q\",\"score\":1}\n", "{\"id\":\"UPPER\"}\n",
    "{\"id\":\"q\",\"score\":1,\"body\":\"b\",\"link_id\":\"x\",\"parent_id\":\"x\"}\n",
  ].joined()

  /// One of the two files alone gives no pair, and the report says which other is missing.
  @Test func oneFileAloneIsNoted() throws {
    let questions = try makePairs([("RS_2012-01", Data(Self.submissions.utf8))])
    let answers = try makePairs([("RC_2012-01", Data(Self.comments.utf8))])
    #expect(questions.ids.isEmpty && answers.ids.isEmpty)
    #expect(questions.report.notes.count == 1 && answers.report.notes.count == 1)
    #expect(questions.report.notes.first?.contains("there is no answer") == true)
    #expect(answers.report.notes.first?.contains("there is no question") == true)
  }

  @Test func submissionsAndTheirComments() throws {
    let made = try makePairs([
      ("RS_2012-01", Data(Self.submissions.utf8)), ("RC_2012-01", Data(Self.comments.utf8)),
    ])
    #expect(made.ids == ["r/cooking-abc1-c2-c1", "r/cooking-abc3-ca-c9"])
    #expect(made.report.notes.isEmpty)
    let row = try #require(made.all.first { $0["id"]?.string == "r/cooking-abc1-c2-c1" })
    #expect(row["messages"]?.array?.first?["content"]?.string == "Why & how? 😀\n\nbody")
    #expect(row["rejected"]?.string == "x < y\nz" && row["margin"]?.integer == 7)
    #expect(row["url"]?.string == "https://www.reddit.com/comments/abc1")
    #expect(row["url_chosen"]?.string == "https://www.reddit.com/comments/abc1/_/c2")
    #expect(row["created_rejected"]?.string == "2012-01-01T00:00:03")
    #expect(row["license"] == nil && row["source"]?.string == "r/cooking")
    #expect(made.count(.deleted) == 2 && made.count(.nestedReply) == 1)
    #expect(made.count(.moderator) == 2 && made.count(.hiddenScore) == 1)
    #expect(made.count(.orphan) == 1, "a comment on a removed submission")
    #expect(made.count(.malformed) == 8 && made.count(.rows) == 4 + 17)
    let strict = try makePairs(
      [("RS_1", Data(Self.submissions.utf8)), ("RC_1", Data(Self.comments.utf8))]
    ) { ($0.skipsAdult, $0.heldOutSites) = (true, ["r/cooking"]) }
    #expect(strict.count(.adult) == 1 && strict.rows["held-out"]?.count == 1)
  }

  /// Reddit's frames need a window of 2^31 bytes; this one was made by `zstd --ultra --long=31`.
  @Test func aFrameWithTheLargestWindow() throws {
    let content = try Data(contentsOf: fixture("reddit-comments-long31.zst"))
    // The window descriptor: exponent 31 - 10 in the upper five bits (RFC 8878, 3.1.1.1.2).
    #expect(content[5] == 21 << 3)
    let made = try makePairs([
      ("RS_2012-01", Data(Self.submissions.utf8)), ("RC_2012-01.zst", content),
    ])
    #expect(made.ids == ["r/cooking-abc1-k2-k1"] && made.report.inputs[1].notes.isEmpty)
  }

  @Test(arguments: [
    ("{\"a\":1}", true), (" { \"a\" : [ {\"b\": \"]\"} ] , \"c\" : null } ", true), ("{}", true),
    ("{\"a\":1", false), ("{\"a\":1}}", false), ("{\"a\":1,}", false), ("{a:1}", false),
    ("{\"a\":\"\\\"}", false), ("{\"a\":\"\\\\\"}", true), ("{\"a\" 1}", false), ("", false),
    ("{\"a\":tru}", false), ("{\"a\":[1}", false), ("{\"a\":\"b\" \"c\":1}", false),
  ])
  func linesAreWholeObjects(line: String, isWhole: Bool) {
    let found = Array(line.utf8).withUnsafeBufferPointer { JSONLineScanner.scan($0) { _, _ in } }
    #expect(found == isWhole)
  }

  @Test func everyCutOfALineIsMalformed() {
    let line = Array(
      Self.comment("c1", on: "abc1", score: 2, "a \\\"b\\\" \\u00e9").utf8.dropLast())
    for count in 1..<line.count {
      let isWhole = Array(line[..<count]).withUnsafeBufferPointer {
        JSONLineScanner.scan($0) { _, _ in }
      }
      #expect(!isWhole, "cut after \(count)")
    }
  }

  /// The members and texts are those that the full parser finds.
  @Test func theScannerAgreesWithTheParser() throws {
    let text =
      Self.submissions.split(separator: "\n").dropLast()
      + Self.comments.split(separator: "\n").prefix(10)
    for line in text {
      let parsed = try JSONValue(parsing: Array(line.utf8))
      var count = 0
      let bytes = Array(line.utf8)
      let isWhole = bytes.withUnsafeBufferPointer { bytes in
        JSONLineScanner.scan(bytes) { key, value in
          count += 1
          let expected = parsed[String(decoding: key, as: UTF8.self)]
          switch value {
          case .string(let raw):
            var decoded: [UInt8] = []
            let isDecoded = JSONLineScanner.decode(raw, into: &decoded)
            #expect(isDecoded)
            #expect(String(decoding: decoded, as: UTF8.self) == expected?.string)
          case .literal(let raw):
            #expect(String(decoding: raw, as: UTF8.self) == expected?.serialized())
          case .nested: #expect(expected?.object != nil || expected?.array != nil)
          }
        }
      }
      #expect(isWhole && count == parsed.object?.count)
    }
  }

  @Test func wrongTextsAreRefused() {
    for raw in [[0xff], Array("\\u12".utf8), Array("\\q".utf8), Array("a\\".utf8), [0xc3]]
      as [[UInt8]]
    {
      var output: [UInt8] = []
      let isDecoded = raw.withUnsafeBufferPointer { JSONLineScanner.decode($0, into: &output) }
      #expect(!isDecoded)
    }
    var output: [UInt8] = []
    let lone = Array("\\ud800x\\udc00".utf8)
    let isDecoded = lone.withUnsafeBufferPointer { JSONLineScanner.decode($0, into: &output) }
    #expect(isDecoded)
    #expect(output == Array("\u{FFFD}x\u{FFFD}".utf8))
  }

  /// The rules of a dump and of a file of threads give the same pairs.
  @Test func threadsGiveThePairsOfTheirReader() throws {
    let url = exampleData("forum-threads.jsonl.zst")
    let expected = try DataFile.votePairs(url).rows
    let made = try makePairs([("threads.jsonl.zst", try Data(contentsOf: url))]) {
      $0.keepsDuplicates = true
    }
    #expect(made.count(.rows) == 1414 && made.count(.malformed) == 0)
    #expect(made.count(.pairs) == expected.count)
    let margins = Dictionary(uniqueKeysWithValues: expected.map { ($0.id, $0) })
    for row in made.all {
      let pair = try #require(margins[row["id"]?.string ?? ""])
      #expect(row["margin"]?.number == pair.margin)
      #expect(row["messages"]?.array?.first?["content"]?.string == pair.promptKey)
    }
  }

  @Test func threadsWithFaults() throws {
    let rows = [
      #"{"site":"s","id":"1","title":"T","body":"B","answers":[{"id":"a","score":1,"text":"x"},{"id":"b","score":0,"accepted":true,"text":"y"},{"id":"c","score":5,"text":"z"}]}"#,
      #"{"site":"s","id":"2","title":"T2","answers":"none"}"#, "{", #"{"prompt":"p"}"#,
    ]
    let made = try makePairs(
      [("threads.jsonl", Data(rows.joined(separator: "\n").utf8))], format: .threads)
    #expect(made.ids == ["s-1-c-a", "s-1-c-b"] && made.count(.tie) == 1)
    #expect(made.count(.malformed) == 3 && made.report.inputs[0].examples.count == 3)
  }

  @Test func formatsAreFoundOut() throws {
    let cases: [(String, String, ForumInput.Format?)] = [
      ("Posts.xml", "\u{FEFF}<?xml", .stackExchange), ("x.dat", "  <posts>", .stackExchange),
      ("RS_x", "", .reddit), ("a.jsonl", "{\"title\":\"t\",\"answers\":[]}\n", .threads),
      ("a.jsonl", "{\"id\":\"x\"}\n", .reddit), ("a.xml", "", .stackExchange), ("a.txt", "", nil),
      ("a.txt", "hello", nil),
    ]
    for (name, content, format) in cases {
      try withFile(content, named: name) { (url: URL) throws -> Void in
        if let format {
          let found = try ForumInput(url).format
          #expect(found == format)
        } else {
          let error = dataError { _ = try ForumInput(url) }
          #expect(error?.kind == .unknownSchema)
        }
      }
    }
  }

  @Test(arguments: [
    ("dumps/beer.stackexchange.com/Posts.xml.zst", "beer"), ("ai/Posts.xml", "ai"),
    ("x/stackoverflow.com-Posts.xml", "stackoverflow.com"), ("law.xml.gz", "law"),
  ])
  func sitesAreNamedByFoldersAndFiles(path: String, site: String) throws {
    let input = try ForumInput(URL(filePath: "/" + path), format: .stackExchange)
    #expect(input.site == site)
  }
}
