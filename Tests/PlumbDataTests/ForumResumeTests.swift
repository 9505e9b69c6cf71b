import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

@testable import PlumbData

/// A job that is stopped anywhere continues and ends in the same bytes.
@Suite struct ForumResumeTests {
  /// The finished files by name.
  private static func files(_ folder: URL) throws -> [String: Data] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return try Dictionary(
      uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: folder.appending(path: $0))) })
  }

  private static func job(
    _ inputs: [ForumInput], _ target: URL, partitions: Int = 7,
    saves: Bool = true, overwrite: Bool = false, seed: UInt64 = 0,
    progress: @escaping (ForumPairsJob.Progress) -> Bool = { _ in true }
  ) throws -> ForumPairsJob {
    var options = ForumPairOptions()
    options.seed = seed
    let job = try ForumPairsJob(
      inputs, to: target, options: options, overwrite: overwrite, progress: progress)
    if !job.isContinued { job.state.partitionCount = partitions }
    job.saveInterval = saves ? .zero : .seconds(3600)
    return job
  }

  /// Stopped after every call of progress in turn, with and without a state saved just before.
  @Test(arguments: [true, false]) func stoppedAnywhere(saves: Bool) throws {
    try withTemporaryDirectory { folder in
      let inputs = try Self.inputs(in: folder)
      let whole = folder.appending(path: "whole")
      let report = try Self.job(inputs, whole).run()
      let expected = try Self.files(whole)
      #expect(report.counts[.pairs] == 900 && expected.count == 5)
      for stop in 1...400 {
        let target = folder.appending(path: "stopped")
        var calls = 0
        let first = try Self.job(inputs, target, saves: saves) { _ in
          calls += 1
          return calls < stop
        }
        do {
          _ = try first.run()
          #expect(try Self.files(target) == expected)
          #expect(stop > 8, "the job was stopped at least eight times")
          return
        } catch is ForumPairsJob.Interrupted {}
        // What a killed process may leave behind the last state.
        for name in ["texts-0003", "posts-0003", "keys-0001", "pairs-train"] {
          let file = folder.appending(path: "stopped/.unfinished/\(name)")
          if let handle = FileHandle(forWritingAtPath: file.path) {
            try handle.seekToEnd()
            try handle.write(contentsOf: Data("garbage".utf8))
          }
        }
        let second = try Self.job(inputs, target)
        #expect(
          second.isContinued
            == FileManager.default.fileExists(
              atPath: folder.appending(path: "stopped/.unfinished/state.json").path))
        _ = try second.run()
        #expect(try Self.files(target) == expected, "stopped at call \(stop)")
        try FileManager.default.removeItem(at: target)
      }
      Issue.record("expected an end after fewer stops, found none")
    }
  }

  /// The pairs do not depend on the number of partitions, but for their order.
  @Test func partitionsMakeNoDifference() throws {
    try withTemporaryDirectory { folder in
      let inputs = try Self.inputs(in: folder)
      var sets: [Set<String>] = []
      for count in [1, 7, 64] {
        let target = folder.appending(path: "p\(count)")
        let report = try Self.job(inputs, target, partitions: count).run()
        let rows = try readOutputs(report, in: target).values.joined()
        sets.append(Set(rows.map { $0.serialized() }))
        #expect(rows.count == 900)
      }
      #expect(sets[0].count == 900 && sets[1] == sets[0] && sets[2] == sets[0])
    }
  }

  @Test func otherWorkIsNotContinued() throws {
    try withTemporaryDirectory { folder in
      let inputs = try Self.inputs(in: folder)
      let target = folder.appending(path: "out")
      var calls = 0
      let stopped = try Self.job(inputs, target) { _ in
        calls += 1
        return calls < 5
      }
      do { _ = try stopped.run() } catch is ForumPairsJob.Interrupted {}
      let other = dataError { _ = try Self.job(inputs, target, seed: 1) }
      #expect(other?.message.contains("unfinished work of another job") == true)
      let finished = try Self.job(inputs, target, overwrite: true, seed: 1).run()
      #expect(finished.counts[.pairs] == 900)
      let again = dataError { _ = try Self.job(inputs, target, seed: 1) }
      #expect(again?.message.contains("not empty") == true)
      #expect(try Self.job(inputs, target, overwrite: true).run().counts[.pairs] == 900)
    }
  }

  @Test func badOptionsAreRefused() throws {
    try withTemporaryDirectory { folder in
      let inputs = try Self.inputs(in: folder)
      var options = ForumPairOptions()
      (options.validationFraction, options.testFraction) = (0.6, 0.5)
      let target = folder.appending(path: "out")
      let shares = dataError { _ = try ForumPairsJob(inputs, to: target, options: options) }
      #expect(shares?.kind == .invalidSetting)
      let nothing = dataError { _ = try ForumPairsJob([], to: target) }
      #expect(nothing?.kind == .invalidSetting)
      let below = folder.appending(path: "a.xml/x")
      let noFolder = dataError { _ = try ForumPairsJob(inputs, to: below) }
      #expect(noFolder?.message == "cannot make the folder")
      let sets = [(name: "t", url: try emptyFile(folder))]
      let empty = dataError { _ = try ForumPairsJob(inputs, to: target, testSets: sets) }
      #expect(empty?.kind == .noUsableRows)
    }
  }

  private func emptyFile(_ folder: URL) throws -> URL {
    let url = folder.appending(path: "empty.jsonl")
    try Data().write(to: url)
    return url
  }

  /// Two sites, one of them compressed, of several pieces each.
  private static func inputs(in folder: URL) throws -> [ForumInput] {
    let first = folder.appending(path: "a.xml")
    try Data(Dump.many(500).utf8).write(to: first)
    let second = folder.appending(path: "b.xml.gz")
    let other = Dump.many(400).replacing("number", with: "n")
    try Data(try Gzip.compress(Array(other.utf8))).write(to: second)
    return [try ForumInput(first, site: "a"), try ForumInput(second, site: "b")]
  }
}
