import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbTestSupport
import Testing

/// Small dumps with the real schema.
enum Dump {
  static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
      .replacing("\n", with: "&#xA;")
  }

  static func question(
    _ id: Int, _ title: String = "", body: String = "", accepted: Int? = nil, score: Int = 1,
    created: String = "2012-01-01T00:00:00.000"
  ) -> String {
    let acceptedID = accepted.map { "AcceptedAnswerId=\"\($0)\" " } ?? ""
    return "  <row Id=\"\(id)\" PostTypeId=\"1\" \(acceptedID)CreationDate=\"\(created)\" "
      + "Score=\"\(score)\" Body=\"\(escaped(body))\" Title=\"\(escaped(title))\" "
      + "Tags=\"&lt;a&gt;\" AnswerCount=\"2\" ContentLicense=\"CC BY-SA 3.0\" />\n"
  }

  static func answer(
    _ id: Int, to parent: Int, score: Int, _ body: String,
    created: String = "2012-01-02T00:00:00.000"
  ) -> String {
    "  <row Id=\"\(id)\" PostTypeId=\"2\" ParentId=\"\(parent)\" CreationDate=\"\(created)\" "
      + "Score=\"\(score)\" Body=\"\(escaped(body))\" OwnerUserId=\"3\" />\n"
  }

  static func posts(_ rows: [String]) -> String {
    "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<posts>\n" + rows.joined() + "</posts>\n"
  }

  /// A dump of `count` questions with two answers of different votes each.
  static func many(_ count: Int) -> String {
    posts(
      (1...count).flatMap { index in
        [
          question(3 * index, "Question number \(index)", body: "<p>How is <b>\(index)</b>?</p>"),
          answer(3 * index + 1, to: 3 * index, score: index % 7 + 1, "<p>Good \(index).</p>"),
          answer(3 * index + 2, to: 3 * index, score: 0, "<p>Bad \(index).</p>"),
        ]
      })
  }
}

/// The result of a job: its report and the pairs of every part.
struct Made {
  let report: ForumPairsReport
  /// The rows of each part as they stand in the files.
  let rows: [String: [JSONValue]]

  var all: [JSONValue] { rows.sorted { $0.key < $1.key }.flatMap(\.value) }
  var ids: [String] { all.compactMap { $0["id"]?.string }.sorted() }
  func count(_ kind: ForumCount) -> Int { report.counts[kind] }
}

/// Runs a job over files given as name and content; all pairs go to `train` unless asked otherwise.
func makePairs(
  _ files: [(String, Data)], format: ForumInput.Format? = nil,
  sites: [String?] = [], testSets: [String] = [], wholeTrain: Bool = true,
  _ change: (inout ForumPairOptions) -> Void = { _ in }
) throws -> Made {
  try withTemporaryDirectory { folder in
    var inputs: [ForumInput] = []
    for (index, file) in files.enumerated() {
      let url = folder.appending(path: file.0)
      try file.1.write(to: url)
      let site = sites.indices.contains(index) ? sites[index] : "site"
      inputs.append(try ForumInput(url, site: site, format: format))
    }
    var options = ForumPairOptions()
    options.compression = .none
    if wholeTrain { (options.validationFraction, options.testFraction) = (0, 0) }
    change(&options)
    let sets = try testSets.enumerated().map { index, content in
      let url = folder.appending(path: "test-\(index).jsonl")
      try Data(content.utf8).write(to: url)
      return (name: "set \(index)", url: url)
    }
    let target = folder.appending(path: "pairs", directoryHint: .isDirectory)
    let report = try ForumPairsJob(inputs, to: target, options: options, testSets: sets).run()
    return Made(report: report, rows: try readOutputs(report, in: target))
  }
}

/// One `Posts.xml` of the site `site`.
func makePairs(
  _ content: String, testSets: [String] = [], _ change: (inout ForumPairOptions) -> Void = { _ in }
) throws -> Made {
  try makePairs(
    [("Posts.xml", Data(content.utf8))], format: .stackExchange, testSets: testSets, change)
}

func readOutputs(_ report: ForumPairsReport, in folder: URL) throws -> [String: [JSONValue]] {
  var rows: [String: [JSONValue]] = [:]
  for output in report.outputs {
    var reader = try LineReader(contentsOf: folder.appending(path: output.file))
    var values: [JSONValue] = []
    while let line = try reader.next() { values.append(try JSONValue(parsing: line.bytes)) }
    rows[output.part] = values
    #expect(values.count == output.pairs)
  }
  return rows
}
