import Foundation
import PlumbData
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct DataReportTests {
  @Test func quantilesAreNearestRank() throws {
    let quantiles = try #require(LengthQuantiles((1...200).reversed()))
    #expect(quantiles.minimum == 1 && quantiles.maximum == 200)
    #expect(quantiles.median == 100 && quantiles.p90 == 180 && quantiles.p99 == 198)
    #expect(quantiles.mean == 100.5)
    #expect(LengthQuantiles([]) == nil)
    let one = try #require(LengthQuantiles([7]))
    #expect(one.minimum == 7 && one.median == 7 && one.p99 == 7)
  }

  @Test func tableSaysEverything() throws {
    let report = try DataFile.preferencePairs(fixture("pair-prompt-strings.jsonl")).report
    let table = report.table
    #expect(table.contains("7 rows, 2 preference pairs kept, 5 rows dropped"))
    #expect(table.contains("dropped  empty response: 2"))
    #expect(table.contains("prompt characters"))
    #expect(!table.contains("tokens"))
    let lengths = try #require(report.lengths["prompt characters"])
    #expect(lengths.minimum == 10 && lengths.maximum == 13)
  }

  @Test func tokensAreCountedWithAnEncoder() throws {
    var options = ReadOptions()
    options.encoder = try makeEncoder()
    let report = try DataFile.preferencePairs(fixture("pair-messages.jsonl"), options: options)
      .report
    #expect(
      Set(report.lengths.keys) == [
        "prompt characters", "chosen characters", "rejected characters", "prompt tokens",
        "chosen tokens", "rejected tokens",
      ])
    let encoder = try makeEncoder()
    #expect(report.lengths["rejected tokens"]?.minimum == encoder.response("No.").count)
  }

  @Test func isCodable() throws {
    let report = try DataFile.inspect(fixture("threads.jsonl"))
    let data = try JSONEncoder().encode(report)
    #expect(try JSONDecoder().decode(DataReport.self, from: data) == report)
  }
}
