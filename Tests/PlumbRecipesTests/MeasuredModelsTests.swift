import Foundation
import PlumbEvaluation
import PlumbPreferences
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// Calibration and style of many models side by side, on log-odds made by hand.
@Suite struct MeasuredModelsTests {
  /// Pairs of different prompts on which a model is sure to 0.9, rightly or wrongly.
  static func pairs(
    _ part: String, isRight: [Bool], chosenIsLonger: [Bool?]
  ) -> [ScoredPair] {
    zip(isRight, chosenIsLonger).enumerated().map { index, pair in
      let (isRight, isLonger) = pair
      let tokens = isLonger.map { $0 ? (10, 5) : (5, 10) } ?? (5, 5)
      return ScoredPair(
        logOdds: isRight ? log(9) : -log(9),
        facts: PairFacts(
          prompt: "\(part) \(index)", source: part, chosen: ResponseStyle(tokens: tokens.0),
          rejected: ResponseStyle(tokens: tokens.1)))
    }
  }

  static let test = pairs(
    "test", isRight: [true, true, true, true, false],
    chosenIsLonger: [true, true, false, false, true])
  static let validation = pairs(
    "validation", isRight: [true, true, true, false], chosenIsLonger: [nil, nil, nil, nil])

  static func value(_ models: MeasuredModels, _ name: String) throws -> Double {
    try #require(models.figures.first { $0.name == "a/\(name)" }, "\(name)").value
  }

  /// Four of five pairs are right at p = 0.9, so every bin that is not empty is off by 0.1.
  ///
  /// Of the validation pairs three of four are right, so T makes 0.75 of 0.9: log 9 / T = log 3, T = 2, and
  /// the test's 0.8 is then off by 0.05. Fitted on the test, T would be log 9 / log 4, and nothing off.
  @Test func temperatureIsOfTheValidationPairsAndMovesTheTestPairs() throws {
    let models = MeasuredModels(
      [.init(name: "a", test: Self.test, validation: Self.validation)], seed: 3)
    let expected: [String: Double] = [
      "test_accuracy": 0.8, "test_ece": 0.1, "test_folded_ece": 0.1, "test_adaptive_ece": 0.1,
      "test_brier": (4 * 0.01 + 0.81) / 5, "test_nll": (4 * log(10.0 / 9) + log(10.0)) / 5,
      "temperature": 2, "test_ece_with_temperature": 0.05,
      "test_folded_ece_with_temperature": 0.05, "test_adaptive_ece_with_temperature": 0.05,
      "test_nll_with_temperature": (4 * log(4.0 / 3) + log(4.0)) / 5,
    ]
    for (name, value) in expected {
      expectClose(try Self.value(models, name), value, absolute: 1e-9)
    }
    let row = try #require(models.calibrationTable.rows.first)
    let columns = models.calibrationTable.columns
    let cells = Dictionary(uniqueKeysWithValues: zip(columns, row))
    #expect(cells["model"] == "a" && cells["pairs"] == "5")
    #expect(cells["NLL (nats)"] == "0.545" && cells["NLL with T"] == "0.507")
    #expect(cells["folded ECE"] == "0.100" && cells["adaptive ECE"] == "0.100")
    for (column, value) in [("ECE", "0.100"), ("T", "2.00"), ("ECE with T", "0.050")] {
      #expect(cells[column]?.hasPrefix(value) == true, "\(column): \(cells[column] ?? "")")
    }
  }

  /// Where the chosen answer is longer, two of three are right; where it is shorter, both.
  ///
  /// The model takes the longer answer in 2 of 5 pairs, people in 3: φ = (2·2 − 3·3) / 25 and the opposite.
  /// No validation pair differs in style, so the control leaves the model's choice, and style alone is a coin.
  @Test func styleIsControlledByTheValidationPairs() throws {
    let models = MeasuredModels(
      [.init(name: "a", test: Self.test, validation: Self.validation)], seed: 3)
    let expected: [String: Double] = [
      "test_accuracy_chosen_longer": 2.0 / 3, "test_accuracy_chosen_shorter": 1,
      "test_accuracy_style_controlled": 0.8, "test_accuracy_style_only": 0.5,
      "test_phi_prediction_length": -0.2, "test_phi_label_length": 0.2,
    ]
    for (name, value) in expected {
      expectClose(try Self.value(models, name), value, absolute: 1e-9)
    }
    let row = try #require(models.styleTable.rows.first)
    #expect(Array(row.suffix(4)) == ["−0.200", "0.200", "–", "–"])
    let isMarked = row.contains { $0.contains("†") }
    #expect(!isMarked)

    // Without validation pairs there is no temperature, and the table says where the style was fitted.
    let bare = MeasuredModels([.init(name: "a", test: Self.test, validation: [])], seed: 3)
    let isFitted = bare.figures.contains { $0.name == "a/temperature" }
    #expect(!isFitted)
    let temperature = try #require(bare.calibrationTable.columns.firstIndex(of: "T"))
    let controlled = try #require(
      bare.styleTable.columns.firstIndex(of: "accuracy, style-controlled"))
    #expect(bare.calibrationTable.rows.first?[temperature] == "–")
    #expect(bare.styleTable.rows.first?[controlled].hasSuffix(" †") == true)
  }

  @Test func aModelThatCannotBeMeasuredHasARowOfDashes() throws {
    var broken = Self.test
    broken[2].logOdds = .nan
    let models = MeasuredModels(
      [
        .init(name: "none", test: [], validation: Self.validation),
        .init(name: "broken", test: broken, validation: []),
        .init(name: "a", test: Self.test, validation: []),
      ], seed: 3)
    let dashes = [models.calibrationTable, models.styleTable].flatMap { $0.rows.prefix(2) }
      .allSatisfy { $0.dropFirst().allSatisfy { $0 == "–" } }
    #expect(dashes)
    let names = Set(models.figures.compactMap { $0.name.split(separator: "/").first })
    #expect(names == ["a"])
  }

  /// Pairs without style and with a single prompt, as odd as a small run may have them.
  @Test(arguments: [12, 13]) func aFoldForEachModelAndPlotsForAFew(_ count: Int) throws {
    let pair = ScoredPair(logOdds: 0, facts: PairFacts(prompt: "p", source: "s"))
    let section = MeasuredModels(
      (0..<count).map { .init(name: "m\($0)", test: [pair], validation: []) }, seed: 1
    ).section
    var (folds, plots) = (0, 0)
    for block in section.blocks {
      if case .details(let summary, let text) = block {
        folds += 1
        #expect(summary.hasSuffix(": reliability and slices"))
        // A tie is in the middle bin, in both orders.
        let row = "0.50" + String(repeating: " ", count: 2 + "entries, model".count - 1) + "2 "
        let hasRow = text.contains(row)
        #expect(hasRow, "\(text)")
      }
      if case .charts(let charts) = block { plots += charts.count }
    }
    #expect(folds == count)
    #expect(plots == (count == 12 ? 12 : 0))
  }

  @Test func logOddsOfOtherPairsAreNotTaken() {
    let facts = Self.test.map(\.facts)
    let odds = Self.test.map(\.logOdds)
    let (whole, short) = ([ScoredPair](odds, facts), [ScoredPair]([1], facts))
    #expect(whole == Self.test)
    #expect(short.isEmpty)
    let none = [ScoredPair](nil, facts)
    #expect(none.isEmpty)
  }

  /// Two sources, one seed: single-source models are measured on their own source, the average on both.
  @Test func schemesAreMeasuredOnTheSourcesTheyAreFor() throws {
    func encoded(_ name: String, _ prompts: [Int32]) -> [EncodedPair] {
      prompts.map {
        EncodedPair(
          group: PreferenceGroup(prompt: [$0], chosen: [1], rejected: [2]), source: name)
      }
    }
    let sources = [
      PreferenceSource(
        name: "x", train: [], validation: encoded("x", [7]), test: encoded("x", [1, 2])),
      PreferenceSource(
        name: "y", train: [], validation: encoded("y", [8, 9]), test: encoded("y", [3])),
    ]
    func cell(_ scheme: MoreConfiguration.Scheme, _ source: Int?, _ name: String) -> MoreStage.Cell
    {
      .init(scheme: scheme, source: source, seed: 1, name: name)
    }
    let results = SchemeResults(
      held: HeldOutSources(sources),
      cells: [cell(.top, 0, "top-x"), cell(.top, 1, "top-y"), cell(.more, nil, "more")],
      records: [
        .init(
          logOdds: [[1, 2], [3]], weights: [], validationLoss: nil,
          validationLogOdds: [[4], [5, 6]]),
        .init(
          logOdds: [[3, 4], [5]], weights: [], validationLoss: nil,
          validationLogOdds: [[6], [7, 8]]),
        // As a run that kept no log-odds of the validation left it.
        .init(logOdds: [[1, 1], [1]], weights: [], validationLoss: nil),
      ], schemes: [.top, .averaging, .more])
    let found = results.predictions(sources)
    #expect(found.map(\.name) == ["top-x", "top-y", "more", "averaging-seed1"])
    let test = found.map { $0.test.map(\.logOdds) }
    #expect(test == [[1, 2], [5], [1, 1, 1], [2, 3, 4]])
    let validation = found.map { $0.validation.map(\.logOdds) }
    #expect(validation == [[4], [7, 8], [], [5, 6, 7]])
  }

  /// Cells that an earlier program wrote have no log-odds of validation pairs, and are read all the same.
  @Test func recordsWithoutThoseOfTheValidationAreRead() throws {
    func read<Record: Decodable>(_ type: Record.Type, _ text: String) throws -> Record {
      try JSONDecoder().decode(type, from: Data(text.utf8))
    }
    let more = try read(MoreStage.Record.self, #"{"logOdds": [[1]], "weights": []}"#)
    #expect(more.validationLogOdds == nil)
    let mixture = try read(
      MaxMinStage.Record.self,
      """
      {"logOdds": [[1]], "minimum": [], "clusters": [], "start": 0, "rounds": [], "bestRound": 1}
      """)
    #expect(mixture.validationLogOdds == nil && mixture.validationMinimum == nil)
    let finetune = try read(
      PreferenceFinetuneStage.Record.self,
      #"{"pairs": 1, "validation": 0.5, "step": 1, "logOdds": [1]}"#)
    #expect(finetune.validationLogOdds == nil)
    let scaling = try read(
      PreferenceScalingStage.Record.self,
      #"{"parameters": 1, "logOdds": [[1]], "validation": []}"#)
    #expect(scaling.validationLogOdds == nil)
    let cyclic = try read(
      CyclicRecord.self,
      """
      {"suite": "four", "kind": "bt", "parameters": 1, "headParameters": 1, "steps": 1, "course": [],
      "validationLoss": 1, "validationAccuracy": 1, "testLogOdds": [[1]], "embeddings": []}
      """)
    #expect(cyclic.validationLogOdds == nil)
  }
}
