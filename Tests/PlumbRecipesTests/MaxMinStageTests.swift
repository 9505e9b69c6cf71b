import Foundation
import PlumbData
import PlumbPreferences
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

@Suite struct MaxMinStageTests {
  /// Annotators of two opposite tastes on the same prompts: some want "please", fewer want it not.
  static func write(to folder: URL, annotators: (polite: Int, blunt: Int), named: Bool = true)
    throws -> [String: String]
  {
    var files: [String: String] = [:]
    for (part, tasks) in [
      ("train", TinyData.tasks[..<120]), ("validation", TinyData.tasks[120..<144]),
      ("test", TinyData.tasks[144...]),
    ] {
      for (source, count) in [("polite", annotators.polite), ("blunt", annotators.blunt)] {
        let pairs = tasks.enumerated().filter { $0.offset % 7 < count * 2 }.map { index, task in
          let (kind, plain) = (
            TinyData.answer("please", task, index), TinyData.answer("just", task, index)
          )
          return PreferencePair(
            id: "\(source)-\(index)", source: source, prompt: TinyData.prompt(task),
            chosen: source == "polite" ? kind : plain, rejected: source == "polite" ? plain : kind,
            group: named ? "\(index % count + 1)" : nil)
        }
        let url = folder.appending(path: "\(source).\(part).jsonl")
        try DataFile.write(pairs, to: url)
        files["\(source).\(part)"] = url.path
      }
    }
    return files
  }

  static func yaml(
    _ world: TinyWorld, _ files: [String: String], settings: String = "group_by: annotator"
  ) -> String {
    func source(_ name: String) -> String {
      """
      {name: \(name), train: ['\(files["\(name).train"] ?? "")'],
                validation: ['\(files["\(name).validation"] ?? "")'],
                test: ['\(files["\(name).test"] ?? "")']}
      """
    }
    return """
      name: mixture
      seed: 4
      threads: 2
      stages:
        max-min:
          model: '\(world("pretrain"))'
          sources: [\(source("polite")),
            \(source("blunt"))]
          iterations: 4
          seeds: 1
          batch_pairs: 16
          max_length: 64
          optimizer: {learning_rate: 0.003}
          \(settings)
      """
  }

  @Test func oppositeTastesAreFoundExactlyAndTheMinorityGains() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let files = try Self.write(to: folder.url, annotators: (3, 2))
    let run = folder.url.appending(path: "run")
    let summary = try runTiny(Self.yaml(world, files), in: run)
    let figures = summary.figures
    #expect(try #require(figures["max-min/purity/seed1"]).value == 1)
    #expect(try #require(figures["max-min/purity/seed1"]).sampleSize == 5)
    // One model for all cannot serve both; the mixture serves each.
    let single = try #require(figures["max-min/single/accuracy/blunt"]).value
    let mixture = try #require(figures["max-min/mixture/accuracy/blunt"]).value
    #expect(single < 0.6)
    #expect(mixture > 0.9)
    #expect(try #require(figures["max-min/mixture/accuracy/polite"]).value > 0.9)
    #expect(try #require(figures["max-min/least_rise_of_objective/seed1"]).value >= 0)
    #expect(summary.claims.count == 3 && summary.claims.allSatisfy(\.held))

    // The mixture's row has the pairs of both sources, those of its models the pairs of their people.
    func pairsAndHits(_ name: String) throws -> (pairs: Int, hits: Double) {
      let figure = try #require(figures["max-min/\(name)"], "\(name)")
      return (figure.sampleSize, figure.value * Double(figure.sampleSize))
    }
    for (model, key) in [
      ("single-seed1", "single"), ("mixture-seed1", "mixture"), ("max-min-seed1", "minimum"),
    ] {
      let own = try pairsAndHits("\(model)/test_accuracy")
      let parts = try ["polite", "blunt"].map { try pairsAndHits("\(key)/accuracy/\($0)") }
      #expect(own.pairs == parts[0].pairs + parts[1].pairs, "\(model)")
      expectClose(own.hits, parts[0].hits + parts[1].hits, absolute: 1e-6)
    }
    let whole = try pairsAndHits("mixture-seed1/test_accuracy")
    let clusters = try (1...2).map {
      try pairsAndHits("mixture-seed1/cluster-\($0)/test_accuracy")
    }
    #expect(clusters[0].pairs + clusters[1].pairs == whole.pairs)
    expectClose(clusters[0].hits + clusters[1].hits, whole.hits, absolute: 1e-6)

    // The models that are listed judge together by the lowest normalised reward.
    let index = try #require(
      try RunFiles.read(
        json: ModelIndex.self, from: run.appending(path: "stages/max-min/models.json")))
    #expect(index.models.map(\.name) == ["single-seed1", "max-min-seed1", "mixture-seed1"])
    #expect(index.models.map(\.rule) == [.mean, .minimum, .mean])
    #expect(index.models.map(\.members.count) == [1, 2, 2])
    // An answer that nobody voted on has no people: the mixture is no judge of it.
    #expect(index.judges.map(\.scheme) == ["single", "max-min"])
    for entry in index.models {
      for member in entry.members {
        let model = try RewardModel(
          directory: run.appending(path: "stages/max-min/\(member)"))
        #expect(model.normalisation != nil)
      }
    }
    try Self.expectTheFigures(of: index.models[2], in: run, figures: figures, files: files)
  }

  /// Evaluated from outside, a mixture is as right as the stage says: every pair by its people's member.
  private static func expectTheFigures(
    of entry: ModelIndex.Entry, in run: URL, figures: [Figure], files: [String: String]
  ) throws {
    let people = try #require(entry.people)
    let folders = entry.members.map { run.appending(path: "stages/max-min/\($0)") }
    let ensemble = PreferenceEnsemble(
      try folders.map { .reward(try RewardModel(directory: $0)) }, rule: entry.rule)
    let encoder = try ConversationEncoder.load(from: folders[0])
    for source in ["polite", "blunt"] {
      let pairs = try DataFile.preferencePairs(URL(filePath: files["\(source).test"] ?? "")).rows
      let groups = pairs.map { PreferenceGroup($0, encoder: encoder) }
      let places = pairs.map {
        people.member(source: $0.source, annotator: $0.group, promptKey: $0.promptKey)
      }
      let isKnown = places.allSatisfy { $0 != nil }
      #expect(isKnown)
      let found = try PreferenceEvaluation(model: ensemble, pairs: groups, by: places)
      let expected = try #require(figures["max-min/mixture/accuracy/\(source)"]).value
      expectClose(found.metrics.accuracy, expected, absolute: 1e-9)
      // The other cluster is of the opposite taste.
      let others = places.map { $0.map { 1 - $0 } }
      let wrong = try PreferenceEvaluation(model: ensemble, pairs: groups, by: others)
      #expect(wrong.metrics.accuracy < 0.5)
    }
  }

  /// A source with its labels turned round is the opposite taste, whose people are dealt.
  @Test func labelsCanBeTurnedRoundAndPeopleDealt() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    var files = try Self.write(to: folder.url, annotators: (3, 3), named: false)
    for part in ["train", "validation", "test"] { files["blunt.\(part)"] = files["polite.\(part)"] }
    let yaml = Self.yaml(
      world, files, settings: "group_by: dealt\n    annotators_per_source: 3"
    ).replacing("{name: blunt,", with: "{name: blunt, opposite: true,")
    let summary = try runTiny(yaml, in: folder.url.appending(path: "run"))
    let purity = try #require(summary.figures["max-min/purity/seed1"])
    #expect(purity.value == 1 && purity.sampleSize == 6)
    // Equally many pairs: there is no minority to speak of.
    #expect(summary.claims.isEmpty)
  }

  @Test func anInterruptedMixtureEndsInTheSameBytes() throws {
    let world = try TinyWorld.shared()
    let (straight, interrupted, data) = (
      try TemporaryFolder(), try TemporaryFolder(), try TemporaryFolder()
    )
    let files = try Self.write(to: data.url, annotators: (2, 2))
    let yaml = Self.yaml(world, files, settings: "group_by: source\n    epochs: 0.3")
    try runTiny(yaml, in: straight.url)
    // Within a cell that needs more polls it would start again for ever.
    try runTinyWithStops(yaml, in: interrupted.url, polls: 22, fewerThan: 9)
    for file in [
      "metrics.jsonl", "summary.json", "stages/max-min/models.json",
      "stages/max-min/cells/mixture-seed1/cluster-2/model.safetensors",
    ] { #expect(try straight.data(file) == interrupted.data(file), "\(file)") }
  }

  @Test func unnamedPeopleAndTooFewGroupsAreReported() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let files = try Self.write(to: folder.url, annotators: (2, 2), named: false)
    let seen = Warnings()
    let summary = try runTiny(
      Self.yaml(
        world, files,
        settings:
          "group_by: annotator\n    clusters: 3\n    epochs: 0.2\n    keep_models: false"),
      in: folder.url.appending(path: "run"), observers: [seen])
    let text = seen.texts.joined(separator: "\n")
    #expect(text.contains("no row names an annotator under 'group'"), "\(text)")
    #expect(text.contains("2 group(s) cannot fill 3 clusters"), "\(text)")
    #expect(summary.figures["max-min/mixture/accuracy"] != nil)
    #expect(!folder.exists("run/stages/max-min/models.json"))
  }
}
