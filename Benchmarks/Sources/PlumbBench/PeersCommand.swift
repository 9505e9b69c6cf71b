import ArgumentParser
import Foundation

/// Measures Plumb and its peers in turn, repetition by repetition.
struct PeersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peers",
    abstract: "Measures Plumb beside PyTorch, transformers and TRL, in turn.",
    discussion: """
      Both sides of a comparison are loaded, then run one repetition each, in turn, with nothing else \
      in between; the ratio is the median over these pairs. The last line printed is one JSON object.
      """)

  @OptionGroup var options: BenchOptions

  @Option(help: "The virtual environment of the peers.")
  var venv: String

  @Option(
    help:
      "Pairs of repetitions; 5 if not given, of which TRL, sampling and PPO take 3 (bench-135m: 3)."
  )
  var repeats: Int?

  @Option(help: "Peers to measure: transformers, pytorch, trl, separated by commas.")
  var peers: String?

  @Argument(help: "The workloads; those of the issue's table for this model if none is named.")
  var workloads: [String] = []

  func validate() throws {
    if let repeats, !(1...1000).contains(repeats) {
      throw ValidationError("--repeats: expected a number from 1 to 1000, found \(repeats)")
    }
    for name in peers?.split(separator: ",") ?? [] where Peer(rawValue: String(name)) == nil {
      throw ValidationError("--peers: expected transformers, pytorch or trl, found \(name)")
    }
  }

  func run() throws {
    let python = try PeerPrograms(venv: venv, folder: options.folder)
    let bench = try Bench(options)
    let isLarge = bench.isLarge
    let allowed = Set(
      peers.map { $0.split(separator: ",").compactMap { Peer(rawValue: String($0)) } }
        ?? (isLarge ? [.transformers, .pytorch] : Peer.allCases))
    let names =
      workloads.isEmpty ? WorkloadName.all.filter { !isLarge || !$0.isPolicyUpdate } : []
    var result = PeersResult(options)
    for group in Contest.groups(
      workloads.isEmpty ? names : try bench.workloads(workloads), peers: allowed,
      isLarge: isLarge)
    {
      let contest = Contest(bench: bench, python: python, entrants: group, repeats: repeats)
      try contest.run(&result)
      bench.tell(result.lines(of: group.workloads).joined(separator: "\n"))
    }
    let url = try result.write(to: options.folder)
    print(result.table)
    bench.tell("kept as \(url.path)")
    print(try result.lastLine())
  }
}

/// The peers' program and the Python that runs it.
struct PeerPrograms {
  private let python: URL
  private let program: URL
  static let install =
    "python3 -m venv V && V/bin/pip install torch transformers==4.57.1 trl==0.24.0 datasets safetensors"

  /// - Throws: `BenchError` with the command to run where the environment or a package is missing.
  init(venv: String, folder: String) throws {
    python = URL(filePath: venv).appending(path: "bin/python")
    program = URL(filePath: folder).appending(path: "peers/peers.py")
    guard !venv.isEmpty, FileManager.default.isExecutableFile(atPath: python.path) else {
      throw BenchError(
        "VENV=\(venv): expected a virtual environment, found no \(python.path). Make one by:\n  "
          + Self.install)
    }
    for package in ["torch", "transformers", "trl", "datasets", "safetensors"] {
      let process = Process()
      process.executableURL = python
      process.arguments = [
        "-c",
        "import importlib.util, sys; sys.exit(importlib.util.find_spec('\(package)') is None)",
      ]
      try process.run()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else {
        throw BenchError(
          "VENV=\(venv): expected the package \(package), found none. Install the peers by:\n  "
            + Self.install.replacing("V/", with: "\(venv)/").replacing(
              "venv V ", with: "venv \(venv) "))
      }
    }
  }

  /// A process of a peer, which starts to load.
  func session(_ peer: Peer, _ workload: WorkloadName, options: BenchOptions) throws -> Session {
    try Session(
      peer.rawValue, program: python,
      arguments: [
        program.path, peer.rawValue, workload.base, "--model", options.model, "--folder",
        options.folder, "--threads", "\(options.threads)",
      ], environment: ["OMP_NUM_THREADS": "\(options.threads)"])
  }
}
