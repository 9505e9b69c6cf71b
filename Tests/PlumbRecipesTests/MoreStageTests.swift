import Foundation
import PlumbData
import PlumbPreferences
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// Warnings of a run.
final class Warnings: RunObserver {
  var texts: [String] = []

  func receive(_ event: RunEvent) {
    if case .warning(_, let message) = event { texts.append(message) }
  }
}

extension [Figure] {
  /// The figure of this name.
  subscript(_ name: String) -> Figure? { first { $0.name == name } }
}

@Suite struct HeldOutMeasureTests {
  /// The light figures are those of `Calibration`.
  @Test func measuresAreThoseOfCalibration() {
    let logOdds = [-2.1, -0.4, 0, 0.1, 0.3, 0.8, 1.9, 7, -11]
    let expected = Calibration(rewardDifferences: logOdds)
    expectClose(HeldOutSources.Measure.accuracy(logOdds), expected.accuracy, absolute: 1e-12)
    expectClose(HeldOutSources.Measure.ece(logOdds), expected.ece, absolute: 1e-12)
    expectClose(HeldOutSources.Measure.nll(logOdds), expected.nll, absolute: 1e-12)
    expectClose(
      HeldOutSources.Measure.spread(logOdds), logOdds.map(abs).reduce(0, +) / 9, absolute: 1e-12)
  }
}

@Suite struct MoreStageTests {
  static func source(_ name: String, _ world: TinyWorld, part: String = "train") -> String {
    """
    {name: \(name), rows: [tiny-\(name)], train: ['\(world("data/preferences.\(part).jsonl.zst"))'],
                    validation: ['\(world("data/preferences.validation.jsonl.zst"))'],
                    test: ['\(world("data/preferences.test.jsonl.zst"))']}
    """
  }

  static func yaml(
    _ world: TinyWorld, sources: [String]? = nil, settings: String = "seeds: 2", more: String = ""
  ) -> String {
    let sources = sources ?? ["just", "now"].map { source($0, world, part: "judge") }
    return """
      name: more
      seed: 5
      threads: 2
      stages:
        more:
          model: '\(world("pretrain"))'
          sources: [\(sources.joined(separator: ",\n          "))]
          pairs_per_source: 32
          batch_pairs_per_source: 8
          max_length: 64
          optimizer: {learning_rate: 0.003}
          \(settings)
        \(more)
      """
  }

  @Test func allSchemesAreTrainedMeasuredAndListed() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let summary = try runTiny(Self.yaml(world), in: folder.url)
    let figures = summary.figures
    for scheme in ["top", "averaging", "multi-task", "more"] {
      for name in ["accuracy", "ece", "accuracy/just", "ece/now", "reward_difference"] {
        let figure = try #require(figures["more/\(scheme)/\(name)"], "\(scheme)/\(name)")
        let interval = try #require(figure.interval)
        #expect(interval[0] <= interval[1] && figure.sampleSize > 5)
      }
    }
    #expect(try #require(figures["more/more/accuracy"]).value > 0.6)
    #expect(figures["more/more_less_multi-task/ece"] != nil)
    let claims = summary.claims
    #expect(claims.count == 3 && claims.allSatisfy { $0.paper != nil })

    let index = try #require(
      try RunFiles.read(
        json: ModelIndex.self, from: folder.url.appending(path: "stages/more/models.json")))
    // Two single-source models, MultiTask, MORE and the average, of two seeds.
    #expect(index.models.count == 10)
    for entry in index.models {
      #expect(entry.members.count == (entry.scheme == "averaging" ? 2 : 1))
      #expect((entry.ece ?? -1) >= 0)
      for member in entry.members {
        let model = try RewardModel(
          directory: folder.url.appending(path: "stages/more/\(member)"))
        #expect(model.head == .linear)
      }
    }
    // Every training and every average has its calibration and style, fitted on validation pairs.
    let names = ["top-1-just", "top-2-now", "multi-task", "more"].flatMap { name in
      (1...2).map { "\(name)-seed\($0)" }
    }
    let averages = ["averaging-seed1", "averaging-seed2"]
    for name in names + averages {
      for figure in ["test_ece", "test_brier", "test_accuracy_style_controlled"] {
        #expect(figures["more/\(name)/\(figure)"] != nil, "\(name)/\(figure)")
      }
    }
    let section = try #require(summary.stages.last?.result.sections.last)
    #expect(section.title == "Calibration and style of each model")
    let tables = section.blocks.compactMap { block -> TextTable? in
      if case .table(let table) = block { table } else { nil }
    }
    #expect(tables.count == 2 && tables.allSatisfy { $0.rows.count == 10 })
    let isCrossFitted = tables.contains { $0.rows.joined().contains { $0.contains("†") } }
    #expect(!isCrossFitted)

    // λ goes to metrics.jsonl, one mean per training of MORE.
    #expect(try folder.series("mean_lambda/just", "more").count == 2)
  }

  /// With one source every scheme is the same training.
  @Test func oneSourceMakesMOREAndMultiTaskTheSingleSourceModel() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    try runTiny(
      Self.yaml(world, sources: [Self.source("just", world, part: "judge")], settings: "seeds: 1"),
      in: folder.url)
    let weights = try ["top-1-just", "multi-task", "more"].map {
      try folder.data("stages/more/cells/\($0)-seed1/model.safetensors")
    }
    #expect(weights[0] == weights[1])
    #expect(weights[0] == weights[2])
  }

  @Test(arguments: [
    "normalisation: loss", "normalisation: loss+", "normalisation: none, solver: frank-wolfe",
    "sampling: pooled", "head: worldpm, alpha: 0.5", "micro_batch_tokens: 64",
  ])
  func everyOptionRuns(_ option: String) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let lines = option.split(separator: ", ").joined(separator: "\n    ")
    let settings = "seeds: 1\n    schemes: [more]\n    keep_models: false\n    \(lines)"
    let summary = try runTiny(Self.yaml(world, settings: settings), in: folder.url)
    #expect(summary.figures["more/more/accuracy"] != nil)
    #expect(!folder.exists("stages/more/models.json"))
    #expect(!folder.exists("stages/more/cells/more-seed1"))
  }

  @Test func anInterruptedComparisonEndsInTheSameBytes() throws {
    let world = try TinyWorld.shared()
    let (straight, interrupted) = (try TemporaryFolder(), try TemporaryFolder())
    let yaml = Self.yaml(world, settings: "seeds: 1\n    schemes: [top, multi-task, more]")
    try runTiny(yaml, in: straight.url)
    // Nine polls end within the second training.
    let stops = try runTinyWithStops(yaml, in: interrupted.url, polls: 9, fewerThan: 20)
    #expect(stops.count > 1)
    for file in [
      "metrics.jsonl", "summary.json", "stages/more/models.json",
      "stages/more/cells/more-seed1/model.safetensors",
      "stages/more/cells/top-2-now-seed1/model.safetensors",
    ] { #expect(try straight.data(file) == interrupted.data(file), "\(file)") }
  }

  @Test func aBadSourceIsReportedAndTheOthersGoOn() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    // Ties, equal answers and rows of one class only: nothing to learn a preference from.
    let rows = """
      {"prompt": "q", "chosen": "a", "rejected": "b", "margin": 0}
      {"prompt": "q", "chosen": "a", "rejected": "a"}
      {"prompt": "q", "completion": "a", "label": true}
      """
    let bad = folder.url.appending(path: "bad.jsonl")
    try Data(rows.utf8).write(to: bad)
    let other =
      "{name: none, rows: [nowhere], train: ['\(world("data/preferences.train.jsonl.zst"))']}"
    let untested = Self.source("now", world, part: "judge")
      .replacing(
        "test: ['\(world("data/preferences.test.jsonl.zst"))']", with: "test: ['\(bad.path)']"
      )
      .replacing(
        "validation: ['\(world("data/preferences.validation.jsonl.zst"))'],", with: "")
    let seen = Warnings()
    let summary = try runTiny(
      Self.yaml(
        world,
        sources: [
          Self.source("just", world, part: "judge"),
          "{name: bad, train: ['\(bad.path)'], test: ['\(bad.path)']}", other, untested,
        ], settings: "seeds: 1\n    validations: 1"), in: folder.url.appending(path: "run"),
      observers: [seen])
    let text = seen.texts.joined(separator: "\n")
    for part in [
      "source 'bad' is left out", "source 'none' is left out", "tie: 1", "identical responses: 1",
      "source 'now' is not measured", "source 'now' has no usable validation pair",
    ] { #expect(text.contains(part), "'\(part)' in: \(text)") }
    #expect(summary.figures["more/more/accuracy/just"] != nil)
    #expect(summary.figures["more/more/accuracy/now"] == nil)
    #expect(summary.figures["more/train_pairs/bad"] == nil)
  }

  @Test(arguments: [
    ("alpha: 0", "alpha: expected a number above 0, at most 1, found 0"),
    ("seeds: 0", "seeds: expected an integer from 1 to 1000"),
    ("normalisation: l3", "one of 'l2', 'loss', 'loss+', 'none'"),
    ("schemes: []", "schemes: expected at least one scheme"),
  ])
  func settingsThatCannotBeMeantAreRefused(_ setting: String, _ expected: String) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    do {
      try runTiny(Self.yaml(world, settings: setting), in: folder.url)
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains(expected), "\(error)")
    }
  }

  @Test func sourcesWithoutAnyPairAndDoubleNamesAreRefused() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let just = Self.source("just", world)
    for (sources, expected) in [
      ([just, just], "sources: expected different names, found just, just"),
      ([just.replacing("tiny-just", with: "x")], "no source has a usable pair"),
      ([String](), "sources: expected at least one source"),
    ] {
      do {
        try runTiny(
          Self.yaml(world, sources: sources), in: folder.url.appending(path: UUID().uuidString))
        Issue.record("nothing was refused")
      } catch {
        #expect("\(error)".contains(expected), "\(error)")
      }
    }
  }
}
