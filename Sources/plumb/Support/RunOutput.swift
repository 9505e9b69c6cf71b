import Foundation
import PlumbRecipes

/// Shows a run: progress on standard error, tables on standard output.
final class RunOutput: RunObserver {
  private let progress = TerminalProgress(
    isInteractive: StandardError.isTerminal,
    now: { Date.timeIntervalSinceReferenceDate }, write: StandardError.write)

  func receive(_ event: RunEvent) {
    // Tables are results: `writeResults` prints those of all stages together.
    if case .table = event { return }
    progress.receive(event)
  }

  /// Prints the tables of all stages, the skipped ones included, then the claims and where the report is.
  static func writeResults(of summary: RunSummary, in directory: URL) throws {
    let tables = summary.stages.flatMap(\.result.tables) + [summary.claimsTable].compactMap { $0 }
    let report = directory.appending(path: "report.html")
    let place =
      FileManager.default.fileExists(atPath: report.path)
      ? "report: \(report.relativePath)\n" : "results: \(directory.relativePath)\n"
    try StandardOutput().write((tables.map(\.text) + [place]).joined(separator: "\n"))
  }
}
