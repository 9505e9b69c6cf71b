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
      Reads config.json, the headers of the weights and the tokenizer; loads no weights. Of a LoRA \
      adapter it tells size, targets and base.

        plumb model info examples/models/plumb-5m
        plumb model info runs/quickstart/stages/general-preference --json
      """)

  @Argument(help: ArgumentHelp("The model folder.", valueName: "dir"), completion: .directory)
  var model: String

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var adapter: AdapterOptions

  func run() throws {
    if AdapterFolder.isAdapter(folder(model)) {
      let description = try AdapterDescription(path: model, options: adapter)
      return try print(description.json, description.table)
    }
    _ = try adapter.url(for: model)
    let description = try ModelDescription(path: model)
    try print(description.json, description.table)
  }

  private func print(_ value: JSONValue, _ table: TextTable) throws {
    if json {
      try StandardOutput().write(lines: [value])
    } else {
      try StandardOutput().write(table.text)
    }
  }
}
