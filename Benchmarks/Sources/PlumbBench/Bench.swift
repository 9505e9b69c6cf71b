import Foundation
import Glibc

/// Runs sessions of a model's workloads.
struct Bench {
  let options: BenchOptions
  let specification: Specification
  let checkpoint: Checkpoint

  init(_ options: BenchOptions) throws {
    // A session that has ended is an error of its own, not the end of this program.
    signal(SIGPIPE, SIG_IGN)
    self.options = options
    specification = try Specification(folder: options.folder)
    checkpoint = try Checkpoint(
      options.model, specification: specification, folder: options.folder)
  }

  /// Whether two sides at once may fill the memory.
  var isLarge: Bool {
    (specification.models[options.model]?.hiddenSize ?? 0) >= 512
  }

  /// The workloads named, or all.
  func workloads(_ names: [String]) throws -> [WorkloadName] {
    names.isEmpty ? WorkloadName.all : try names.map { try WorkloadName($0) }
  }

  /// An empty measurement of a workload.
  func measurement(_ side: String, _ workload: WorkloadName) throws -> Measurement {
    guard let unit = specification.workloads[workload.base]?.unit else {
      throw BenchError("workloads.json: expected a workload \(workload.base), found none")
    }
    return Measurement(side: side, workload: workload, unit: unit)
  }

  /// A process of Plumb's side, which starts to load.
  func ownSession(_ workload: WorkloadName) throws -> Session {
    try Session(
      "plumb", program: URL(filePath: "/proc/self/exe").resolvingSymlinksInPath(),
      arguments: [
        "serve", workload.description, "--model", options.model, "--folder", options.folder,
        "--threads", "\(options.threads)",
      ])
  }

  /// Tells the user how far the run is, apart from what it prints as its result.
  func tell(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
  }
}
