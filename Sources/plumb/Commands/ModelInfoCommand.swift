import ArgumentParser
import PlumbCheckpoints
import PlumbModels
import PlumbRecipes

/// Describes a model folder.
struct ModelInfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Describe a model folder: architecture, sizes, parameters, tokenizer, head.",
    discussion: """
      Reads config.json, the headers of the weights and the tokenizer; loads no weights.

        plumb model info examples/models/plumb-5m
        plumb model info runs/quickstart/stages/general-preference --json
      """)

  @Argument(help: ArgumentHelp("The model folder.", valueName: "dir"), completion: .directory)
  var model: String

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let description = try ModelDescription(path: model)
    if json {
      try StandardOutput().write(lines: [description.json])
    } else {
      try StandardOutput().write(description.table.text)
    }
  }
}
