import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

/// The options of `evaluate`: what they add, and what they refuse.
@Suite struct EvaluateOptionsTests {
  /// Pairs with sources, margins, several turns and Markdown.
  ///
  /// The first user turn is the key of a prompt, so the rows that begin with "Hi" share one.
  static func rows(_ count: Int, prefix: String) -> [String] {
    (0..<count).map { row in
      let chosen = "- one\\n- two **bold** \(String(repeating: "word ", count: row % 5))"
      let rejected = "# No\\n\(String(repeating: "other ", count: (row * 3) % 7))"
      let turns =
        row % 2 == 0
        ? ""
        : "{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Yes?\"}, "
      return "{\"messages\": [\(turns)"
        + "{\"role\": \"user\", \"content\": \"\(prefix) \(row)?\"}], \"source\": \"s\(row % 3)\", "
        + "\"margin\": \(1 + row % 13), \"chosen\": \"\(chosen)\", \"rejected\": \"\(rejected)\"}"
    }
  }

  /// Runs `evaluate` on rows written to files.
  static func evaluate(
    _ arguments: [String], data: [String], validation: [String]? = nil,
    model: String = TestModels.reward
  ) throws -> Program.Result {
    try withTemporaryDirectory { folder in
      let file = folder.appending(path: "data.jsonl")
      try lines(data).write(to: file, atomically: false, encoding: .utf8)
      var all = ["evaluate", "--model", model, "--data", file.path]
      if let validation {
        let other = folder.appending(path: "validation.jsonl")
        try lines(validation).write(to: other, atomically: false, encoding: .utf8)
        all += ["--validation", other.path]
      }
      return try Program.run(all + arguments)
    }
  }

  static let keys = [
    "accuracy", "nll", "brier", "ece", "folded_ece", "pairs", "dropped", "adaptive_ece", "mce",
    "ace",
  ]

  @Test(
    "Complaint 19, reward-bench#263: plumb evaluate gives calibration, slices and style",
    arguments: [
      TestModels.reward, TestModels.generalPreference, TestModels.gated, TestModels.pair,
    ])
  func everythingInOneObject(model: String) throws {
    let output = try Self.evaluate(
      ["--json", "--resamples", "50"], data: Self.rows(24, prefix: "Test"),
      validation: Self.rows(30, prefix: "Other").filter { !$0.contains("\"Hi\"") }, model: model)
    let rows = try output.rows()
    #expect(rows.count == 1)
    let all = try #require(rows.first)
    #expect(all.object?.prefix(7).map(\.key) == Array(Self.keys.prefix(7)))
    #expect(all["pairs"]?.integer == 24)
    #expect(all["prompts"]?.integer == 13)
    let reliability = try #require(all["reliability"]?.array)
    #expect(reliability.count == 10)
    #expect(reliability.reduce(0) { $0 + ($1["count"]?.integer ?? 0) } == 48)
    let ends = try #require(all["intervals"]?["nll"]?.numbers)
    let nll = try #require(all["nll"]?.number)
    #expect(ends.count == 2 && ends[0] <= nll && nll <= ends[1])
    #expect(all["ece_by_bins"]?["10"]?.number == all["ece"]?.number)
    let status = try #require(all["temperature"]?["status"]?.string)
    #expect(["fitted", "no signal", "separable"].contains(status))
    #expect(all["temperature"]?["validation_pairs"]?.integer == 15)
    for key in ["source", "length", "longer", "margin", "turns"] {
      let slices = try #require(all["slices"]?[key]?.array, "\(key)")
      #expect(slices.reduce(0) { $0 + ($1["pairs"]?.integer ?? 0) } == 24, "\(key)")
    }
    #expect(
      all["slices"]?["source"]?.array?.compactMap { $0["name"]?.string } == ["s0", "s1", "s2"])
    #expect(all["slices"]?["turns"]?.array?.compactMap { $0["name"]?.string } == ["1", "2"])
    let style = try #require(all["style"])
    #expect(style["fitted_on"]?.string == "validation")
    #expect(style["fit_pairs"]?.integer == 15)
    #expect(style["raw"]?["nll"]?.number == nll)
    #expect(style["phi"]?["headers"]?["pairs"]?.integer == 24)
    // The rejected answers alone have headers.
    #expect(style["phi"]?["headers"]?["label"]?.number == -1)
    #expect(style["phi"]?["bold"]?["label"]?.number == 1)
    let beta = try #require(style["beta"]?.object)
    #expect(beta.map(\.key) == ["length", "lists", "headers", "bold"])
    // Only a pair model reads its responses in an order.
    let isPair = model == TestModels.pair
    for key in ["order_flips", "first_place_logit", "order_logit_magnitude"] {
      #expect((all[key]?.number != nil) == isPair, "\(key)")
      #expect((all["intervals"]?[key]?.numbers.count == 2) == isPair, "\(key)")
    }
  }

  /// Held against what `score` says of the same pairs in both orders.
  @Test func theOrderBiasOfAPairModelFollowsFromBothOrders() throws {
    let data = Self.rows(24, prefix: "Test")
    let all = try #require(
      try Self.evaluate(["--json", "--resamples", "40"], data: data, model: TestModels.pair)
        .rows().first)
    let found = try Program.run(["score", "--model", TestModels.pair], input: lines(data)).rows()
    let orders = try found.map {
      (try #require($0["as_given"]?.number), try #require($0["swapped"]?.number))
    }
    try #require(orders.count == 24)
    let count = Double(orders.count)
    // A verdict of exactly 0 does not occur in random weights.
    let flips = Double(orders.count { ($0 > 0) != ($1 > 0) }) / count
    // `swapped` is minus the log-odds of the second response, read first.
    let places = orders.map { ($0 - $1) / 2 }
    let place = places.reduce(0, +) / count
    let magnitude = places.reduce(0) { $0 + abs($1) } / count
    expectClose(try #require(all["order_flips"]?.number), flips, absolute: 1e-9)
    expectClose(try #require(all["first_place_logit"]?.number), place, absolute: 1e-4)
    expectClose(try #require(all["order_logit_magnitude"]?.number), magnitude, absolute: 1e-4)
    let answers = orders.map { ($0 + $1) / 2 }
    let right = Double(answers.count { $0 > 0 }) / count
    expectClose(try #require(all["accuracy"]?.number), right, absolute: 1e-9)
    let ends = try #require(all["intervals"]?["first_place_logit"]?.numbers)
    #expect(ends[0] <= place && place <= ends[1])
    #expect(all["model_kind"]?.string == "a pair model")
  }

  @Test func onlyWhatIsAskedForIsPrinted() throws {
    let data = Self.rows(12, prefix: "Test")
    func keys(_ arguments: [String]) throws -> [String] {
      try #require(try Self.evaluate(arguments, data: data).rows().first?.object).map(\.key)
    }
    #expect(try keys([]) == Self.keys)
    #expect(try keys(["--slices", "source"]) == Self.keys + ["slices"])
    #expect(try keys(["--style-control"]) == Self.keys + ["style"])
    let some = try #require(
      try Self.evaluate(
        ["--slices", "margin, turns", "--style-control", "length,bold"], data: data
      ).rows().first)
    #expect(some["slices"]?.object?.map(\.key) == ["margin", "turns"])
    #expect(some["style"]?["beta"]?.object?.map(\.key) == ["length", "bold"])
    #expect(some["style"]?["fitted_on"]?.string == "other folds")
  }

  @Test func temperatureIsFittedOnTheValidationPairsAlone() throws {
    let data = Self.rows(16, prefix: "Test")
    let validation = Self.rows(40, prefix: "Other").filter { !$0.contains("\"Hi\"") }
    let plain = try #require(try Self.evaluate([], data: data).rows().first)
    let with = try #require(
      try Self.evaluate(["--resamples", "0"], data: data, validation: validation).rows().first)
    for key in Self.keys { #expect(plain[key] == with[key], "\(key)") }
    // Swapped, the same pairs give the same log-likelihood.
    let swapped = try #require(
      try Self.evaluate(
        ["--resamples", "0"], data: validation,
        validation: data.filter {
          !$0.contains("\"Hi\"")
        }
      ).rows().first)
    expectClose(
      try #require(with["temperature"]?["validation_nll_before"]?.number),
      try #require(swapped["nll"]?.number), absolute: 1e-5, relative: 0)
    #expect(with["temperature"]?["interval"] == .null)
  }

  @Test func validationPairsOfTheSamePromptsAreLeftOut() throws {
    let data = Self.rows(10, prefix: "Test")
    let output = try Self.evaluate(
      ["--style-control"], data: data,
      validation: data + Self.rows(12, prefix: "Other").filter { !$0.contains("\"Hi\"") })
    #expect(output.errors.contains("10 pairs share a prompt with --data"))
    let all = try #require(try output.rows().first)
    #expect(all["temperature"]?["left_out_for_shared_prompts"]?.integer == 10)
    #expect(all["temperature"]?["validation_pairs"]?.integer == 6)
    #expect(all["style"]?["fit_pairs"]?.integer == 6)
    let same = try Self.evaluate([], data: data, validation: data)
    #expect(same.status == 1)
    #expect(same.errors.contains("validation.jsonl"))
    #expect(same.errors.contains("none among 10"))
  }

  @Test func theSeedDecidesTheIntervals() throws {
    let data = Self.rows(20, prefix: "Test").filter { !$0.contains("\"Hi\"") }
    func run(_ seed: String) throws -> String {
      try Self.evaluate(["--json", "--resamples", "40", "--seed", seed], data: data).output
    }
    let (one, again, other) = (try run("1"), try run("1"), try run("2"))
    #expect(one == again)
    #expect(one != other)
  }

  @Test func unusableRowsAreCountedByReason() throws {
    let filling = String(repeating: "many words ", count: 90)
    let long = String(repeating: "word ", count: 80)
    let data = [
      #"{"prompt": "Same?", "chosen": "Yes", "rejected": " Yes"}"#,
      #"{"prompt": "Empty?", "chosen": "", "rejected": "No"}"#,
      #"{"prompt": "Tie?", "chosen": "Yes", "rejected": "No", "margin": 0}"#,
      #"{"prompt": "", "chosen": "Yes", "rejected": "No"}"#,
      "{\"prompt\": \"\(filling)\", \"chosen\": \"Yes\", \"rejected\": \"No\"}",
      "{\"prompt\": \"Long?\", \"chosen\": \"\(long)\", \"rejected\": \"No\"}",
      #"{"prompt": "No answers here"}"#,
      #"{"prompt": "Fine?", "chosen": "Yes", "rejected": "No", "source": "one"}"#,
    ]
    for model in [
      TestModels.reward, TestModels.generalPreference, TestModels.gated, TestModels.pair,
    ] {
      let output = try Self.evaluate(["--json"], data: data, model: model)
      let all = try #require(try output.rows().first)
      #expect(all["pairs"]?.integer == 1)
      #expect(all["dropped"]?.integer == 7)
      #expect(
        all["dropped_reasons"]
          == .object(
            [
              "empty prompt", "empty response", "identical responses", "longer than 96 tokens",
              "no preference", "prompt fills the context of 96 tokens", "tie",
            ].map { JSONField(key: $0, value: .integer(1)) }))
      // One prompt: no interval, no folds to fit a style on.
      #expect(all["intervals"]?["accuracy"] == .null)
      #expect(all["style"] == nil)
      #expect(output.errors.contains("style was left out"))
    }
    let nothing = try Self.evaluate([], data: Array(data.prefix(6).suffix(2)))
    #expect(nothing.status == 1)
    #expect(nothing.errors.contains("prompt fills the context of 96 tokens: 1"))
  }

  @Test func aSourceWithOneOutcomeHasFigures() throws {
    // One source whose chosen answer is always the longer one, and one pair of another source.
    let data =
      (0..<6).map {
        #"{"prompt": "p\#($0)", "chosen": "long long answer", "rejected": "no", "source": "a"}"#
      }
      + [#"{"prompt": "q", "chosen": "no", "rejected": "yes", "source": "b"}"#]
    let all = try #require(try Self.evaluate(["--json"], data: data).rows().first)
    #expect(all["slices"]?["source"]?.array?.count == 2)
    #expect(all["style"]?["chosen_shorter"]?["pairs"]?.integer ?? 0 <= 1)
    #expect(all["style"]?["phi"]?["lists"]?["label"] == .null)
  }

  @Test func rowsOfTokensHaveCalibrationAndNoStyle() throws {
    let data =
      (0..<8).map { "{\"chosen_tokens\": [5, \(6 + $0), 0], \"rejected_tokens\": [7, 8]}" }
      + [
        "{\"chosen_tokens\": [5], \"rejected_tokens\": [5]}",
        "{\"chosen_tokens\": [5], \"rejected_tokens\": [6], \"margin\": 0}",
      ]
    let model = Fixtures.url("golden/worldpm").path
    let all = try #require(
      try Self.evaluate(["--json"], data: data, model: model).rows().first)
    #expect(all["pairs"]?.integer == 8)
    #expect(all["prompts"]?.integer == 8)
    #expect(all["dropped_reasons"]?["identical responses"]?.integer == 1)
    #expect(all["dropped_reasons"]?["tie"]?.integer == 1)
    #expect(all["style"] == nil)
    let asked = try Self.evaluate(["--style-control"], data: data, model: model)
    #expect(asked.status == 1)
    #expect(asked.errors.contains("expected rows with texts"))
    // A model that weighs by the prompt must be told where it ends.
    let gated = try Self.evaluate([], data: data, model: TestModels.gated)
    #expect(gated.status == 1)
    #expect(gated.errors.contains("data.jsonl"))
  }

  @Test func thePageHasEverySection() throws {
    try withTemporaryDirectory { folder in
      let page = folder.appending(path: "out.html")
      let result = try Self.evaluate(
        ["--report", page.path, "--resamples", "30"], data: Self.rows(24, prefix: "A <b>"),
        validation: Self.rows(30, prefix: "Other").filter { !$0.contains("\"Hi\"") })
      #expect(result.status == 0, "\(result.errors)")
      let html = try String(contentsOf: page, encoding: .utf8)
      for text in [
        "<!DOCTYPE html>", "Figures", "Reliability", "Temperature", "Slices", "Style",
        "Entries per bin", "adaptive ECE", "style-controlled", "<svg", "margin", "11 and more",
      ] {
        #expect(html.contains(text), "\(text)")
      }
      #expect(!html.contains("Order of the responses"))
      let ofPair = try Self.evaluate(
        ["--report", page.path, "--resamples", "30"], data: Self.rows(24, prefix: "A"),
        model: TestModels.pair)
      let order = try String(contentsOf: page, encoding: .utf8)
      #expect(ofPair.status == 0 && order.contains("Order of the responses"))
      #expect(order.contains("verdicts that change with the order"))
      #expect(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"))
      let missing = try Self.evaluate(
        ["--report", folder.appending(path: "no/out.html").path], data: Self.rows(2, prefix: "A"))
      #expect(missing.status == 1)
      #expect(missing.errors.contains("no/out.html"))
      #expect(missing.output.isEmpty)
      let occupied = try Self.evaluate(["--report", folder.path], data: Self.rows(2, prefix: "A"))
      #expect(occupied.status == 1)
      #expect(occupied.errors.contains("found a folder"))
    }
  }

  static let usageCases: [(arguments: [String], words: [String])] = [
    ([], ["--model", "--answers"]),
    (["--model", "x"], ["--data"]),
    (["--model", "x", "--data", "y", "--bins", "0"], ["--bins", "found 0"]),
    (["--model", "x", "--data", "y", "--resamples", "-1"], ["resamples"]),
    (["--model", "x", "--data", "y", "--slices", "colour"], ["--slices", "margin", "'colour'"]),
    (["--model", "x", "--data", "y", "--slices", ""], ["--slices", "''"]),
    (["--model", "x", "--data", "y", "--style-control", "length,emoji"], ["headers", "'emoji'"]),
    (["--model", "x", "--data", "-", "--validation", "-"], ["standard input"]),
    (["--model", "x", "--answers", "y"], ["--answers", "--model"]),
    (["--answers", "y", "--slices", "source"], ["--answers", "--slices"]),
    (["--model", "x", "--data", "y", "--seed", "-3"], ["seed"]),
  ]

  @Test(arguments: usageCases) func misuseIsRefused(arguments: [String], words: [String]) throws {
    let result = try Program.run(["evaluate"] + arguments)
    #expect(result.status == 64, "\(result.errors)")
    #expect(result.output.isEmpty)
    for word in words { #expect(result.errors.contains(word), "\(result.errors)") }
  }
}
