import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// The built `plumb`, run as a user runs it.
enum Program {
  /// What a run of the program left behind.
  struct Result {
    let status: Int32
    let output: String
    let errors: String

    /// The lines of standard output as JSON.
    func rows(sourceLocation: SourceLocation = #_sourceLocation) throws -> [JSONValue] {
      #expect(status == 0, "\(errors)", sourceLocation: sourceLocation)
      return try output.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
    }
  }

  /// The program stands beside the test bundle that the build made.
  static let url = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().appending(path: "plumb")

  /// Runs the program to its end.
  ///
  /// - Parameters:
  ///   - input: what it finds on standard input.
  ///   - directory: where it runs; the repository if nil.
  ///   - output: where standard output goes; into the result if nil.
  static func run(
    _ arguments: [String], input: String = "", in directory: URL? = nil, output: URL? = nil
  ) throws -> Result {
    try withTemporaryDirectory { folder in
      let files = ["in", "out", "err"].map { folder.appending(path: $0) }
      try input.write(to: files[0], atomically: false, encoding: .utf8)
      for file in files.dropFirst() { try Data().write(to: file) }
      let process = Process()
      process.executableURL = url
      process.arguments = arguments
      process.currentDirectoryURL =
        directory
        ?? Fixtures.root.deletingLastPathComponent()
        .deletingLastPathComponent()
      process.environment = ["PATH": "/usr/bin:/bin", "COLUMNS": "80"]
      process.standardInput = try FileHandle(forReadingFrom: files[0])
      process.standardOutput = try FileHandle(forWritingTo: output ?? files[1])
      process.standardError = try FileHandle(forWritingTo: files[2])
      try process.run()
      process.waitUntilExit()
      // A crash must never pass for a refusal.
      let status =
        process.terminationReason == .exit
        ? process.terminationStatus : 1000 + process.terminationStatus
      return Result(
        status: status, output: try String(contentsOf: files[1], encoding: .utf8),
        errors: try String(contentsOf: files[2], encoding: .utf8))
    }
  }
}

extension JSONValue {
  /// The numbers of a list.
  var numbers: [Double] { (array ?? []).compactMap(\.number) }
  /// The integers of a list.
  var integers: [Int] { (array ?? []).compactMap(\.integer) }
}

/// Rows as a file of JSON lines.
func lines(_ rows: [String]) -> String { rows.map { $0 + "\n" }.joined() }

/// A row with a list of integers.
func row(_ key: String, _ ids: [Int]) -> String { "{\"\(key)\": \(ids)}" }
