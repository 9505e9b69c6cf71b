import ArgumentParser

/// Measures Plumb, alone and beside PyTorch, transformers and TRL.
@main
struct PlumbBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plumb-bench",
    abstract: "Measures Plumb, alone and beside PyTorch, transformers and TRL.",
    discussion: "What the tables mean: Documentation/Benchmarks.md.",
    subcommands: [RunCommand.self, PeersCommand.self, ScalingCommand.self, ServeCommand.self])
}

/// What every command needs to know.
struct BenchOptions: ParsableArguments {
  @Option(help: "The folder with workloads.json; checkpoints and results are kept there too.")
  var folder = "Benchmarks"

  @Option(help: "A model of workloads.json.")
  var model = "bench-5m"

  @Option(help: "Threads of both sides.")
  var threads = 2

  func validate() throws {
    guard (1...256).contains(threads) else {
      throw ValidationError("--threads: expected a number from 1 to 256, found \(threads)")
    }
  }
}
