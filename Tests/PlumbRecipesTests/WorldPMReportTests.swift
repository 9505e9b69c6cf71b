import Foundation
import PlumbData
import PlumbEvaluation
import Testing

@testable import PlumbRecipes

/// Tables and plots of the scaling and the fine-tuning grid, on losses made by hand.
@Suite struct WorldPMReportTests {
  /// Eight tests of eight prompts, one task.
  static func layout(_ suite: PreferenceSuite) -> SuiteLayout {
    SuiteLayout(
      tasks: [(suite, "task")], taskOfRow: [Int](repeating: 0, count: 8), promptOfRow: Array(0..<8),
      stylesOfRow: [(chosen: Int, rejected: Int)?](repeating: nil, count: 8))
  }

  /// Two models: the loss of the first is 0.5 + 2/√x, that of the second rises by 0.1 from size to size;
  /// every second test is 0.2 harder than its neighbour.
  static func scaling() -> StageResult {
    var configuration = PreferenceScalingConfiguration()
    configuration.sizes = [16, 64, 256, 1024]
    configuration.runs = 2
    func record(_ parameters: Int, _ losses: [Double]) -> PreferenceScalingStage.Record {
      .init(
        parameters: parameters,
        logOdds: losses.map { loss in
          (0..<8).map { Float(oddsOfLoss(loss + ($0 % 2 == 0 ? 0.1 : -0.1))) }
        }, validation: [])
    }
    let falling = record(1_000_000, [1, 0.75, 0.625, 0.5625])
    let rising = record(2_000_000, [0.6, 0.7, 0.8, 0.9])
    return ScalingReport(
      configuration: configuration, tests: layout(.subjective), seed: 1,
      records: [[falling, falling], [rising, rising]]
    ).result()
  }

  @Test func aCurveWithoutALawSaysSo() throws {
    let result = Self.scaling()
    let table = try #require(result.tables.last)
    let fit = try #require(table.columns.firstIndex(of: "fit (of resamples)"))
    let fits = table.rows.map { $0[fit] }
    #expect(fits == ["found (100 %)", "none (0 %)"])
    #expect(table.rows[0][fit + 1].hasPrefix("a 2") && table.rows[1][fit + 1] == "–")
    #expect(result.figures["subjective/1.00M/law_share"]?.value == 1)
    #expect(result.figures["subjective/2.00M/law_share"]?.value == 0)
  }

  /// Every point has the bootstrap interval of its mean; tests of ± 0.1 in eight prompts give it a width
  /// of about 4 · 0.1/√8 = 0.14 nats.
  @Test func theCurvesHaveBands() throws {
    let charts = Self.scaling().sections[0].blocks.flatMap { block -> [Chart] in
      if case .charts(let charts) = block { charts } else { [] }
    }
    #expect(charts.count == 2)
    for chart in charts {
      guard case .lines(let series) = chart.content else {
        Issue.record("expected lines")
        continue
      }
      for point in series.filter({ !$0.isDashed }).flatMap(\.points) {
        let ends = try #require(point.interval)
        let width = ends[1] - ends[0]
        #expect(ends[0] < point.y && point.y < ends[1] && width > 0.08 && width < 0.2, "\(ends)")
      }
      #expect(chart.caption.contains("95 %"))
    }
  }

  @Test func gainsStandBesideThePapersKindOfAccuracy() throws {
    let tests = Self.layout(.adversarial)
    var records: [PreferenceFinetuneStage.Cell: PreferenceFinetuneStage.Record] = [:]
    var configuration = PreferenceFinetuneConfiguration()
    configuration.runs = 1
    for size in 0..<3 {
      for hasBase in [false, true] {
        records[.init(size: size, run: 0, hasBase: hasBase)] = .init(
          pairs: 10, validation: 0.6, step: 1,
          logOdds: (0..<8).map { $0 < (hasBase ? 6 : 4) ? 1 : -1 })
      }
    }
    let result = FinetuneReport(
      configuration: configuration, tests: tests, counts: [10, 20, 30], records: records
    ).result()
    let table = try #require(result.tables.first)
    let column = try #require(table.columns.last)
    #expect(column.contains("style-controlled in the paper, raw here"))
    let cells = table.rows.filter { $0[1] == "adversarial" }.compactMap(\.last)
    #expect(
      cells == [
        "HelpSteer2 (7K): 6.0 %; raw 24.8 %", "UltraFeedback (100K): 1.8 %",
        "RLHFlow (800K): 1.5 %",
      ])
    let areLabelled = result.claims.allSatisfy { $0.paper?.contains("style-controlled") == true }
    #expect(areLabelled && !result.claims.isEmpty)
  }

  /// By hand: (74.89 + 65.12 + 82.40) / (62.50 + 51.94 + 63.76) − 1 = 44.21 / 178.20.
  @Test func onlyOneUncontrolledGainIsKnown() throws {
    let raw = try #require(WorldPMGains.raw(.adversarial, set: 0))
    let error = abs(raw - 44.21 / 178.20)
    #expect(error < 1e-9)
    #expect(WorldPMGains.raw(.adversarial, set: 1) == nil)
    #expect(WorldPMGains.raw(.objective, set: 0) == nil)
  }
}
