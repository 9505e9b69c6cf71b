import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// The figures of `evaluate`, held against those made by hand from what `score` says.
@Suite struct EvaluateTests {
  @Test func figuresFollowFromTheProbabilities() throws {
    try withTemporaryDirectory { folder in
      let same = #"{"prompt": "Same?", "chosen": "Yes", "rejected": "Yes"}"#
      let file = folder.appending(path: "pairs.jsonl")
      try lines(AnswerTests.pairs + [same]).write(to: file, atomically: false, encoding: .utf8)
      let output = try Program.run(
        ["evaluate", "--model", TestModels.reward, "--data", file.path])
      let figures = try #require(try output.rows().first)
      #expect(try output.rows().count == 1)
      #expect(figures["pairs"]?.integer == 4)
      #expect(figures["dropped"]?.integer == 1)

      let p = try Program.run(
        ["score", "--model", TestModels.reward], input: lines(AnswerTests.pairs)
      ).rows().map { try #require($0["probability"]?.number) }
      let count = Double(p.count)
      let accuracy = p.reduce(0) { $0 + ($1 > 0.5 ? 1 : 0) } / count
      let nll = -p.reduce(0) { $0 + log($1) } / count
      let brier = p.reduce(0) { $0 + (1 - $1) * (1 - $1) } / count
      for (name, value) in [("accuracy", accuracy), ("nll", nll), ("brier", brier)] {
        expectClose(
          try #require(figures[name]?.number), value, absolute: 1e-5, relative: 0, name)
      }
      let ordered = calibrationError(p.map { ($0, 1) } + p.map { (1 - $0, 0) })
      expectClose(try #require(figures["ece"]?.number), ordered, absolute: 1e-5, relative: 0)
      let folded = calibrationError(p.map { (max($0, 1 - $0), $0 > 0.5 ? 1 : 0) })
      expectClose(try #require(figures["folded_ece"]?.number), folded, absolute: 1e-5, relative: 0)
    }
  }

  @Test func longPairsAreLeftOut() throws {
    try withTemporaryDirectory { folder in
      let file = folder.appending(path: "pairs.jsonl")
      try lines(AnswerTests.pairs).write(to: file, atomically: false, encoding: .utf8)
      func evaluate(_ limit: String) throws -> Program.Result {
        try Program.run(
          ["evaluate", "--model", TestModels.reward, "--data", file.path, "--max-length", limit])
      }
      let some = try #require(try evaluate("30").rows().first)
      let pairs = try #require(some["pairs"]?.integer)
      #expect((1...3).contains(pairs))
      #expect(some["dropped"]?.integer == 4 - pairs)
      let none = try evaluate("3")
      #expect(none.status == 1)
      #expect(none.errors.contains("every pair is too long"))
    }
  }

  @Test func aFolderWithoutTokenizerTakesTokenPairs() throws {
    let rows = try Program.run(
      ["evaluate", "--model", Fixtures.url("golden/worldpm").path, "--data", "-"],
      input: "{\"chosen_tokens\": [5, 6, 0], \"rejected_tokens\": [7, 8]}\n"
    ).rows()
    #expect(rows.first?["pairs"]?.integer == 1)
    // What is left out for another reason is not called long.
    let equal = try Program.run(
      ["evaluate", "--model", Fixtures.url("golden/worldpm").path, "--data", "-"],
      input: "{\"chosen_tokens\": [5, 6], \"rejected_tokens\": [5, 6]}\n")
    #expect(equal.status == 1 && equal.errors.contains("no pair can be measured"))
    #expect(equal.errors.contains("identical responses: 1"), "\(equal.errors)")
  }

  /// Ten bins of equal width, weighted by their share.
  private func calibrationError(_ points: [(probability: Double, outcome: Double)]) -> Double {
    let bins = Dictionary(grouping: points) { min(Int($0.probability * 10), 9) }
    return bins.values.reduce(0) { sum, bin in
      sum + abs(bin.reduce(0) { $0 + $1.probability - $1.outcome }) / Double(points.count)
    }
  }
}
