import ArgumentParser

/// Commands about data files.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Look into data files, and make pairs from forum dumps.",
    subcommands: [DataInspectCommand.self, DataPairsCommand.self, DataCyclesCommand.self])
}
