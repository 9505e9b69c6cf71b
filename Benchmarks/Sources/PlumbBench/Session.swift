import Foundation

/// A process that has loaded one workload and waits for `go`.
final class Session {
  /// Who runs it: `plumb`, or the name of a peer.
  let name: String
  /// The versions that it reported once it had loaded.
  private(set) var versions: [String: String] = [:]
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var received = Data()

  /// Starts a program; `load` waits until it is ready.
  init(_ name: String, program: URL, arguments: [String], environment: [String: String] = [:])
    throws
  {
    self.name = name
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = input
    process.standardOutput = output
    do {
      try process.run()
    } catch {
      throw BenchError("\(program.path): cannot be started: \(error.localizedDescription)")
    }
  }

  /// One timed repetition.
  struct Repetition: Decodable {
    var seconds: Double
    var units: Double
    var peakMb: Double

    /// Units per second.
    var rate: Double { units / seconds }
  }

  private struct Message: Decodable {
    var event: String
    var message: String?
    var versions: [String: String]?
  }

  /// Waits until the workload is loaded.
  func load() throws {
    let line = try next("ready")
    versions = try decoded(Message.self, line).versions ?? [:]
  }

  /// Runs one repetition.
  func go() throws -> Repetition {
    try decoded(Repetition.self, ask("go", for: "repetition"))
  }

  /// Records a repetition and times its products alone.
  func trace() throws -> ProductTimes {
    try decoded(ProductTimes.self, ask("trace", for: "trace"))
  }

  /// Ends the process.
  func quit() {
    guard process.isRunning else { return }
    try? input.fileHandleForWriting.write(contentsOf: Data("quit\n".utf8))
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  private func ask(_ question: String, for event: String) throws -> Data {
    do {
      try input.fileHandleForWriting.write(contentsOf: Data((question + "\n").utf8))
    } catch {
      throw BenchError("\(name): has ended: \(error.localizedDescription)")
    }
    return try next(event)
  }

  /// The next line, which must be of a kind.
  private func next(_ event: String) throws -> Data {
    while true {
      if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
        let line = Data(received[received.startIndex..<end])
        received = Data(received[(end + 1)...])
        let message = try decoded(Message.self, line)
        guard message.event == event else {
          throw BenchError(
            "\(name): \(message.message ?? "expected \(event), found \(message.event)")")
        }
        return line
      }
      let data = output.fileHandleForReading.availableData
      guard !data.isEmpty else {
        process.waitUntilExit()
        throw BenchError(
          "\(name): ended with status \(process.terminationStatus) while \(event) was awaited")
      }
      received += data
    }
  }

  private func decoded<Value: Decodable>(_ type: Value.Type, _ line: Data) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(type, from: line)
    } catch {
      throw BenchError(
        "\(name): expected a message, found \(String(decoding: line, as: UTF8.self))")
    }
  }
}
