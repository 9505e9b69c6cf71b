import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// `plumb data pairs` as a user runs it.
@Suite struct DataPairsTests {
  /// A dump made by the generator that ships with the project.
  private static func makeDump(_ arguments: [String], at url: URL) throws {
    let script = Fixtures.root.deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Scripts/make_forum_dump.py")
    try Data().write(to: url)
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", script.path] + arguments
    process.standardOutput = try FileHandle(forWritingTo: url)
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test func aGeneratedDumpBecomesPairs() throws {
    try withTemporaryDirectory { folder in
      let dump = folder.appending(path: "Posts.xml")
      try Self.makeDump(["--bytes", "3e5", "--malformed", "0.05"], at: dump)
      let output = folder.appending(path: "pairs").path
      let arguments = ["data", "pairs", "made=\(dump.path)", "--output", output]
      let report = try #require(try Program.run(arguments + ["--json"]).rows().first)
      func count(_ section: String, _ key: String) -> Int { report[section]?[key]?.integer ?? -1 }
      #expect(count("rows", "malformed_rows") > 0)
      #expect(count("rows", "rows") > 100 && count("pairs", "pairs") > 20)
      let pairs = report["pairs"]?.object ?? []
      let sum = pairs.dropFirst().reduce(0) { $0 + ($1.value.integer ?? 0) }
      #expect(sum == count("pairs", "candidate_pairs"), "every candidate is accounted for")
      let files = (report["outputs"]?.array ?? []).compactMap { $0["file"]?.string }
      #expect(files.first == "train.jsonl.zst" && files.last == "held-out.jsonl.zst")
      let train = try Program.run(["data", "inspect", output + "/train.jsonl.zst", "--json"])
      let kept = try #require(try train.rows().first)["kept"]?.integer
      #expect(kept == report["outputs"]?.array?.first?["pairs"]?.integer)
      let again = try Program.run(arguments)
      #expect(again.status == 1 && again.errors.contains("not empty"))
      let replaced = try Program.run(arguments + ["--overwrite", "--rule", "shp"])
      #expect(replaced.status == 0 && replaced.output.contains("earlier answer scored higher"))
      #expect(replaced.errors.isEmpty, "a short job shows no progress")
    }
  }

  /// Killed without warning at several moments, then run again: the same bytes.
  @Test func killedAndRunAgain() throws {
    try withTemporaryDirectory { folder in
      let dump = folder.appending(path: "Posts.xml")
      try Self.makeDump(["--bytes", "4e7"], at: dump)
      let arguments = ["data", "pairs", dump.path, "--compression", "none", "--output"]
      let whole = folder.appending(path: "whole")
      let result = try Program.run(arguments + [whole.path])
      #expect(result.status == 0, "\(result.errors)")
      let target = folder.appending(path: "killed")
      var delay = 0.15
      for _ in 0..<40 {
        let process = Process()
        process.executableURL = Program.url
        process.arguments = arguments + [target.path]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        Thread.sleep(forTimeInterval: delay)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        if process.terminationReason == .exit { break }
        delay *= 1.5
      }
      for name in ["train", "validation", "test", "held-out"] {
        let file = "\(name).jsonl"
        #expect(
          try Data(contentsOf: target.appending(path: file))
            == Data(contentsOf: whole.appending(path: file)))
      }
    }
  }

  @Test(
    arguments: [
      (["x.xml", "--output", ""], 64, "--output"), (["x.xml"], 64, "--output"),
      (["--output", "o"], 64, "file"), (["no-such.xml", "--output", "o"], 1, "no-such.xml"),
      (["Package.swift", "--output", "o"], 1, "no forum dump"),
      (["x.xml", "--output", "o", "--min-margin", "-1"], 64, "--min-margin"),
      (["x.xml", "--output", "o", "--pairs-per-post", "0"], 64, "--pairs-per-post"),
      (["x.xml", "--output", "o", "--min-score-ratio", "0.5"], 64, "--min-score-ratio"),
      (["x.xml", "--output", "o", "--validation", "0.7", "--test", "0.3"], 64, "--validation"),
      (["x.xml", "--output", "o", "--max-response-characters", "0"], 64, "--max-response"),
      (["x.xml", "--output", "o", "--rule", "votes"], 64, "rule"),
      (["Tests", "--output", "o"], 1, "a directory"),
    ] as [([String], Int32, String)])
  func misuseIsRefused(arguments: [String], status: Int32, words: String) throws {
    let result = try Program.run(["data", "pairs"] + arguments)
    #expect(result.status == status, "\(result.errors)")
    #expect(result.errors.hasPrefix("plumb: ") && result.errors.contains(words), "\(result.errors)")
    #expect(result.output.isEmpty)
  }

  /// A stream of which not even the first block is there is not an empty file.
  @Test func aStreamCutAtItsHeadIsCalledCut() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let whole = try Data(
      contentsOf: root.appending(path: "examples/data/forum-threads.jsonl.zst"))
    try withTemporaryDirectory { folder in
      let cut = folder.appending(path: "threads.jsonl.zst")
      try whole.prefix(100).write(to: cut)
      let result = try Program.run(
        ["data", "pairs", cut.path, "--output", folder.appending(path: "o").path])
      #expect(result.status == 1)
      #expect(result.errors.contains("a compressed stream that ends before"), "\(result.errors)")
    }
  }
}
