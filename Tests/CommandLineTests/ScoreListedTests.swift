import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// `score --model STAGE#NAME`: the models that `evaluate` takes by the same names.
@Suite struct ScoreListedTests {
  private static let data = EvaluateListedTests.data

  private func score(_ model: String, _ rows: [String] = data) throws -> [JSONValue] {
    try Program.run(["score", "--model", model], input: lines(rows)).rows()
  }

  private func pairs(_ rows: [JSONValue]) throws -> [[Double]] {
    try rows.map { row in
      [try #require(row["chosen_score"]?.number), try #require(row["rejected_score"]?.number)]
    }
  }

  @Test func membersScoreTogetherByTheirRule() throws {
    try withTemporaryDirectory { folder in
      let stage = try EvaluateListedTests.stage(folder)
      let a = try pairs(try score("\(stage)/cells/a"))
      let b = try pairs(try score("\(stage)/cells/b"))
      // Alone a model gives raw rewards; together they are normalised.
      #expect(try pairs(try score("\(stage)#single")) == b)
      func together(_ rule: (Double, Double) -> Double) -> [[Double]] {
        zip(a, b).map { a, b in zip(a, b).map { rule(2 * $0, 4 * $1 + 0.1) } }
      }
      let expected = [
        "averaging": together { ($0 + $1) / 2 }, "max-min": together { min($0, $1) },
      ]
      for (name, expected) in expected {
        let found = try score("\(stage)/models.json#\(name)")
        for (row, expected) in zip(found, expected) {
          expectClose(try pairs([row])[0], expected, absolute: 1e-4, relative: 0)
          let difference = expected[0] - expected[1]
          expectClose(
            try #require(row["probability"]?.number), 1 / (1 + exp(-difference)), absolute: 1e-4,
            relative: 0)
        }
      }
      let mixed = try score("\(stage)#mixed")
      let pair = try score("\(stage)/cells/pair")
      for row in Self.data.indices {
        let other = try #require(pair[row]["preference_score"]?.number)
        expectClose(
          try #require(mixed[row]["preference_score"]?.number), (a[row][0] - a[row][1] + other) / 2,
          absolute: 1e-4, relative: 0)
      }
    }
  }

  @Test func singleResponsesAndListsAreScored() throws {
    try withTemporaryDirectory { folder in
      let stage = try EvaluateListedTests.stage(folder)
      let rows = [
        #"{"prompt": "2 + 2?", "response": "4"}"#,
        #"{"prompt": "2 + 2?", "responses": ["4", "It is five.", "No."]}"#,
      ]
      let singles = try ["4", "It is five.", "No."].map { text in
        let row = "{\"prompt\": \"2 + 2?\", \"response\": \"\(text)\"}"
        return try #require(try score("\(stage)#max-min", [row]).first?["score"]?.number)
      }
      let found = try score("\(stage)#max-min", rows)
      expectClose(
        try #require(found[0]["score"]?.number), singles[0], absolute: 1e-4, relative: 0)
      let table = try #require(found[1]["preference_logits"]?.array).map(\.numbers)
      for (i, row) in table.enumerated() {
        expectClose(row, singles.map { singles[i] - $0 }, absolute: 1e-4, relative: 0)
      }
      let refused = try Program.run(
        ["score", "--model", "\(stage)#mixed"], input: lines([rows[0]]))
      #expect(refused.status == 1 && refused.errors.contains("compares two responses"))
    }
  }

  @Test func whatIsNotListedIsRefused() throws {
    try withTemporaryDirectory { folder in
      let stage = try EvaluateListedTests.stage(folder)
      for (model, word) in [("\(stage)#nothing", "'max-min'"), ("\(stage)#wrong", "a pair model")] {
        let result = try Program.run(["score", "--model", model], input: lines(Self.data))
        #expect(result.status == 1 && result.output.isEmpty)
        #expect(result.errors.contains(word), "\(result.errors)")
      }
    }
  }

  /// A mixture over people: every row by the member of its people, by the mean where nobody knows them.
  @Test func aMixtureJudgesByThePeopleOfARow() throws {
    try withTemporaryDirectory { folder in
      let stage = try EvaluateListedTests.stage(folder)
      // Rows of s0 are those whose number is a multiple of three.
      let data = Self.data.enumerated().map { row, text in
        text.replacing(
          "\"source\": \"s0\"",
          with: "\"source\": \"s0\", \"who\": \"\(row % 2 == 0 ? "ann" : "bob")\"")
      }
      let (a, b) = (
        try pairs(try score("\(stage)/cells/a", data)),
        try pairs(try score("\(stage)/cells/b", data))
      )
      let expected = data.indices.map { row in
        switch row % 3 {
        case 0: row % 2 == 0 ? a[row] : b[row]
        case 1: b[row]
        default: zip(a[row], b[row]).map { ($0 + $1) / 2 }
        }
      }
      let scored = try Program.run(["score", "--model", "\(stage)#people"], input: lines(data))
      let found = try pairs(try scored.rows())
      for row in data.indices {
        expectClose(found[row], expected[row], absolute: 1e-5, relative: 0)
      }
      #expect(scored.errors.contains("6 rows are of people without a training pair"))

      let evaluated = try EvaluateOptionsTests.evaluate(
        ["--json", "--resamples", "0"], data: data, model: "\(stage)#people")
      let all = try #require(try evaluated.rows().first)
      let loss =
        expected.reduce(0) { $0 + log(1 + exp($1[1] - $1[0])) } / Double(expected.count)
      expectClose(try #require(all["nll"]?.number), loss, absolute: 5e-6, relative: 0)
      #expect(all["unknown_people"]?.integer == 6)
      #expect(all["model_kind"]?.string == "a mixture of 2 reward models over people")
      #expect(evaluated.errors.contains("6 pairs are of people without a training pair"))
      // No member by itself has this loss.
      for scores in [a, b] {
        let other = scores.reduce(0) { $0 + log(1 + exp($1[1] - $1[0])) } / Double(scores.count)
        let difference = abs(other - loss)
        #expect(difference > 2e-5)
      }
    }
  }

  /// Rows that name no source are of the source that their file is called by, for both commands.
  @Test func aRowWithoutASourceIsOfItsFiles() throws {
    try withTemporaryDirectory { folder in
      let stage = try EvaluateListedTests.stage(folder)
      let data = Self.data.filter { $0.contains("\"source\": \"s0\"") }
        .map { $0.replacing("\"source\": \"s0\", ", with: "") }
      try #require(data.count == 7 && !data[0].contains("\"source\""))
      let file = folder.appending(path: "s1.test.jsonl")
      try lines(data).write(to: file, atomically: false, encoding: .utf8)
      let scored = try Program.run(
        ["score", "--model", "\(stage)#people", "--input", file.path])
      let (found, b) = (
        try pairs(try scored.rows()), try pairs(try score("\(stage)/cells/b", data))
      )
      for (found, expected) in zip(found, b) {
        expectClose(found, expected, absolute: 1e-5, relative: 0)
      }
      #expect(found.count == 7)
      #expect(!scored.errors.contains("without a training pair"), "\(scored.errors)")
      let evaluated = try Program.run(
        ["evaluate", "--model", "\(stage)#people", "--data", file.path, "--resamples", "0"])
      let unknown = try evaluated.rows().first?["unknown_people"]?.integer
      #expect(unknown == 0, "\(evaluated.errors)")
    }
  }
}
