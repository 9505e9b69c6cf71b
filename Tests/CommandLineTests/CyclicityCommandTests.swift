import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// `data cycles`, `model cost`, and tables of `score`, from outside.
@Suite struct CyclicityCommandTests {
  private func cycles(_ text: String, _ options: [String] = []) throws -> Program.Result {
    try withTemporaryDirectory { folder in
      let file = folder.appending(path: "rows.jsonl")
      try text.write(to: file, atomically: true, encoding: .utf8)
      return try Program.run(["data", "cycles", file.path] + options)
    }
  }

  @Test func aCircleOfPairsIsFound() throws {
    let circle = [("a", "b"), ("b", "c"), ("c", "a")].map {
      #"{"prompt": "p", "chosen": "\#($0.0)", "rejected": "\#($0.1)"}"#
    }
    let found = try #require(
      try cycles(lines(circle), ["--json", "--draws", "20", "--resamples", "20"]).rows().first)
    #expect(found["counts"]?["cycles"]?.integer == 1)
    #expect(found["counts"]?["triples"]?.integer == 1)
    expectClose(try #require(found["cyclic_share"]?["value"]?.number), 1, absolute: 1e-9)
    #expect(found["cyclic_share"]?["null"]?["p_value"]?.number != nil)
    let table = try cycles(lines(circle))
    #expect(table.output.contains("strict 3-cycles") && table.output.contains("1 of 1"))
  }

  /// The place of a response in a pair is not known, so it must explain nothing: in a circle of pairs
  /// all ratings are equal, and a quarter of the simulated triples are circles.
  @Test func theNullOfPairsIsNotTheFileItself() throws {
    let circles = (0..<5).flatMap { prompt in
      [("a", "b"), ("b", "c"), ("c", "a")].map {
        #"{"prompt": "p\#(prompt)", "chosen": "\#($0.0)", "rejected": "\#($0.1)"}"#
      }
    }
    let result = try cycles(lines(circles), ["--json", "--resamples", "20"])
    let null = try #require(try result.rows().first?["cycles"]?["null"])
    // 1,000 triples are drawn; the standard deviation is 0.014.
    expectClose(try #require(null["mean"]?.number), 0.25, absolute: 0.07, relative: 0)
    // All five are circles in one simulation of 1,024.
    #expect(try #require(null["p_value"]?.number) < 0.05)
    #expect(!result.errors.contains("zero width"))
    // One simulation has no spread.
    for options in [["--draws", "1"], ["--draws", "1", "--json"]] {
      #expect(try cycles(lines(circles), options).errors.contains("the null has zero width"))
    }
    #expect(try !cycles(lines(circles), ["--draws", "0"]).errors.contains("zero width"))
  }

  @Test func singlePairsSayThatNothingCanBeSeen() throws {
    let result = try cycles(lines([#"{"prompt": "p", "chosen": "a", "rejected": "b"}"#]))
    #expect(result.status == 0)
    #expect(result.errors.contains("cycles cannot be seen"))
  }

  @Test func tournamentsArePooled() throws {
    let rows = (0..<20).flatMap { id in
      // Both orders, or the first place alone would explain everything.
      [("x", "y"), ("y", "z"), ("z", "x")].flatMap {
        [
          #"{"message_id": "\#(id)", "first": "\#($0.0)", "second": "\#($0.1)", "winner": 1}"#,
          #"{"message_id": "\#(id)", "first": "\#($0.1)", "second": "\#($0.0)", "winner": 2}"#,
        ]
      }
    }
    let found = try #require(
      try cycles(lines(rows), ["--json", "--draws", "50", "--resamples", "20"]).rows().first)
    #expect(found["is_pooled"] == .bool(true))
    #expect(found["counts"]?["cycles"]?.integer == 20)
    let p = try #require(found["cyclic_share"]?["null"]?["p_value"]?.number)
    #expect(p < 0.05)
  }

  @Test func tablesOfAModelAreRead() throws {
    let row = #"{"prompt": "Name a colour.", "responses": ["Red", "Blue", "Wednesday"]}"#
    for model in [TestModels.reward, TestModels.generalPreference, TestModels.pair] {
      let tables = try Program.run(["score", "--model", model], input: lines([row, row])).output
      let table = try #require(
        try JSONValue(parsing: Array(tables.split(separator: "\n")[0].utf8))["preference_logits"]?
          .array)
      #expect(table.count == 3)
      let found = try #require(try cycles(tables, ["--json", "--resamples", "20"]).rows().first)
      #expect(found["prompts"]?.integer == 2)
      #expect(found["counts"]?["triples"]?.integer == 2)
      if model == TestModels.reward {
        #expect(found["counts"]?["cycles"]?.integer == 0)
        #expect(try #require(found["cyclic_share"]?["value"]?.number) < 1e-9)
      }
    }
  }

  @Test(arguments: [
    (#"{"preference_logits": [[0, 1], [1, 0]]}"#, "antisymmetric"),
    (#"{"preference_logits": [[0, 1]]}"#, "square"),
    (#"{"message_id": "1", "first": "x", "second": "y", "winner": 7}"#, "0, 1 or 2"),
  ])
  func badRowsAreNamed(row: (String, String)) throws {
    let result = try cycles(row.0 + "\n")
    #expect(result.status == 1)
    #expect(result.errors.contains("line 1") && result.errors.contains(row.1))
  }

  @Test func costsAreCountedAndDrawn() throws {
    try withTemporaryDirectory { folder in
      let page = folder.appending(path: "cost.html")
      let result = try Program.run([
        "model", "cost", "--model", TestModels.reward, "--responses", "2,5", "--prompt-tokens", "6",
        "--response-tokens", "4", "--json", "--output", page.path,
      ])
      let rows = try result.rows()
      #expect(rows.map { $0["sequences"]?.integer } == [2, 2, 2, 5, 5, 20])
      // Six tokens of prompt, shared; a pair model shares it between the two orders of a pair.
      #expect(rows.map { $0["tokens"]?.integer } == [14, 14, 22, 26, 26, 10 * 22])
      #expect(rows.allSatisfy { ($0["seconds"]?.number ?? -1) >= 0 })
      let html = try String(contentsOf: page, encoding: .utf8)
      #expect(html.contains("Sequences through the trunk") && html.contains("<svg"))
      let long = try Program.run([
        "model", "cost", "--model", TestModels.reward, "--response-tokens", "60",
      ])
      #expect(long.status == 1 && long.errors.contains("expected at most 96 tokens"))
      let wrong = try Program.run([
        "model", "cost", "--model", TestModels.reward, "--responses", "2,x",
      ])
      #expect(wrong.status != 0 && wrong.errors.contains("--responses"))
    }
  }

  @Test func listsOfResponsesAreChecked() throws {
    let result = try Program.run(
      ["score", "--model", TestModels.reward],
      input: lines([#"{"prompt": "a", "responses": ["b"]}"#]))
    #expect(result.status == 1 && result.errors.contains("at least two texts"))
  }
}
