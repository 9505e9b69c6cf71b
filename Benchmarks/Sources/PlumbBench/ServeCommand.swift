import ArgumentParser
import Foundation
import PlumbTensors

/// Loads one workload, then runs one repetition for each line `go`.
///
/// A peer's program speaks the same language, so that two of them can be driven in turn: a line of
/// JSON once loaded, and one for each `go`. `trace` records one repetition and replays its products.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Loads a workload and runs one repetition per line `go` on standard input.")

  @OptionGroup var options: BenchOptions

  @Argument(help: "The workload.")
  var workload: String

  func run() throws {
    do {
      try serve()
    } catch {
      send(["event": "error", "message": "\(error)"])
      throw ExitCode.failure
    }
  }

  private func serve() throws {
    Threads.configure(options.threads)
    let specification = try Specification(folder: options.folder)
    let checkpoint = try Checkpoint(
      options.model, specification: specification, folder: options.folder)
    var workload = try WorkloadName(workload).load(specification, checkpoint: checkpoint)
    send(["event": "ready", "versions": try JSONSerialization.object(of: Versions.own)])
    while let line = readLine() {
      switch line {
      case "go":
        let seconds = try secondsTaken { try workload.run() }
        send([
          "event": "repetition", "seconds": seconds, "units": workload.units,
          "peak_mb": Machine.peakMegabytes,
        ])
      case "trace":
        let (_, trace) = try EngineTrace.record { try workload.run() }
        let replay = trace.replay()
        send([
          "event": "trace", "linear_seconds": replay.linearSeconds,
          "tile_seconds": replay.tileSeconds,
          "counts": try JSONSerialization.object(of: trace.counts),
        ])
      case "quit": return
      default: throw BenchError("expected go, trace or quit, found \(line)")
      }
    }
  }

  private func send(_ message: [String: Any]) {
    guard
      let data = try? JSONSerialization.data(withJSONObject: message, options: [.sortedKeys])
    else { return }
    FileHandle.standardOutput.write(data + Data("\n".utf8))
  }
}

extension JSONSerialization {
  /// A value as the objects that JSON is made of.
  static func object(of value: some Encodable) throws -> Any {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return try jsonObject(with: encoder.encode(value))
  }
}
