import ArgumentParser
import Glibc
import PlumbRecipes

/// The root of the command line.
@main
struct PlumbCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plumb",
    abstract: "Align small language models with human preferences: one binary, no Python, no GPU.",
    discussion: """
      A recipe describes a whole run, from data to report; 'plumb run' carries it out. The other \
      commands ask questions of the models that a run leaves behind, and of any model folder in \
      Hugging Face's layout (Qwen2, Qwen3, Llama, GPT-2). They read and write JSON, one object a \
      line, so that they fit into pipes. "GPO" is General Preference Optimization \
      (arXiv 2410.02197).

        plumb run recipes/quickstart.yaml
        plumb generate --model runs/quickstart/stages/gpo --input prompts.jsonl

      Exit codes: 0 done, 1 failed, 64 misused, 130 interrupted.
      """,
    version: Plumb.version,
    subcommands: [
      RunCommand.self, GenerateCommand.self, ScoreCommand.self, LogprobsCommand.self,
      EvaluateCommand.self, TokenizeCommand.self, ModelCommand.self, DataCommand.self,
      RolloutsCommand.self, MetricsCommand.self,
    ])

  static func main() {
    // A reader that has seen enough (`| head`) shows as a failed write, which `StandardOutput` knows.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      end(with: error)
    }
  }

  /// Says what went wrong in the parser's or the error's own words, and ends with its exit code.
  private static func end(with error: any Error) -> Never {
    if error is OutputClosed { Glibc.exit(OutputClosed.exitCode) }
    if let failure = error as? CommandFailure {
      StandardError.write("plumb: \(failure)\n")
      Glibc.exit(failure.exitCode)
    }
    switch exitCode(for: error) {
    case .success:
      do {
        try StandardOutput().write(fullMessage(for: error) + "\n")
        Glibc.exit(EXIT_SUCCESS)
      } catch {
        end(with: error)
      }
    case .validationFailure:
      let message = fullMessage(for: error)
      let label = "Error: "
      StandardError.write(
        "plumb: \(message.hasPrefix(label) ? String(message.dropFirst(label.count)) : message)\n")
      Glibc.exit(ExitCode.validationFailure.rawValue)
    default:
      StandardError.write("plumb: \(error)\n")
      Glibc.exit(EXIT_FAILURE)
    }
  }
}
