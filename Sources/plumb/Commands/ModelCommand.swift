import ArgumentParser

/// Commands about model folders.
struct ModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model", abstract: "Look into model folders, and make them.",
    subcommands: [
      ModelInfoCommand.self, ModelImportCommand.self, ModelMergeCommand.self,
      ModelUnmergeCommand.self, ModelCostCommand.self,
    ])
}
