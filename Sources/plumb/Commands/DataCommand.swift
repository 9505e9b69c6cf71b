import ArgumentParser

/// Commands about data files.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Look into data files.",
    subcommands: [DataInspectCommand.self, DataCyclesCommand.self])
}
