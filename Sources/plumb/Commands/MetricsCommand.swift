import ArgumentParser
import PlumbRecipes

/// Explains the numbers of a run.
struct MetricsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics",
    abstract: "Say what a metric means: unit, what it is a mean over, which tokens count.",
    discussion: """
      Every name that a run writes to metrics.jsonl is known, and every name of TRL's logs whose meaning \
      is the same. Without a name, all are listed.

        plumb metrics objective/kl
        plumb metrics
      """)

  @Argument(help: "A name as metrics.jsonl or TRL has it.")
  var name: String?

  @Flag(help: "Print the page Documentation/Metrics.md.")
  var markdown = false

  func validate() throws {
    if markdown, name != nil {
      throw ValidationError("expected one of a name and --markdown, found both")
    }
  }

  func run() throws {
    if markdown { return try StandardOutput().write(MetricTable.markdown) }
    guard let name else { return try StandardOutput().write(Self.list.text) }
    guard let entry = MetricTable.entry(named: name) else {
      let close = MetricTable.suggestions(for: name).prefix(6).joined(separator: ", ")
      throw CommandFailure(
        "metrics: no metric is named '\(name)'"
          + (close.isEmpty ? "; 'plumb metrics' lists all" : "; did you mean \(close)?"))
    }
    try StandardOutput().write(entry.text)
  }

  private static var list: TextTable {
    TextTable(
      columns: ["metric", "unit", "better", "TRL"],
      rows: MetricTable.entries.map { entry in
        [
          entry.name, entry.unit.isEmpty ? "–" : entry.unit, entry.direction.rawValue,
          entry.alias.name ?? "–",
        ]
      })
  }
}
