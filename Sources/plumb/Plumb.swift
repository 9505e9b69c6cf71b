import ArgumentParser

@main
struct Plumb: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "plumb")
}
