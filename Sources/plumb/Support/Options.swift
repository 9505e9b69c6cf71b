import ArgumentParser
import PlumbTensors

/// How many threads compute; shared by all commands that run a model.
struct ThreadOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Threads to compute with (default: the number of cores).", valueName: "n"))
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads: expected a number from 1 to 1024, found \(threads)")
    }
  }

  /// Sets the number for the process.
  func configure() {
    if let threads { Threads.configure(threads) }
  }
}

/// The model folder; shared by all commands that run a model.
struct ModelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The model: a folder with config.json and model.safetensors, such as a stage of a run.",
      valueName: "dir"),
    completion: .directory)
  var model: String
}

/// The preference model; shared by all commands that ask one.
struct PreferenceModelOptions: ParsableArguments {
  /// What the model of such a command may be.
  static var help: ArgumentHelp {
    ArgumentHelp(
      """
      The preference model: a folder with config.json and model.safetensors, such as a stage of a \
      run, or STAGE#NAME for one that the stage lists in models.json.
      """,
      valueName: "dir")
  }

  @Option(help: PreferenceModelOptions.help, completion: .directory)
  var model: String
}

/// Where the rows come from.
struct InputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Rows, one JSON object a line, plain, gzip or zstd; '-' is standard input.",
      valueName: "file"),
    completion: .file(extensions: ["jsonl", "gz", "zst"]))
  var input = "-"
}
