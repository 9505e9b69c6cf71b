import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// `evaluate --answers`: judges that give answers and no probabilities.
@Suite struct EvaluateAnswersTests {
  @Test func sampledAnswersAreMeasured() throws {
    try withTemporaryDirectory { folder in
      let file = folder.appending(path: "samples.jsonl")
      try lines([
        #"{"samples": ["A", "A", "B", "A"], "answer": "A", "source": "x"}"#,
        #"{"samples": [3, 3, "4", null], "answer": 4, "source": "y"}"#,
        #"{"samples": [" yes ", "yes"], "answer": "yes", "source": "x"}"#,
        #"{"samples": [], "answer": "A"}"#,
      ]).write(to: file, atomically: false, encoding: .utf8)
      let page = folder.appending(path: "out.html")
      let arguments = ["evaluate", "--answers", file.path, "--report", page.path]
      let all = try #require(try Program.run(arguments + ["--json"]).rows().first)
      expectClose(try #require(all["accuracy"]?.number), 2.0 / 3, absolute: 1e-12)
      #expect(all["questions"]?.integer == 3)
      #expect(all["samples"]?.integer == 10)
      #expect(all["invalid_samples"]?.integer == 1)
      #expect(all["dropped_reasons"]?["no samples"]?.integer == 1)
      // Agreement 0.75, 0.5 and 1; right, wrong, right.
      expectClose(
        try #require(all["agreement"]?["brier"]?.number), (0.0625 + 0.25 + 0) / 3, absolute: 1e-12)
      expectClose(
        try #require(all["agreement"]?["ece"]?.number), (0.25 + 0.5 + 0) / 3, absolute: 1e-12)
      expectClose(
        try #require(all["fsd"]?["mean_confidence"]?.number), (0.5 + 0.25 + 1) / 3, absolute: 1e-12)
      #expect(all["slices"]?["source"]?.array?.compactMap { $0["name"]?.string } == ["x", "y"])
      #expect(try String(contentsOf: page, encoding: .utf8).contains("first-second distance"))
      // The plain figures alone, with the same values.
      let plain = try #require(try Program.run(arguments).rows().first)
      #expect(plain["slices"] == nil && plain["accuracy_interval"] == nil)
      let keys = plain["agreement"]?.object?.map(\.key).sorted()
      #expect(keys == ["brier", "ece", "mean_confidence"])
      #expect(plain["agreement"]?["ece"]?.number == all["agreement"]?["ece"]?.number)
    }
  }

  static let answerCases: [(row: String, words: [String])] = [
    (#"{"answer": "A"}"#, ["line 1", "\"samples\""]),
    (#"{"samples": "A", "answer": "A"}"#, ["line 1", "\"samples\""]),
    (#"{"samples": ["A"]}"#, ["line 1", "\"answer\"", "no such key"]),
    (#"{"samples": ["A"], "answer": null}"#, ["line 1", "\"answer\"", "null"]),
    (#"{"samples": ["A", ["B"]], "answer": "A"}"#, ["samples[1]", "a list"]),
    (#"{"samples": [], "answer": "A"}"#, ["no row has samples", "none in 1 rows"]),
    ("", ["there is no row"]),
  ]

  @Test(arguments: answerCases) func badAnswersAreRefused(row: String, words: [String]) throws {
    let result = try Program.run(["evaluate", "--answers", "-"], input: row + "\n")
    #expect(result.status == 1)
    #expect(result.output.isEmpty)
    for word in words { #expect(result.errors.contains(word), "\(result.errors)") }
  }
}
