import Foundation
import PlumbRecipes
import PlumbTensors

/// What a measurement was made on.
struct Machine: Codable {
  var processor: String
  var cores: Int
  var memoryMegabytes: Int
  var system: String
  var commit: String

  /// This machine, and the commit of the working directory.
  static func current(threads: Int) -> Machine {
    let environment = RunEnvironment.current(threads: threads)
    return Machine(
      processor: environment.processor, cores: environment.processorCount,
      memoryMegabytes: Int(ProcessInfo.processInfo.physicalMemory >> 20),
      system: environment.system, commit: environment.commit)
  }

  /// The most memory that this process has held so far, in MiB.
  static var peakMegabytes: Double {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else {
      return 0
    }
    for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
      let fields = line.split(whereSeparator: \.isWhitespace)
      return fields.count > 1 ? (Double(fields[1]) ?? 0) / 1024 : 0
    }
    return 0
  }
}

/// The versions of the libraries that a side runs on, by name.
enum Versions {
  /// Of Plumb's side.
  static var own: [String: String] {
    [
      "plumb": Plumb.version, "swift": RunEnvironment.current(threads: 1).swift,
      "openblas": BLAS.description,
    ]
  }
}
