import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

@testable import PlumbData

/// Equal throws in every run: SplitMix64.
private struct Dice: RandomNumberGenerator {
  private var state: UInt64 = 1

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return StableHash.mixed(state)
  }
}

/// What can be wrong with a dump: counted and reported, never fatal.
@Suite struct ForumRowTests {
  static let good = [
    Dump.question(1, "Title & <more>", body: "<p>a \"b\"\nc é</p>", accepted: 2),
    Dump.answer(2, to: 1, score: 1, "<p>x</p>"), Dump.answer(3, to: 1, score: -2, "<p>y</p>"),
  ]

  struct Fault: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let row: String
    let words: String

    init(_ name: String, _ row: String, _ words: String) {
      (testDescription, self.row, self.words) = (name, row, words)
    }
  }

  static let faults = [
    Fault("no end", "<row Id=\"9\" PostTypeId=\"1\" Body=\"x\n", "no end"),
    Fault("a quote is missing", "<row Id=\"9\" PostTypeId=1 />\n", "AttValue"),
    Fault("a value is not ended", "<row Id=\"9\" PostTypeId=\"1 />\n", "no end"),
    Fault("a bracket in a value", "<row Id=\"9\" Body=\"a < b\" Score=\"1\" />\n", "no end"),
    Fault("twice the same", "<row Id=\"9\" Id=\"8\" PostTypeId=\"1\" />\n", "redefined"),
    Fault("an unknown entity", "<row Id=\"9\" Body=\"&bomb;\" />\n", "bomb"),
    Fault("a lone ampersand", "<row Id=\"9\" Body=\"a & b\" />\n", "Entity"),
    Fault("a forbidden character", "<row Id=\"9\" Body=\"&#x1;\" />\n", "invalid xmlChar"),
    Fault("a raw control character", "<row Id=\"9\" Body=\"\u{1}\" />\n", "invalid"),
    Fault("no space between", "<row Id=\"9\"Body=\"b\" />\n", "attributes"),
    Fault("no id", "<row PostTypeId=\"1\" Score=\"1\" Body=\"x\" />\n", "no Id"),
    Fault("id 0", "<row Id=\"0\" PostTypeId=\"1\" Score=\"1\" Body=\"x\" />\n", "no Id"),
    Fault("id too large", "<row Id=\"99999999999999999999\" PostTypeId=\"1\" />\n", "no Id"),
    Fault("no type", "<row Id=\"9\" Score=\"1\" Body=\"x\" />\n", "PostTypeId"),
    Fault("no score", "<row Id=\"9\" PostTypeId=\"1\" Body=\"x\" />\n", "Score"),
    Fault(
      "a score in words", "<row Id=\"9\" PostTypeId=\"1\" Score=\"ten\" Body=\"\" />\n", "Score"),
    Fault("no body", "<row Id=\"9\" PostTypeId=\"1\" Score=\"1\" />\n", "Body"),
    Fault("no parent", "<row Id=\"9\" PostTypeId=\"2\" Score=\"1\" Body=\"x\" />\n", "ParentId"),
    Fault("nothing", "<row />\n", "no Id"), Fault("not even that", "<row/>\n", "no Id"),
  ]

  /// The rows around a bad one are read.
  @Test(arguments: faults) func isCounted(_ fault: Fault) throws {
    let made = try makePairs(Dump.posts([Self.good[0], fault.row] + Self.good.dropFirst()))
    #expect(made.ids == ["site-1-2-3"])
    #expect(made.count(.rows) == 4 && made.count(.malformed) == 1)
    let example = try #require(made.report.inputs[0].examples.first)
    #expect(example.fault.localizedCaseInsensitiveContains(fault.words), "\(example.fault)")
    let head = Dump.posts([Self.good[0]]).utf8.count - "</posts>\n".utf8.count
    #expect(example.offset == head)
  }

  @Test func wrongBytesAreCounted() throws {
    var bytes = Data(Dump.posts([Self.good[0]]).utf8.dropLast("</posts>\n".utf8.count))
    bytes += Data("<row Id=\"9\" PostTypeId=\"1\" Score=\"1\" Body=\"a".utf8) + [0xff, 0xfe]
    bytes += Data("\" />\n".utf8) + Data(Self.good[1...].joined().utf8) + Data("</posts>".utf8)
    let made = try makePairs([("Posts.xml", bytes)])
    #expect(made.ids == ["site-1-2-3"] && made.count(.malformed) == 1)
  }

  /// Forms that XML allows and dumps do not have go through libxml2 and mean the same.
  @Test func otherFormsOfRows() throws {
    let rows = [
      "<row\n\tId='1'  PostTypeId = \"1\"\r\nScore=\"&#49;\" Body='&lt;p&gt;\"q\"&lt;/p&gt;' Title=\"a&#x20AC;b\"></row>",
      "<!-- <row Id=\"77\" PostTypeId=\"1\" Score=\"1\" Body=\"\" /> -->",
      "<row Id=\"2\" PostTypeId=\"2\" ParentId=\"1\" Score=\"5\" Body=\"x > y\"/>text<row x:y=\"1\" "
        + "xmlns:x=\"u\" Id=\"3\" PostTypeId=\"2\" ParentId=\"1\" Score=\"4\" Body=\"y\" />",
      "<![CDATA[<row Id=\"78\" PostTypeId=\"1\" Score=\"1\" Body=\"\" />]]><rowdy/><row2 Id=\"5\" />",
    ]
    let made = try makePairs(Dump.posts(rows))
    #expect(made.ids == ["site-1-2-3"] && made.count(.rows) == 3 && made.count(.malformed) == 0)
    let row = try #require(made.all.first)
    #expect(row["messages"]?.array?.first?["content"]?.string == "a€b\n\n\"q\"")
    #expect(row["chosen"]?.string == "x > y")
  }

  /// No entity of a document type declaration exists for the rows, inside the file or outside.
  @Test func entitiesOfTheDocumentAreNotExpanded() throws {
    try withTemporaryDirectory { folder in
      let secret = folder.appending(path: "secret.txt")
      try Data("secret".utf8).write(to: secret)
      let bomb =
        "<?xml version=\"1.0\"?>\n<!DOCTYPE posts [\n<!ENTITY a \"aaaaaaaaaa\">\n"
        + (0..<9).map { "<!ENTITY b\($0) \"\(String(repeating: "&a;", count: 10))\">\n" }.joined()
        + "<!ENTITY file SYSTEM \"\(secret.path)\">\n"
        + "<!ENTITY row '<row Id=\"7\" PostTypeId=\"1\" Score=\"1\" Body=\"\" />'>\n]>\n<posts>\n"
      let rows = [
        Self.good[0], Dump.answer(5, to: 1, score: 7, "X").replacing("X", with: "&b8;"),
        Dump.answer(6, to: 1, score: 8, "X").replacing("X", with: "&file;"), Self.good[1],
        Self.good[2],
      ]
      let made = try makePairs(bomb + rows.joined() + "</posts>")
      #expect(made.ids == ["site-1-2-3"] && made.count(.malformed) == 2)
      #expect(made.count(.rows) == 5)
      #expect(made.report.inputs[0].notes.contains { $0.contains("document type") })
      #expect(!made.all.map { $0.serialized() }.joined().contains("secret"))
    }
  }

  /// A dump cut after any number of bytes: the whole rows before the cut are read.
  @Test func everyCut() throws {
    let content = Array(Dump.posts(Self.good).utf8)
    let ends = Self.good.indices.map { index in
      let part = Dump.posts(Array(Self.good[...index])).utf8.count - "</posts>\n".utf8.count
      return part - 1  // the line feed is not needed
    }
    for count in 0...content.count {
      let (posts, report) = try Self.read(Array(content[..<count]))
      #expect(posts == ends.count { $0 <= count }, "cut after \(count) bytes")
      #expect(report.counts[.malformed] <= 1)
      let isWhole = count >= content.count - 1
      #expect(report.notes.contains { $0.contains("cut") } != isWhole, "cut after \(count) bytes")
    }
  }

  /// The same for what compression makes of it.
  @Test func everyCutOfACompressedDump() throws {
    let plain = Array(Dump.posts(Self.good).utf8)
    for (name, content) in [
      ("Posts.xml.zst", try Zstd.compress(plain)), ("Posts.xml.gz", try Gzip.compress(plain)),
    ] {
      for count in stride(from: 8, through: content.count, by: 7) + [content.count] {
        let (posts, report) = try Self.read(Array(content[..<count]), named: name)
        #expect(posts <= 3 && (posts == 3 || !report.notes.isEmpty))
        if count == content.count { #expect(posts == 3 && report.notes.isEmpty) }
      }
    }
  }

  /// However the pieces fall, the events are the same.
  @Test func piecesMakeNoDifference() throws {
    let content =
      Array(Dump.posts(Self.good).utf8)
      + Array(
        "<!-- a <row b=\"\"/> --><row Id=\"4\" <row/>\n<row Long=\"\(String(repeating: "x", count: 700))\"/> <row"
          .utf8)
    func events(_ size: Int) throws -> [String] {
      var rows = RowElements(limit: 600)
      var found: [String] = []
      func note(_ event: RowElements.Event) {
        switch event {
        case .row(let bytes, let offset):
          found.append("\(offset) \(String(decoding: bytes, as: UTF8.self))")
        default: found.append("\(event)")
        }
      }
      for start in stride(from: 0, to: content.count, by: size) {
        let piece = Array(content[start..<min(start + size, content.count)])
        try piece.withUnsafeBufferPointer { try rows.consume($0, note) }
      }
      try rows.finish(note)
      return found
    }
    let whole = try events(content.count)
    #expect(whole.count == 7)
    for size in 1...200 { #expect(try events(size) == whole) }
  }

  /// The two readers of rows say the same of everything both can read.
  @Test func thePlainReaderAgreesWithTheParser() throws {
    let seeds =
      Self.good + Self.faults.map(\.row) + [
        "<row A=\"&lt;&gt;&amp;&quot;&apos;&#10;&#xA;&#x7e;\" B=\"\" c=\"日本\" />",
        "<row A=\"&#xD;&#9;\"/>", "<row A=\"&#127;&#x80;\" />", "<row A=\"\u{FFFD}\" />",
        "<row A=\"&amp\" />", "<row A=\"&#;\" />", "<row A=\"&#xZ;\" />", "<row A=\"1\" A=\"2\" />",
        "<row A=\"1\" / >", "<row A=\"1\"  B=\"2\"  />", "<row  />", "<rowA=\"1\" />",
      ]
    var plain = PlainRow()
    let parser = RowParser()
    var taken = 0
    var random = Dice()
    for round in 0..<4000 {
      var row = Array(
        seeds[round % seeds.count].trimmingCharacters(in: .whitespacesAndNewlines).utf8)
      if round >= seeds.count, let place = row.indices.dropFirst(4).randomElement(using: &random) {
        // One byte changed, doubled or lost.
        switch round % 3 {
        case 0:
          row[place] = Array("<>&\"'= ;#xA\u{7f}\u{1}é".utf8).randomElement(using: &random) ?? 0
        case 1: row.insert(row[place], at: place)
        default: row.remove(at: place)
        }
      }
      // A bracket never reaches the readers.
      row.removeAll { $0 == UInt8(ascii: "<") }
      row.insert(UInt8(ascii: "<"), at: 0)
      guard row.starts(with: "<row".utf8), row.last == UInt8(ascii: ">") else { continue }
      func collect(_ read: (ByteSpan, (ByteSpan, ByteSpan) -> Void) -> Bool) -> [[UInt8]]? {
        var found: [[UInt8]] = []
        let isRead = row.withUnsafeBufferPointer { bytes in
          read(bytes) { found += [Array($0), Array($1)] }
        }
        return isRead ? found : nil
      }
      guard let quick = collect({ plain.read($0, $1) }) else { continue }
      taken += 1
      let slow = collect { parser.parse($0, $1) }
      #expect(quick == slow, "\(String(decoding: row, as: UTF8.self))")
    }
    #expect(taken > 400)
  }

  /// Bytes changed, doubled and lost anywhere: whatever is left is read, and nothing throws.
  @Test func damageIsSurvived() throws {
    let content = Array(Dump.posts(Self.good).utf8)
    var random = Dice()
    for _ in 0..<400 {
      var bytes = content
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0...2, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.insert(bytes[place], at: place)
        default: bytes.remove(at: place)
        }
      }
      let (posts, report) = try Self.read(bytes)
      #expect(posts <= 3 && posts + report.counts[.malformed] <= report.counts[.rows])
    }
  }

  @Test func aHugeRowIsPassedOver() throws {
    let huge = Dump.answer(8, to: 1, score: 9, String(repeating: "x", count: 300_000))
    let made = try makePairs(Dump.posts([Self.good[0], huge] + Self.good[1...])) {
      $0.maximumRowByteCount = 100_000
    }
    #expect(made.ids == ["site-1-2-3"] && made.count(.tooLong) == 1 && made.count(.rows) == 4)
    let whole = try makePairs(Dump.posts([Self.good[0], huge] + Self.good[1...]))
    #expect(whole.count(.pairs) == 3 && whole.count(.tooLong) == 0)
  }

  @Test func dumpsWithoutPairs() throws {
    let alone = try makePairs(Dump.posts([Self.good[0]]))
    #expect(alone.count(.pairs) == 0 && alone.count(.unanswered) == 1)
    let ties = try makePairs(
      Dump.posts([
        Dump.question(1, "T"), Dump.answer(2, to: 1, score: 3, "a"),
        Dump.answer(3, to: 1, score: 3, "b"),
      ]))
    #expect(ties.count(.pairs) == 0 && ties.count(.tie) == 1 && ties.rows["train"] == [])
    for content in [
      "", "<posts></posts>", "<users><row Id=\"1\" Name=\"x\" /></users>", "\u{FEFF}",
    ] {
      let error = dataError { _ = try makePairs(content) }
      #expect(error?.kind == .noUsableRows, "\(String(describing: error))")
    }
    let empty = try makePairs([("a.xml", Data()), ("b.xml", Data(Dump.posts(Self.good).utf8))])
    #expect(
      empty.count(.pairs) == 1 && empty.report.inputs[0].notes.contains { $0.contains("no row") })
  }

  @Test func textsThatAreNoText() throws {
    let deep = String(repeating: "<b>", count: 300) + "x"
    let rows = [
      Dump.question(1, "T", body: deep), Dump.answer(2, to: 1, score: 3, "a"),
      Dump.answer(3, to: 1, score: 2, "b"), Dump.question(4, " ", body: "<p></p>"),
      Dump.answer(5, to: 4, score: 3, "a"), Dump.answer(6, to: 4, score: 2, "b"),
      Dump.question(7, "U"), Dump.answer(8, to: 7, score: 3, deep),
      Dump.answer(9, to: 7, score: 2, "b"),
    ]
    let made = try makePairs(Dump.posts(rows))
    #expect(made.count(.pairs) == 0 && made.count(.tooDeep) == 2 && made.count(.emptyPrompt) == 1)
    #expect(made.count(.questionDropped) == 2 && made.count(.unusable) == 1)
  }

  private static func read(
    _ content: [UInt8], named name: String = "Posts.xml"
  ) throws -> (posts: Int, report: ForumInputReport) {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: name)
      try Data(content).write(to: url)
      let input = try ForumInput(url, site: "s", format: .stackExchange)
      var reader = ForumInputReader(input, options: ForumPairOptions())
      var posts = 0
      try reader.read(from: 0) { _, _ in
        posts += 1
      } pause: { _, _, _ in
      }
      return (posts, reader.report)
    }
  }
}
