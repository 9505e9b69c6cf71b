import Foundation
import PlumbTestSupport
import Testing

/// The commands and their options, as `--help` shows them, held against files under `Snapshots`.
///
/// Run with PLUMB_UPDATE_SNAPSHOTS=1 to write them anew; then read the difference.
@Suite struct HelpTests {
  static let commands = [
    [], ["run"], ["generate"], ["score"], ["logprobs"], ["evaluate"], ["tokenize"], ["model"],
    ["model", "info"], ["model", "import"], ["model", "merge"], ["model", "unmerge"], ["data"],
    ["data", "inspect"], ["data", "pairs"], ["data", "cycles"], ["model", "cost"], ["rollouts"],
    ["rollouts", "show"], ["metrics"],
  ]

  @Test("Complaint 26, OpenRLHF PR #1275: the help is as in its snapshot", arguments: commands)
  func isAsInItsSnapshot(command: [String]) throws {
    let result = try Program.run(command + ["--help"])
    #expect(result.status == 0)
    #expect(result.errors.isEmpty)
    #expect(result.output.contains("USAGE: plumb"))
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Snapshots").appending(
        path: (["plumb"] + command).joined(separator: "-") + ".txt")
    if ProcessInfo.processInfo.environment["PLUMB_UPDATE_SNAPSHOTS"] != nil {
      try result.output.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(result.output == (try String(contentsOf: file, encoding: .utf8)))
  }

  @Test func everyCommandThatWorksShowsAnExample() throws {
    for command in Self.commands
    where !["", "model", "data", "rollouts"].contains(command.joined(separator: " ")) {
      let help = try Program.run(command + ["--help"]).output
      #expect(help.contains("  plumb \(command.joined(separator: " ")) "), "\(command)")
    }
  }

  @Test func theVersionIsANumber() throws {
    let result = try Program.run(["--version"])
    #expect(result.output.wholeMatch(of: #/\d+\.\d+\.\d+\n/#) != nil)
  }
}
