import Foundation

/// What a run ran on, for `environment.json` and the report.
public struct RunEnvironment: Codable, Hashable, Sendable {
  /// The version of Plumb.
  public var plumb: String
  /// The commit of the working directory's repository; `+` after it for uncommitted changes; empty
  /// where there is none.
  public var commit: String
  /// The Swift version that Plumb was built with.
  public var swift: String
  /// The operating system.
  public var system: String
  /// The processor's name.
  public var processor: String
  /// The number of processors.
  public var processorCount: Int
  /// The number of threads of the run.
  public var threads: Int
  /// The configuration of OpenBLAS and the core it chose; empty where unknown.
  public var blas: String

  private enum CodingKeys: String, CodingKey {
    case plumb, commit, swift, system, processor
    case processorCount = "processor_count"
    case threads, blas
  }

  /// The environment of this process.
  ///
  /// - Parameter blas: What OpenBLAS says about itself.
  public static func current(threads: Int, blas: String = "") -> RunEnvironment {
    RunEnvironment(
      plumb: Plumb.version, commit: commit(), swift: swiftVersion, system: system(),
      processor: processor(), processorCount: ProcessInfo.processInfo.processorCount,
      threads: threads, blas: blas)
  }

  /// The rows of the report's table.
  public var rows: [(name: String, value: String)] {
    [
      ("Plumb", plumb + (commit.isEmpty ? "" : " (\(commit))")), ("Swift", swift),
      ("System", system), ("Processor", "\(processor), \(processorCount) available"),
      ("Threads", "\(threads)"), ("BLAS", blas),
    ].filter { !$0.1.isEmpty }
  }

  private static var swiftVersion: String {
    #if swift(>=6.4)
      "6.4 or later"
    #elseif swift(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }

  private static func system() -> String {
    let name = value(of: "PRETTY_NAME", separator: "=", in: "/etc/os-release")
    return name?.trimmingCharacters(in: ["\""])
      ?? ProcessInfo.processInfo.operatingSystemVersionString
  }

  private static func processor() -> String {
    value(of: "model name", separator: ":", in: "/proc/cpuinfo") ?? "unknown"
  }

  private static func value(of key: String, separator: Character, in path: String) -> String? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(key) {
      let parts = line.split(separator: separator, maxSplits: 1)
      if parts.count == 2 { return parts[1].trimmingCharacters(in: .whitespaces) }
    }
    return nil
  }

  private static func commit() -> String {
    guard let head = git(["rev-parse", "HEAD"]), !head.isEmpty else { return "" }
    let isClean = git(["status", "--porcelain", "--untracked-files=no"])?.isEmpty ?? true
    return head.prefix(12) + (isClean ? "" : "+")
  }

  private static func git(_ arguments: [String]) -> String? {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/git")
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { return nil }
    return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }
}

/// The program.
public enum Plumb {
  /// The version of Plumb.
  public static let version = "0.1.0"
}
