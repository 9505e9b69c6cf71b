import ArgumentParser
import Foundation
import PlumbRecipes

/// Carries out a recipe.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Carry out a recipe: data, training, evaluation, report.",
    discussion: """
      A recipe is a YAML file of stages. Each stage writes into its own folder of the run directory; \
      a stage that is done, and whose settings and inputs have not changed, is skipped when you run \
      the recipe again. Progress goes to standard error, results to standard output.

        plumb run recipes/quickstart.yaml
        plumb run recipes/quickstart.yaml --dry-run
        plumb run recipes/quickstart.yaml --set seed=3 --set gpo.beta=0.05 --output runs/other

      Ctrl-C stops after the current step, saves, and prints the command that continues (exit code \
      130). A killed run loses at most the steps since its last checkpoint: add --resume.

      The run directory holds recipe.yaml with every default filled in, environment.json, \
      metrics.jsonl and the same numbers for TensorBoard in tensorboard/, stages/NAME/ with models and \
      data, summary.json with every figure, and report.html.
      """)

  @Argument(help: "The recipe file.", completion: .file(extensions: ["yaml", "yml"]))
  var recipe: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Change a setting: 'seed=3', or 'ppo.beta=0.1' for a stage. May be given many times.",
      valueName: "path=value"))
  var overrides: [String] = []

  @Option(
    help: ArgumentHelp(
      "The run directory (default: runs/ and the recipe's name).", valueName: "dir"),
    completion: .directory)
  var output: String?

  @Flag(help: "Continue a stage that was stopped, from its last checkpoint.")
  var resume = false

  @Flag(help: "Start a stage that was stopped again from its beginning.")
  var restart = false

  @Flag(name: .customLong("dry-run"), help: "Print stages, sizes and estimated times; run nothing.")
  var isDryRun = false

  func validate() throws {
    if resume && restart {
      throw ValidationError("expected one of --resume and --restart, found both")
    }
    for text in overrides where !text.contains("=") {
      throw ValidationError("--set: expected path=value, found '\(text)'")
    }
    if output?.isEmpty == true { throw ValidationError("--output: expected a folder, found ''") }
  }

  func run() throws {
    let registry = StageRegistry.standard
    let recipe = try registry.loader.load(
      contentsOf: URL(filePath: recipe), overrides: overrides)
    let directory = URL(
      filePath: output ?? "runs/\(recipe.name)", directoryHint: .isDirectory)
    let runner = try Runner(
      recipe, registry: registry, directory: directory,
      mode: resume ? .resuming : restart ? .restarting : .refusing, command: Self.typedCommand,
      observers: [RunOutput()])
    if isDryRun {
      try StandardOutput().write(try runner.planTable().text)
      return
    }
    Interruption.install()
    do {
      try RunOutput.writeResults(of: try runner.run(), in: directory)
    } catch let interruption as RunInterruption {
      throw CommandFailure(
        "\(interruption)\n  to continue it:  \(runner.resumeCommand)",
        exitCode: Interruption.exitCode)
    } catch let alarm as RolloutAlarm {
      throw CommandFailure("\(alarm)\n  to go on all the same:  \(runner.resumeCommand)")
    }
  }

  /// What the user typed, without what belongs to this one start.
  private static var typedCommand: String {
    CommandLine.arguments.filter { !["--resume", "--restart", "--dry-run"].contains($0) }
      .map(shellQuoted).joined(separator: " ")
  }

  private static func shellQuoted(_ word: String) -> String {
    let isPlain = word.allSatisfy {
      $0.isASCII && ($0.isLetter || $0.isNumber || "-_./=:,+@".contains($0))
    }
    if isPlain, !word.isEmpty { return word }
    return "'\(word.replacingOccurrences(of: "'", with: "'\\''"))'"
  }
}
