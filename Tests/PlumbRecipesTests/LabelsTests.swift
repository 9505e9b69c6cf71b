import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbPreferences
import PlumbRollouts
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// Preference rows out of judged responses, by hand.
@Suite struct LabelsTests {
  private func labels(_ change: (inout LabelPairsConfiguration) -> Void = { _ in }) -> Labels {
    var configuration = LabelPairsConfiguration()
    change(&configuration)
    return Labels(configuration, source: "label")
  }

  private func rows(_ labels: Labels) throws -> [PreferencePair] {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "pairs.jsonl.zst")
    try LineWriter.write(labels.lines, to: url)
    return try DataFile.preferencePairs(url).rows
  }

  private let table = [[0, 1, 2], [-1, 0, 0.5], [-2, -0.5, 0]]

  @Test func theBestAndTheWorstBecomeARowWithAllScores() throws {
    var labels = labels()
    let metrics = labels.add(handBuffer([(["good", "fair", "bad"], table, [3, 2, 1])]))
    let pair = try #require(try rows(labels).first)
    #expect(pair.id == "prompt-0" && pair.source == "label")
    #expect(pair.prompt == [Message(role: "user", content: "ask 0")])
    #expect(pair.chosen == "good" && pair.rejected == "bad")
    // Means 1 and -2.5/3; the probability is that of their own comparison.
    expectClose(pair.margin ?? 0, 1 + 2.5 / 3)
    expectClose(pair.probability ?? 0, 0.8807971, absolute: 1e-6)
    let json = try JSONValue(parsing: Array(labels.lines[0].utf8))
    #expect(json["judge"]?.string == "hand")
    let scores = json["scores"]?.array?.map(\.number)
    #expect(scores == [3, 2, 1])
    #expect(json["score_chosen"]?.number == 3 && json["score_rejected"]?.number == 1)
    #expect(metrics["label/pairs"] == 1 && metrics["label/ties"] == 0)
  }

  @Test func allPairsThatAreToldApartAreWritten() throws {
    var labels = labels { $0.pairing = .all }
    let tied = [[0, 0, 2], [0, 0, 2], [-2, -2, 0.0]]
    _ = labels.add(
      handBuffer([(["good", "fair", "bad"], table, nil), (["a", "b", "c"], tied, nil)]))
    let found = try rows(labels).map { [$0.id, $0.chosen, $0.rejected] }
    #expect(
      found == [
        ["prompt-0-0-1", "good", "fair"], ["prompt-0-0-2", "good", "bad"],
        ["prompt-0-1-2", "fair", "bad"], ["prompt-1-0-2", "a", "c"], ["prompt-1-1-2", "b", "c"],
      ])
  }

  /// An empty response is no answer to learn from, and readers of pairs drop it.
  @Test func emptyAndEqualResponsesAreCountedAndLeftOut() throws {
    var labels = labels { $0.minMargin = 0.6 }
    let pair = [[0, 1.0], [-1, 0]]
    _ = labels.add(
      handBuffer([
        (["good", " "], pair, nil), (["same", "same "], pair, nil),
        (["x", "x"], [[0, 0], [0, 0]], nil),
        (["a", "b"], [[0, 0.5], [-0.5, 0]], nil), (["c", "d"], pair, nil),
      ]))
    #expect(labels.count.unusable == 2 && labels.count.ties == 1 && labels.count.weak == 1)
    #expect(labels.count.groups == 5)
    #expect(try rows(labels).map(\.chosen) == ["c"])
  }

  /// In a cycle the best on average may lose to the worst on average.
  @Test func aCycleThroughBestAndWorstIsCounted() throws {
    var labels = labels()
    let cycle = [[0, 5, -1], [-5, 0, 4.5], [1, -4.5, 0]]
    _ = labels.add(handBuffer([(["a", "b", "c"], cycle, nil)]))
    // Means 4/3, -1/6, -7/6; but c beats a.
    #expect(labels.count.contradicted == 1)
    let pair = try #require(try rows(labels).first)
    #expect(pair.chosen == "a" && pair.rejected == "c")
    expectClose(pair.probability ?? 0, 0.2689414, absolute: 1e-6)
    let figure = labels.figures(relabels: false).first { $0.name == "contradicted" }
    #expect(figure?.value == 1 && figure?.sampleSize == 1 && figure?.interval != nil)
  }

  @Test func pairsOfAFileAreTurnedWhereTheJudgeDisagrees() throws {
    var labels = labels()
    let pairs = ["1", "2", "3"].map { id in
      PreferencePair(
        id: id, source: "file", prompt: [Message(role: "user", content: "?")], chosen: "c\(id)",
        rejected: "r\(id)", margin: 9, group: "g")
    }
    let judgements = [3.0, -1, 0].map {
      Judgement(preferenceLogits: [[0, $0], [-$0, 0]], source: "j")
    }
    _ = labels.add(pairs, judgements)
    let found = try rows(labels)
    let texts = found.map { [$0.id, $0.source, $0.chosen, $0.rejected, $0.group ?? ""] }
    #expect(texts == [["1", "file", "c1", "r1", "g"], ["2", "file", "r2", "c2", "g"]])
    #expect(found.map(\.margin) == [3, 1])
    let agreement = try #require(labels.figures(relabels: true).first { $0.name == "agreement" })
    #expect(agreement.value == 0.5 && agreement.sampleSize == 2)
    #expect(labels.count.ties == 1)
  }

  @Test func aCheckpointReadsBack() throws {
    let folder = try TemporaryFolder()
    var labels = labels()
    _ = labels.add(handBuffer([(["good", "fair", "bad"], table, nil)]))
    try labels.save(to: folder.url)
    var other = self.labels()
    try other.load(from: folder.url)
    #expect(other.lines == labels.lines && other.count == labels.count)
  }
}
