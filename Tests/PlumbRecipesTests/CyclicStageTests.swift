import Foundation
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// The cyclic benchmark: verifiable criteria, disjoint parts, judges that run in circles, and a small run.
@Suite struct CyclicStageTests {
  @Test(arguments: [
    (CyclicCriterion.list, "One.\n- a\n- b", "One.\n- a"),
    (.number, "Take 7.", "Take seven."), (.polite, "Please wait.", "Pleased to wait."),
    (.question, "Is it?", "Is it? Yes."), (.bold, "A **b** c", "A ** b"),
  ])
  func criteriaAreRead(example: (CyclicCriterion, String, String)) {
    #expect(example.0.holds(in: example.1))
    #expect(!example.0.holds(in: example.2))
  }

  @Test(arguments: CyclicSuite.standard) func answersHaveTheRolesTheyWereMadeFor(
    suite: CyclicSuite
  ) throws {
    let generator = CyclicGenerator(suite: suite, seed: 3)
    for part in CyclicWords.parts {
      let prompts = try generator.prompts(part, count: part == "validation" ? 60 : 220)
      #expect(Set(prompts.map { PromptKey.of($0.prompt) }).count == prompts.count)
      for prompt in prompts {
        #expect(
          prompt.responses.map { suite.judge.role(of: $0) } == suite.judge.cycle.indices.map { $0 })
      }
      // Every decided pair, and the judge never contradicts itself.
      let pairs = generator.pairs(of: prompts, part: part)
      #expect(pairs.count == prompts.count * Int(suite.judge.wins.joined().reduce(0, +)))
      for pair in pairs.prefix(200) {
        #expect(suite.judge.prefers(pair.chosen, to: pair.rejected) == true)
        #expect(suite.judge.prefers(pair.rejected, to: pair.chosen) == false)
      }
      let again = try generator.prompts(part, count: 20, sets: 2)
      #expect(again.count == 40 && again[20].prompt == again[0].prompt)
      #expect(again[20].responses != again[0].responses)
      #expect(
        try generator.prompts(part, count: 20).map(\.responses)
          == prompts.prefix(20).map(\.responses))
    }
  }

  /// As in the paper: A beats B on the first criterion, B beats C on the second, C beats A on the third.
  @Test func theFirstCriterionDecidesBetweenTheFirstTwo() {
    let judge = CyclicJudge(cycle: [.list, .number, .polite], reach: 1)
    let answers = ["- a\n- b", "it is 5", "you are welcome"]
    #expect(answers.map { judge.role(of: $0) } == [0, 1, 2])
    for (winner, loser) in [(0, 1), (1, 2), (2, 0)] {
      #expect(judge.prefers(answers[winner], to: answers[loser]) == true)
      #expect(judge.prefers(answers[loser], to: answers[winner]) == false)
    }
    #expect(judge.wins == [[0, 1, 0], [0, 0, 1], [1, 0, 0]])
  }

  @Test func suitesAreCirclesWithTheCeilingsThatTheirLengthGives() {
    let ceilings = CyclicSuite.standard.map { scalarCeiling(wins: $0.judge.wins) }
    #expect(ceilings.prefix(4).allSatisfy { abs($0 - 2.0 / 3) < 1e-12 })
    #expect(abs(ceilings[4] - 0.75) < 1e-12 && abs(ceilings[5] - 0.7) < 1e-12)
    #expect(Set(CyclicSuite.standard.map(\.name)).count == 6)
  }

  /// No topic, template, sentence, item or number is in two parts.
  @Test func partsShareNoWords() {
    let parts = CyclicWords.parts.map { CyclicWords.part($0) }
    for (index, a) in parts.enumerated() {
      #expect(Set(a.topics).count == a.topics.count)
      for b in parts[(index + 1)...] {
        #expect(Set(a.topics).isDisjoint(with: b.topics))
        #expect(Set(a.prompts).isDisjoint(with: b.prompts))
        #expect(Set(a.statements).isDisjoint(with: b.statements))
        #expect(Set(a.items).isDisjoint(with: b.items))
        #expect(Set(a.numbered).isDisjoint(with: b.numbered))
        #expect(Set(a.numbers).isDisjoint(with: b.numbers))
        #expect(Set(a.polite).isDisjoint(with: b.polite))
        #expect(Set(a.questions).subtracting([""]).isDisjoint(with: b.questions))
      }
      // Sentences satisfy no criterion by accident.
      for text in a.statements + a.items {
        #expect(CyclicCriterion.allCases.allSatisfy { !$0.holds(in: text) }, "\(text)")
      }
      #expect(a.polite.allSatisfy { CyclicCriterion.polite.holds(in: $0) })
    }
  }

  @Test func tooManyPromptsAreRefused() {
    let generator = CyclicGenerator(suite: CyclicSuite.standard[0], seed: 0)
    #expect(throws: ConfigurationProblem.self) { try generator.prompts("test", count: 10_000) }
  }

  /// A random model with the world's tokenizer and room for the answers.
  private func model(in folder: TemporaryFolder) throws -> String {
    let encoder = try ConversationEncoder.load(
      from: URL(filePath: try TinyWorld.shared()("pretrain")))
    let model = CausalLM(
      DecoderConfiguration(
        family: .qwen2, vocabularySize: encoder.tokenizer.vocabularySize, hiddenSize: 32,
        intermediateSize: 64, layerCount: 2, headCount: 4, keyValueHeadCount: 2,
        maximumPositions: 512, eosTokenIDs: encoder.stopTokens.sorted()), seed: 1)
    let directory = folder.url.appending(path: "model")
    try model.write(to: directory, encoder: encoder)
    return directory.path
  }

  private func yaml(_ model: String) -> String {
    """
    name: cyclic
    seed: 2
    threads: 2
    stages:
      cyclic:
        {model: '\(model)', trunk_layers: 1, suites: [without-list],
        train_prompts: 24, validation_prompts: 6, test_prompts: 8, answer_sets: 2, batch_prompts: 8,
        optimizer: {learning_rate: 0.002}}
    """
  }

  /// Artifacts, figures and claims of a run that is far too short to learn anything; and that an
  /// interrupted one ends in the same bytes.
  @Test func aRunWritesModelsPairsAndClaims() throws {
    let (straight, interrupted) = (try TemporaryFolder(), try TemporaryFolder())
    let models = try TemporaryFolder()
    let yaml = yaml(try model(in: models))
    let summary = try runTiny(yaml, in: straight.url)
    let names = summary.figures.map(\.name)
    #expect(names.contains("cyclic/without-list/ceiling"))
    let bt = try #require(summary.figures.first { $0.name == "cyclic/without-list/bt_accuracy" })
    #expect(bt.value <= 2.0 / 3 + 1e-12)
    #expect(bt.sampleSize == 8)
    #expect(summary.claims.count == 2)
    #expect(summary.claims.allSatisfy { $0.paper?.contains("2410.02197") == true })
    let stage = straight.url.appending(path: "stages/cyclic")
    let test = try DataFile.preferencePairs(
      stage.appending(path: "without-list.test.jsonl.zst")
    ).rows
    #expect(test.count == 24)
    guard
      case .generalPreference(let model) = try loadPreferenceModel(
        directory: stage.appending(path: "cells/without-list-gpm"))
    else {
      Issue.record("expected a general preference model")
      return
    }
    // What the figure says is what the folder and the file give.
    let encoder = try ConversationEncoder.load(
      from: stage.appending(path: "cells/without-list-gpm"))
    let found = try PreferenceEvaluation(
      model: .generalPreference(model),
      pairs: PreferenceGroup.encode(test, encoder: encoder, maximumTokens: 512).groups
    ).metrics
    let figure = try #require(
      summary.figures.first { $0.name == "cyclic/without-list/gpm_accuracy" })
    #expect(found.pairs == 24)
    #expect(abs(found.accuracy - figure.value) < 1e-9)
    let html = try straight.text("report.html")
    #expect(html.contains("Learned embeddings") && html.contains("ceiling"))
    // Both models stand in the tables of calibration and style, by the log-odds that the accuracy is of.
    #expect(html.contains("Calibration of each model") && html.contains("Style of each model"))
    for kind in ["bt", "gpm"] {
      let model = "cyclic/without-list-\(kind)"
      let accuracy = try #require(summary.figures["\(model)/test_accuracy"])
      let own = try #require(summary.figures["cyclic/without-list/\(kind)_accuracy"])
      #expect(abs(accuracy.value - own.value) < 1e-12 && accuracy.sampleSize == 24)
      for name in ["ece", "folded_ece", "brier", "accuracy_style_controlled"] {
        #expect(summary.figures["\(model)/test_\(name)"] != nil, "\(kind) \(name)")
      }
    }

    // Long enough for one of the two trainings.
    try runTinyWithStops(yaml, in: interrupted.url, polls: 12, fewerThan: 20)
    for file in [
      "summary.json", "stages/cyclic/cells/without-list-gpm/model.safetensors",
      "stages/cyclic/cells/without-list-bt/model.safetensors",
    ] {
      #expect(try interrupted.data(file) == straight.data(file), "\(file)")
    }
  }

  @Test(arguments: [
    (", trunk_layers: 9", "trunk_layers"), (", suites: [six]", "suites"),
    (", dimension: 3", "dimension"), (", test_prompts: 5000", "test_prompts"),
    (", models: []", "models"),
  ])
  func badSettingsAreRefused(setting: (String, String)) throws {
    let folder = try TemporaryFolder()
    var yaml = yaml(try model(in: folder))
    let key = String(setting.0.dropFirst(2).prefix { $0 != ":" })
    // A key that is there already is replaced.
    yaml = yaml.replacing(try Regex("\(key): ([0-9]+|\\[[a-z-]*\\]),\\s*"), with: "")
    let text = yaml.replacing(
      "optimizer: {learning_rate: 0.002}", with: "optimizer: {learning_rate: 0.002}\(setting.0)")
    do {
      try runTiny(text, in: folder.url.appending(path: "run"))
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains(setting.1), "\(error)")
    }
  }

  @Test func thePlaneWithMostOfTheScoreIsDrawn() {
    let groups = [
      PreferenceEmbeddings(responses: [[0.1, 0, 3, 0], [0, 0.1, 0, 3]], gate: [0.5, 0.5])
    ]
    let plane = EmbeddingPlane(groups)
    #expect(plane.index == 1)
    #expect(abs(plane.share - 9 / 9.01) < 1e-6)
    #expect(plane.name(of: 2) == "plane 2 of 2, 99.9 % of the scores")
    #expect(plane.name(of: 1).isEmpty)
    let gated = EmbeddingPlane([
      PreferenceEmbeddings(responses: groups[0].responses, gate: [1, 1e-6])
    ])
    #expect(gated.index == 0)
  }

  @Test func arrowsPointFromWinnersToLosers() {
    let points = [(1.0, 0.0), (-0.5, 0.866), (-0.5, -0.866)]
    let chart = Chart(
      "circle", x: .init("v[0]"), y: .init("v[1]"),
      .embedding(
        .init(
          clouds: [Chart.Series("a", points.map { Chart.Point($0.0, $0.1) })],
          points: points.map { .init("p\($0.0)", Chart.Point($0.0, $0.1)) },
          arrows: [[0, 1], [1, 2], [2, 0]])))
    let svg = chart.svg()
    #expect(svg.components(separatedBy: "class=\"fill c0\"").count == 4)
    #expect(svg.contains(">p1.0</text>"))
    // Equal scales: a point at (1, 0) and one at (0, 1) are equally far from the origin.
    let alone = Chart(
      "", x: .init(""), y: .init(""),
      .embedding(.init(clouds: [], points: [], arrows: []))
    ).svg()
    #expect(alone.contains("<svg"))
  }
}
