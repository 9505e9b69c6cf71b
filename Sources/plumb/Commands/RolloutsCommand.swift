import ArgumentParser

/// Commands about saved rollout buffers.
struct RolloutsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollouts", abstract: "Look into saved rollouts.",
    subcommands: [RolloutsShowCommand.self])
}
