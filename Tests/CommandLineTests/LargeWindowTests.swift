import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// `plumb data pairs` on a dump as Reddit's are published: a zstd frame with a window of 2^31 bytes.
@Suite struct LargeWindowTests {
  private static let submission =
    #"{"author":"a","id":"abc1","title":"Why?","selftext":"body","subreddit":"cooking","score":5,"#
    + #""created_utc":1325376000}"#

  private static func comment(_ id: String, _ body: String, score: Int) -> String {
    "{\"id\":\"\(id)\",\"link_id\":\"t3_abc1\",\"parent_id\":\"t3_abc1\",\"body\":\"\(body)\","
      + "\"score\":\(score),\"created_utc\":\"\(1_325_376_000 + score)\"}\n"
  }

  /// A frame of RFC 8878 that declares a window of 2^31 bytes and no length: two comments, and 268 MB of
  /// one line between them, in blocks that repeat one byte.
  private static let frame: Data = {
    func block(_ kind: Int, size: Int, isLast: Bool = false, _ content: [UInt8]) -> [UInt8] {
      let header = size << 3 | kind << 1 | (isLast ? 1 : 0)
      return [0, 8, 16].map { UInt8(truncatingIfNeeded: header >> $0) } + content
    }
    let (raw, repeated) = (0, 1)
    let first = Array((comment("c1", "good", score: 2) + "{\"junk\":\"").utf8)
    let last = Array(("\"}\n" + comment("c2", "better", score: 9)).utf8)
    // No flags; then the window's exponent less 10 in the upper five bits.
    var bytes: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0, (31 - 10) << 3]
    bytes += block(raw, size: first.count, first)
    for _ in 0..<2048 { bytes += block(repeated, size: 1 << 17, [UInt8(ascii: "x")]) }
    bytes += block(raw, size: last.count, isLast: true, last)
    return Data(bytes)
  }()

  /// Runs the program as Python's child; the most memory that it had at once, in bytes.
  private static func peakMemory(
    of arguments: [String], output: URL
  ) throws -> (status: Int32, bytes: Int) {
    let script = [
      "import resource, subprocess, sys",
      "status = subprocess.run(sys.argv[2:], stdout=open(sys.argv[1], 'w')).returncode",
      "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", "sys.exit(status)",
    ].joined(separator: "\n")
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script, output.path, Program.url.path] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let text = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    let kilobytes = Int(String(decoding: text, as: UTF8.self).filter(\.isNumber))
    return (process.terminationStatus, try #require(kilobytes) * 1024)
  }

  /// More passes through the window than the process ever holds.
  @Test func aDumpWithTheLargestWindowIsReadInLittleMemory() throws {
    try withTemporaryDirectory { folder in
      let (submissions, comments) = (
        folder.appending(path: "RS_2012-01"), folder.appending(path: "RC_2012-01.zst")
      )
      try (Self.submission + "\n").write(to: submissions, atomically: false, encoding: .utf8)
      try Self.frame.write(to: comments)
      let output = folder.appending(path: "report.json")
      let (status, bytes) = try Self.peakMemory(
        of: [
          "data", "pairs", submissions.path, comments.path, "--output",
          folder.appending(path: "pairs").path, "--json",
        ], output: output)
      #expect(status == 0)
      let report = try JSONValue(parsing: Array(try Data(contentsOf: output)))
      #expect(report["pairs"]?["pairs"]?.integer == 1)
      // The submission, both comments, and the line between them, which is passed over.
      #expect(report["rows"]?["rows"]?.integer == 4)
      #expect(report["rows"]?["malformed_rows"]?.integer == 0)
      let notes = report["inputs"]?.array?.last?["notes"]?.array?.count
      #expect(notes == 0)
      // The content alone is 268 MB: a window in memory would hold all of it.
      #expect(bytes < 200 << 20, "\(bytes >> 20) MB")
    }
  }
}
