import Foundation
import PlumbData
import PlumbPreferences
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// Scaling and fine-tuning grids on the tiny world, alone and interrupted.
@Suite struct WorldPMGridTests {
  let world: TinyWorld
  let folder: TemporaryFolder

  init() throws {
    world = try TinyWorld.shared()
    folder = try TemporaryFolder()
  }

  var suites: String {
    """
    {good_answers: ['\(world("data/preferences.test.jsonl.zst"))'], corruptions: [words-shuffled, other-answer],
          preferences: ['\(world("data/preferences.test.jsonl.zst"))'], max_rows_per_task: 20}
    """
  }

  func scaling(sizes: String = "[16, 32, 64]") -> String {
    """
    name: scaling
    seed: 7
    threads: 2
    stages:
      small: {kind: pretrain, tokenizer: '\(world("tokenizer"))', files: ['\(world.data("texts.jsonl"))'],
        hidden_size: 16, intermediate_size: 32, layers: 1, heads: 2, key_value_heads: 2,
        context_length: 128, sequence_length: 64, batch_tokens: 256, steps: 4, samples: 0}
      preference-scaling:
        models: [small, '\(world("pretrain"))']
        train: ['\(world("data/preferences.train.jsonl.zst"))']
        validation: ['\(world("data/preferences.validation.jsonl.zst"))']
        sizes: \(sizes)
        runs: 2
        keep_models: true
        batch_pairs: 8
        max_length: 64
        optimizer: {learning_rate: 0.003, schedule: constant, warmup_fraction: 0.1}
        suites: \(suites)
    """
  }

  func finetune(base: String) -> String {
    """
    name: finetune
    seed: 7
    threads: 2
    stages:
      preference-finetune:
        model: '\(world("pretrain"))'
        base: '\(base)'
        train: ['\(world("data/preferences.judge.jsonl.zst"))']
        validation: ['\(world("data/preferences.validation.jsonl.zst"))']
        sizes: [16, 0]
        runs: 2
        keep_models: true
        epochs: 1
        batch_pairs: 8
        max_length: 64
        validations: 2
        optimizer: {learning_rate: 0.001, schedule: constant, warmup_fraction: 0.1}
        suites: \(suites)
    """
  }

  /// Runs a recipe alone and with an interrupt after every cell or two; both must agree in all bytes.
  func runBoth(_ yaml: String, polls limit: Int) throws -> RunSummary {
    let (straight, stopped) = (
      folder.url.appending(path: "straight"), folder.url.appending(path: "stopped")
    )
    let summary = try runTiny(yaml, in: straight)
    let stops = try runTinyWithStops(yaml, in: stopped, polls: limit, fewerThan: 40)
    #expect(stops.count >= 2)
    for file in ["summary.json", "metrics.jsonl"] {
      let (one, other) = (
        try Data(contentsOf: straight.appending(path: file)),
        try Data(contentsOf: stopped.appending(path: file))
      )
      #expect(one == other, "\(file)")
    }
    return summary
  }

  /// The folders `cells/NAME` of a stage, each a reward model with its tokenizer, equal in both runs.
  func keptModels(_ stage: String) throws -> [String: RewardModel] {
    let (straight, stopped) = (
      folder.url.appending(path: "straight/stages/\(stage)/cells"),
      folder.url.appending(path: "stopped/stages/\(stage)/cells")
    )
    var models: [String: RewardModel] = [:]
    for name in RunFiles.names(in: straight) {
      let (one, other) = (straight.appending(path: name), stopped.appending(path: name))
      _ = try ConversationEncoder.load(from: one)
      models[name] = try RewardModel(directory: one)
      let weights = "model.safetensors"
      let isSame =
        try Data(contentsOf: one.appending(path: weights))
        == Data(contentsOf: other.appending(path: weights))
      #expect(isSame, "\(name)")
    }
    return models
  }

  /// The mean loss of a model on the pairs of a file, cut as the stages cut them.
  func loss(_ model: RewardModel, _ file: String) throws -> Double {
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("pretrain")))
    let rows = try DataFile.preferencePairs(URL(filePath: file)).rows
    let (groups, _) = ExampleEncoder(encoder, limits: try TokenLimits(context: 64))
      .groups(of: rows, form: .scored)
    let odds = try PreferenceModel.reward(model).logOdds(pairs: groups.map { PreferenceGroup($0) })
    return odds.map(pairLoss).reduce(0, +) / Double(odds.count)
  }

  @Test func aScalingGridEndsInVerdictsWhateverInterruptsIt() throws {
    let summary = try runBoth(scaling(), polls: 16)
    let figures = Dictionary(uniqueKeysWithValues: summary.figures.map { ($0.name, $0) })
    let change = try #require(
      figures.first {
        $0.key.hasPrefix("preference-scaling/subjective/0.0") && $0.key.hasSuffix("/change")
      })
    let interval = try #require(change.value.interval)
    #expect(interval[0] <= change.value.value && change.value.value <= interval[1])
    #expect(figures.keys.count { $0.hasSuffix("/p_trend") } == 2 * (2 + 4))
    #expect(summary.claims.count == 2)
    #expect(summary.claims.allSatisfy { $0.paper?.contains("2505.10527") == true })
    // Every training has its calibration and style, and is named as its folder.
    let measured = figures.keys.filter { $0.hasSuffix("/test_ece") }.sorted()
    let expected = ["1-run-1", "1-run-2", "2-run-1", "2-run-2"].map {
      "preference-scaling/model-\($0)/test_ece"
    }
    #expect(measured == expected)
    // The larger model is a pretrained one, and learns what it is taught.
    let table = try #require(summary.stages.last?.result.tables.last)
    let rows = table.rows.filter { $0[0] == "subjective" }
    #expect(rows.count == 2)
    let losses = try #require(rows.last.map { ($0[3], $0[4]) })
    #expect(try #require(Double(losses.1)) < #require(Double(losses.0)))
    // The models that are kept are those after the last pair.
    let models = try keptModels("preference-scaling")
    let names = ["model-1-run-1", "model-1-run-2", "model-2-run-1", "model-2-run-2"]
    #expect(models.keys.sorted() == names)
    let kept = try ["model-2-run-1", "model-2-run-2"].map { name in
      try loss(try #require(models[name]), world("data/preferences.validation.jsonl.zst"))
    }
    // A cell's own loss on the validation pairs stands in the metrics.
    let shown = try MetricsLog.series(
      "loss", in: folder.url.appending(path: "straight/stages/preference-scaling/metrics.jsonl")
    ).map(\.value)
    try #require(shown.count == 4)
    expectClose(kept, Array(shown.suffix(2)), absolute: 1e-4)
  }

  @Test func moreDataThanThereIsIsRefused() throws {
    do {
      try runTiny(scaling(sizes: "[16, 32, 80000]"), in: folder.url)
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains("preference-scaling.sizes: expected at most"))
    }
    let bad = [
      ("[16, 32]", "at least three rising multiples of batch_pairs (8)"),
      ("[16, 12, 64]", "rising multiples"), ("[15, 32, 64]", "rising multiples"),
    ]
    for (sizes, expected) in bad {
      do {
        try runTiny(scaling(sizes: sizes), in: folder.url)
        Issue.record("\(sizes) was not refused")
      } catch {
        #expect("\(error)".contains(expected), "\(error)")
      }
    }
    do {
      try runTiny(scaling().replacing("other-answer", with: "otheranswer"), in: folder.url)
      Issue.record("a corruption that is not there was not refused")
    } catch {
      #expect("\(error)".contains("other-answer"), "\(error)")
    }
  }

  @Test func aFinetuneGridTellsTheGainOfTheBase() throws {
    let summary = try runBoth(finetune(base: world("base")), polls: 14)
    let figures = Dictionary(uniqueKeysWithValues: summary.figures.map { ($0.name, $0) })
    let name = "preference-finetune/16/subjective"
    let without = try #require(figures["\(name)/accuracy_without"])
    let with = try #require(figures["\(name)/accuracy_with"])
    let gain = try #require(figures["\(name)/relative_gain"])
    #expect(abs(gain.value - (with.value - without.value) / without.value) < 1e-12)
    // The base has learnt from votes what the preferences ask for; two steps alone teach little.
    #expect(with.value > without.value)
    #expect(try #require(figures["\(name)/nll_change"]).value < 0)
    #expect(summary.claims.contains { $0.name.contains("smallest set than for the largest") })
    let measured = figures.keys.filter { $0.hasSuffix("/test_brier") }
    #expect(measured.count == 8)
    let html = try folder.text("straight/report.html")
    #expect(html.contains("Calibration of each model") && html.contains("Style of each model"))
    let models = try keptModels("preference-finetune")
    #expect(models.count == 8)
    for run in 1...2 {
      let plain = try #require(models["pairs-16-run-\(run)-plain"])
      let based = try #require(models["pairs-16-run-\(run)-base"])
      let file = world("data/preferences.test.jsonl.zst")
      let (without, with) = (try loss(plain, file), try loss(based, file))
      #expect(with < without)
    }
  }

  @Test func aBaseOfAnotherSizeIsRefused() throws {
    let other = folder.url.appending(path: "other")
    try runTiny(
      scaling().components(separatedBy: "  preference-scaling:")[0]
        + "  base: {kind: reward-model, model: small, max_length: 64, "
        + "train: ['\(world("data/preferences.judge.jsonl.zst"))']}\n",
      in: other)
    do {
      try runTiny(
        finetune(base: other.appending(path: "stages/base").path),
        in: folder.url.appending(path: "run"))
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains("a model of the sizes of"), "\(error)")
    }
  }

  /// The paper's gains, by hand: (83.99 + 82.17 + 86.60) / (81.25 + 78.29 + 78.87) − 1 = 14.35 / 238.41.
  @Test func thePapersGainsAreThoseOfItsTable() throws {
    let adversarial = try #require(WorldPMGains.relative(.adversarial, set: 0))
    #expect(abs(adversarial - 14.35 / 238.41) < 1e-9)
    #expect(WorldPMGains.relative(.subjective, set: 3) == nil)
  }

  @Test(arguments: ["worldpm-base", "worldpm-scaling", "worldpm-finetune"])
  func theShippedRecipesCanBePlanned(_ name: String) throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let registry = StageRegistry.standard
    let recipe = try registry.loader.load(
      contentsOf: root.appending(path: "recipes/\(name).yaml"))
    let plan = try Runner(
      recipe, registry: registry, directory: folder.url.appending(path: "run")
    ).plan()
    #expect(plan.count == recipe.stages.count)
    #expect(plan.allSatisfy { ($0.plan.seconds ?? 0) > 0 })
    let total = plan.reduce(0) { $0 + ($1.plan.seconds ?? 0) }
    #expect(total < 40 * 60, "\(total)")
  }
}
