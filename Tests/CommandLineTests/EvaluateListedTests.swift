import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbPreferences
import PlumbTestSupport
import PlumbTokenizers
import Testing

/// Models that a stage lists in `models.json`: one of many, and several that judge together.
@Suite struct EvaluateListedTests {
  static let data = EvaluateOptionsTests.rows(20, prefix: "Test")

  /// A stage with two reward models of other weights, normalised, and a pair model, and what lists them.
  static func stage(_ folder: URL, index: String? = nil) throws -> String {
    let source = URL(filePath: TestModels.reward)
    let encoder = try ConversationEncoder.load(from: source)
    let configuration = try RewardModel(directory: source).decoder.configuration
    for (name, seed, gain, bias) in [("a", UInt64(2), 2.0, 0.0), ("b", 7, 4.0, 0.1)] {
      var model = try RewardModel(
        configuration: configuration, head: .worldPM, endOfText: 0, seed: seed)
      model.normalisation = RewardNormalisation(gain: gain, bias: bias)
      let target = folder.appending(path: "cells/\(name)")
      try model.write(to: target)
      try encoder.write(to: target)
    }
    try FileManager.default.copyItem(
      at: URL(filePath: TestModels.pair), to: folder.appending(path: "cells/pair"))
    let entry = { (name: String, members: String, rule: String) in
      #"{"name": "\#(name)", "scheme": "s", "seed": 1, "members": [\#(members)], "rule": "\#(rule)"}"#
    }
    let (a, b, pair) = (#""cells/a""#, #""cells/b""#, #""cells/pair""#)
    let listed = [
      entry("single", b, "mean"), entry("averaging", "\(a), \(b)", "mean"),
      entry("max-min", "\(a), \(b)", "minimum"), entry("mixed", "\(a), \(pair)", "mean"),
      entry("wrong", "\(a), \(pair)", "minimum"),
      String(entry("people", "\(a), \(b)", "mean").dropLast()) + ", \"people\": \(people)}",
    ].joined(separator: ", ")
    try (index ?? "{\"models\": [\(listed)]}").write(
      to: folder.appending(path: "models.json"), atomically: false, encoding: .utf8)
    return folder.path
  }

  /// Of the rows of `s0`, ann's are judged by the first member and bob's by the second, as is all of `s1`.
  static let people = """
    {"groupBy": "annotator", "groupField": "who", "annotatorsPerSource": 1, "seed": 3, "sources": [
    {"name": "one", "rows": ["s0"], "members": {"one/ann": 0, "one/bob": 1}},
    {"name": "two", "rows": ["s1"], "members": {"two": 1}}]}
    """

  private func figures(_ model: String) throws -> JSONValue {
    let result = try EvaluateOptionsTests.evaluate(
      ["--json", "--resamples", "0"], data: Self.data, model: model)
    #expect(result.status == 0, "\(result.errors)")
    return try #require(try result.rows().first)
  }

  /// Mean negative log-likelihood of pairs with these log-odds, nats.
  private func loss(_ logOdds: [Double]) -> Double {
    logOdds.reduce(0) { $0 + log(1 + exp(-$1)) } / Double(logOdds.count)
  }

  @Test func membersJudgeTogetherByTheirRule() throws {
    try withTemporaryDirectory { folder in
      let stage = try Self.stage(folder)
      let scores = try ["a", "b"].map { name in
        try Program.run(
          ["score", "--model", "\(stage)/cells/\(name)"], input: lines(Self.data)
        ).rows().map { row in
          [try #require(row["chosen_score"]?.number), try #require(row["rejected_score"]?.number)]
        }
      }
      let (a, b) = (scores[0], scores[1])
      // `score` prints raw rewards; those of an ensemble are normalised.
      let (first, second) = (a.map { $0.map { 2 * $0 } }, b.map { $0.map { 4 * $0 + 0.1 } })
      let single = loss(b.map { $0[0] - $0[1] })
      let mean = loss(zip(first, second).map { ($0[0] - $0[1] + $1[0] - $1[1]) / 2 })
      let minimum = loss(
        zip(first, second).map { min($0[0], $1[0]) - min($0[1], $1[1]) })
      for (name, expected, kind) in [
        ("single", single, "a reward model"),
        ("averaging", mean, "the mean of 2 reward models"),
        ("max-min", minimum, "the lowest of 2 reward models"),
      ] {
        for reference in ["\(stage)#\(name)", "\(stage)/models.json#\(name)"] {
          let found = try figures(reference)
          expectClose(try #require(found["nll"]?.number), expected, absolute: 1e-4, relative: 0)
          #expect(found["model_kind"]?.string == kind)
          #expect(found["pairs"]?.integer == Self.data.count)
        }
      }
      // The three differ, so that none can pass for another.
      let differences = [abs(mean - minimum), abs(mean - single), abs(minimum - single)]
      #expect(differences.allSatisfy { $0 > 5e-4 }, "\(differences)")
      let mixed = try figures("\(stage)#mixed")["model_kind"]?.string
      #expect(mixed == "the mean of 2 preference models")
    }
  }

  @Test func whatIsNotListedIsRefused() throws {
    try withTemporaryDirectory { folder in
      let stage = try Self.stage(folder)
      let cases = [
        ("\(stage)#nothing", ["'averaging'", "'max-min'", "found 'nothing'"]),
        (stage, ["'single'", "found no name"]),
        ("\(stage)/models.json", ["'single'", "found no name"]),
        ("\(stage)/cells#single", ["models.json", "'single'"]),
        ("\(stage)#wrong", ["expected a reward model", "a pair model"]),
      ]
      for (model, words) in cases {
        let result = try EvaluateOptionsTests.evaluate([], data: Self.data, model: model)
        #expect(result.status == 1, "\(model)")
        #expect(result.output.isEmpty)
        for word in words { #expect(result.errors.contains(word), "\(word): \(result.errors)") }
      }
    }
    try withTemporaryDirectory { folder in
      let empty =
        #"{"models": [{"name": "x", "scheme": "x", "seed": 1, "members": [], "rule": "mean"}]}"#
      let stage = try Self.stage(folder, index: empty)
      let result = try EvaluateOptionsTests.evaluate([], data: Self.data, model: "\(stage)#x")
      #expect(result.status == 1 && result.errors.contains("'x' has no members"))
    }
  }

  /// A folder whose own name has a '#' is still a folder.
  @Test func aNameWithTheMarkIsAPath() throws {
    try withTemporaryDirectory { folder in
      let copy = folder.appending(path: "model#1")
      try FileManager.default.copyItem(at: URL(filePath: TestModels.reward), to: copy)
      #expect(try figures(copy.path) == figures(TestModels.reward))
    }
  }
}
