import Foundation
import Testing

@testable import PlumbRecipes

/// Metrics whose meaning nobody can look up are what users complain of (trl#1046): every name has an
/// entry, and the page is made from the entries.
@Suite struct MetricTableTests {
  @Test("Complaint 20, trl#1046: every metric of a run can be looked up")
  func everyMetricOfARunHasAnEntry() throws {
    let world = try TinyWorld.shared()
    let kinds = Dictionary(
      uniqueKeysWithValues: world.summary.stages.map { ($0.name, $0.kind) })
    var seen = 0
    for line in try MetricsLog.lines(of: world.directory.appending(path: "metrics.jsonl")) {
      for name in line.values.keys {
        guard let entry = MetricTable.entry(named: name) else {
          Issue.record("\(line.stage): '\(name)' has no entry")
          continue
        }
        seen += 1
        let kind = kinds[line.stage] ?? ""
        #expect(entry.stages.contains(kind), "'\(name)' is written by \(kind)")
      }
    }
    #expect(seen > 1000)
  }

  @Test func thePageIsMadeFromTheTable() throws {
    let page = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Documentation/Metrics.md")
    if ProcessInfo.processInfo.environment["PLUMB_UPDATE_SNAPSHOTS"] != nil {
      try Data(MetricTable.markdown.utf8).write(to: page)
    }
    #expect(try String(contentsOf: page, encoding: .utf8) == MetricTable.markdown)
  }

  @Test func entriesAreComplete() {
    let names = MetricTable.entries.map(\.name)
    #expect(Set(names).count == names.count, "a name has two entries")
    #expect(names == names.sorted())
    let kinds = Set(StageRegistry.standard.kinds)
    for entry in MetricTable.entries {
      #expect(!entry.meaning.isEmpty && !entry.reduction.isEmpty && !entry.mask.isEmpty)
      #expect(!entry.stages.isEmpty, "\(entry.name)")
      for stage in entry.stages { #expect(kinds.contains(stage), "\(entry.name): \(stage)") }
      #expect(!entry.text.contains("\n\n"), "\(entry.name)")
      #expect(MetricTable.entry(named: entry.name) == entry)
    }
  }

  @Test func namesAreFoundAsFilesAndTRLHaveThem() throws {
    #expect(MetricTable.entry(named: "objective/kl")?.unit == "nats/response")
    #expect(MetricTable.entry(named: "eval_loss")?.name == "loss")
    #expect(MetricTable.entry(named: "mean_lambda/helpful")?.name == "mean_lambda/{source}")
    #expect(MetricTable.entry(named: "mean_lambda/") == nil)
    #expect(MetricTable.entry(named: "mean_lambda/a/b") == nil)
    #expect(MetricTable.entry(named: "eval_") == nil)
    #expect(MetricTable.entry(named: "no_such_metric") == nil)
    #expect(MetricTable.suggestions(for: "approxkl_avg").contains("policy/approxkl_avg"))
    // A quantity that TRL computes otherwise is no alias, even under the same name.
    let entropy = try #require(MetricTable.entry(named: "policy/entropy_avg"))
    #expect(entropy.alias.name == nil)
  }
}
