import Foundation
import PlumbCheckpoints
import PlumbEvaluation
import PlumbPreferences
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// The lines of a file as JSON objects.
func jsonLines(_ url: URL) throws -> [[String: Any]] {
  var reader = try LineReader(contentsOf: url)
  var lines: [[String: Any]] = []
  while let line = try reader.next() {
    let object = try JSONSerialization.jsonObject(with: Data(line.bytes))
    if let row = object as? [String: Any] { lines.append(row) }
  }
  return lines
}

@Suite struct BestOfNTests {
  /// Two prompts, two candidates and one baseline answer, with the judge's scores.
  static let found = BestOfN(
    verdicts: [
      Judgement(scores: [1, 3, 2], source: "judge"),
      Judgement(scores: [0, -1, 0], source: "judge"),
    ], n: 2,
    entries: [
      .init(
        name: "a", scheme: "more", seed: 1, members: ["a"], rule: .mean, accuracy: 0.6, ece: 0.1),
      .init(
        name: "b", scheme: "multi-task", seed: 1, members: ["b"], rule: .mean, accuracy: 0.5,
        ece: 0.2),
      .init(
        name: "c", scheme: "more", seed: 2, members: ["c"], rule: .mean, accuracy: nil, ece: nil),
    ], picks: [[1, 0], [0, 0], [0, 1]], seed: 1)

  @Test func winRatesByHand() {
    // Model a: 3 over 2, then 0 against 0. Model b: 1 under 2, then a tie.
    #expect(Self.found.winRate([1, 0]).rate == 0.75)
    #expect(Self.found.winRate([0, 0]).rate == 0.25)
    #expect(Self.found.winRate(models: [0, 1]).rate == 0.5)
    #expect(Self.found.ceiling == [1, 0])
    #expect(Self.found.blind == [0, 0])
    #expect(Self.found.schemes.map(\.name) == ["more", "multi-task"])
    #expect(Self.found.schemes.map(\.models) == [[0, 2], [1]])
  }

  @Test func duelsAreOfOneSeed() throws {
    let duel = try #require(Self.found.duel("more", "multi-task"))
    // Seed 1 only: 3 over 1, then the same answer.
    #expect((duel.wins, duel.ties, duel.losses) == (1, 1, 0))
    #expect(Self.found.duel("more", "top") == nil)
  }

  @Test func onlyMeasuredModelsArePoints() {
    #expect(Self.found.points.map(\.ece) == [0.1, 0.2])
    #expect(Self.found.points.map(\.alignmentGain) == [0.25, -0.25])
  }

  @Test func theBestAnswerIsTheHighestAndTheFirstOfEquals() {
    #expect(BestOfN.best(Judgement(scores: [1, 4, 4, 2], source: "j")) == 1)
    // A cycle with one strong answer: the mean log-odds decide.
    let table = [[0, 1, -1], [-1, 0, 3], [1, -3, 0.0]]
    #expect(BestOfN.best(Judgement(preferenceLogits: table, source: "j")) == 1)
  }
}

@Suite struct BestOfNStageTests {
  static func stage(_ world: TinyWorld, models: String, settings: String = "") -> String {
    """
    best-of-n:
        policy: '\(world("sft"))'
        reward_models: [\(models)]
        judge: '\(world("judge"))'
        prompts: ['\(world("data/prompts.test.jsonl.zst"))']
        n: 3
        baseline_samples: 2
        samples: 2
        sampling: {max_new_tokens: 12}
        \(settings)
    """
  }

  @Test func everyListedModelChoosesAndIsJudged() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let models = "more, '\(world("reward"))', '\(world("preference"))'"
    let summary = try runTiny(
      MoreStageTests.yaml(
        world, settings: "seeds: 2", more: Self.stage(world, models: models)), in: folder.url)
    let figures = summary.figures
    for name in [
      "scheme/more/win_rate", "scheme/averaging/win_rate", "scheme/top just/win_rate",
      "model/multi-task-seed2/win_rate", "model/\(world("reward"))/win_rate", "blind/win_rate",
      "more_vs_multi-task/win_rate", "pearson_ece_gain", "spearman_accuracy_gain",
    ] {
      let figure = try #require(figures["best-of-n/\(name)"], "\(name)")
      #expect(figure.interval != nil)
    }
    // Twelve models of seven schemes, which are what is drawn again: two sources alone, their average,
    // MultiTask and MORE of two seeds, and two models more.
    #expect(try #require(figures["best-of-n/pearson_ece_gain"]).sampleSize == 7)
    // A model of the same taste as the judge's gains, and none more than the judge itself.
    let ceiling = try #require(figures["best-of-n/ceiling/win_rate"]).value
    let reward = try #require(figures["best-of-n/model/\(world("reward"))/win_rate"]).value
    #expect(reward > 0.5 && reward <= ceiling)
    #expect(summary.claims.count { $0.name.contains("best of 3 by MORE") } == 1)
    let lines = try jsonLines(folder.url.appending(path: "stages/best-of-n/answers.jsonl.zst"))
    #expect(lines.count > 5)
    for line in lines {
      #expect((line["candidates"] as? [String])?.count == 3)
      #expect((line["baseline"] as? [String])?.count == 2)
      let picks = try #require(line["picks"] as? [String: Int])
      #expect(picks.count == 12 && picks.values.allSatisfy { (0..<3).contains($0) })
    }
  }

  @Test func anInterruptedChoiceEndsInTheSameBytes() throws {
    let world = try TinyWorld.shared()
    let (straight, interrupted) = (try TemporaryFolder(), try TemporaryFolder())
    let models = ["reward", "base", "preference"].map { "'\(world($0))'" }.joined(separator: ", ")
    let yaml = "name: n\nseed: 2\nthreads: 2\nstages:\n  \(Self.stage(world, models: models))\n"
    try runTiny(yaml, in: straight.url)
    try runTinyWithStops(yaml, in: interrupted.url, polls: 2, fewerThan: 9)
    for file in ["summary.json", "stages/best-of-n/answers.jsonl.zst"] {
      #expect(try straight.data(file) == interrupted.data(file), "\(file)")
    }
  }

  @Test func aDamagedIndexIsRefused() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let models = folder.url.appending(path: "models")
    try FileManager.default.createDirectory(at: models, withIntermediateDirectories: true)
    try ModelIndex(models: [
      .init(name: "x", scheme: "x", seed: 1, members: [], rule: .mean, accuracy: nil, ece: nil)
    ]).write(to: models)
    let yaml =
      "name: n\nstages:\n  \(Self.stage(world, models: "'\(models.path)'"))\n"
    do {
      try runTiny(yaml, in: folder.url.appending(path: "run"))
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains("'x' has no members"), "\(error)")
    }
  }
}
