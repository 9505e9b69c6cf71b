import Foundation
import PlumbData
import PlumbEvaluation
import PlumbPreferences
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// The stages of base preference training on the tiny world: from files to verdicts.
@Suite struct WorldPMStageTests {
  let world: TinyWorld
  let folder: TemporaryFolder

  init() throws {
    world = try TinyWorld.shared()
    folder = try TemporaryFolder()
  }

  /// A suite with tests of every kind; files that the tiny world lacks are written here.
  func suites(rows: Int = 20) throws -> String {
    func file(_ name: String, _ lines: [String]) throws -> String {
      let url = folder.url.appending(path: name)
      try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: url)
      return url.path
    }
    let tasks = TinyData.tasks.prefix(12)
    let solutions = try file(
      "sums.jsonl",
      tasks.indices.map { index in
        let (a, b) = (index + 2, index + 5)
        return #"{"question": "add \#(a) and \#(b), then double it", "answer": "first "#
          + #"\#(a)+\#(b)=<<\#(a)+\#(b)=\#(a + b)>>\#(a + b)\nthen \#(a + b)*2="#
          + #"<<\#(a + b)*2=\#(2 * (a + b))>>\#(2 * (a + b))\n#### \#(2 * (a + b))"}"#
      })
    let options = try file(
      "options.jsonl",
      tasks.map {
        #"{"source": "flan_cot_tiny", "question": "which do i clean? \#($0)\nOptions:\n- the lamp\n- the red clock", "answer": "the lamp"}"#
      })
    let grids = try file(
      "grids.jsonl",
      tasks.enumerated().map { index, task in
        #"{"id": \#(index), "domain": "chat", "prompt": "how do i \#(task)?", "chosen": ["please \#(task)", "please \#(task) today"], "rejected": ["just \#(task)", "just \#(task) slowly"]}"#
      })
    return """
      {good_answers: ['\(world("data/preferences.test.jsonl.zst"))'], solutions: ['\(solutions)'],
          options: ['\(options)'], style_grids: ['\(grids)'],
          votes: ['\(world("data/forum.test.jsonl.zst"))'], max_rows_per_task: \(rows),
          preferences: ['\(world("data/preferences.test.jsonl.zst"))']}
      """
  }

  func figures(_ summary: RunSummary) -> [String: Figure] {
    Dictionary(uniqueKeysWithValues: summary.figures.map { ($0.name, $0) })
  }

  @Test func theThreeSuitesAreMeasured() throws {
    let summary = try runTiny(
      """
      name: suites
      seed: 7
      threads: 2
      stages:
        preference-suites:
          models: ['\(world("reward"))', '\(world("preference"))']
          suites: \(try suites())
          max_length: 100
      """, in: folder.url.appending(path: "run"))
    let found = figures(summary)
    for model in ["reward", "preference"].map({ world($0) }) {
      let name = "preference-suites/\(model)"
      for suite in PreferenceSuite.allCases {
        let figure = try #require(found["\(name)/\(suite.rawValue)/nll"])
        let interval = try #require(figure.interval)
        #expect(interval[0] <= figure.value && figure.value <= interval[1])
        #expect(figure.unit == "nats" && figure.sampleSize > 5)
      }
      // What these models learnt: "please" is better, in votes, preferences and grids alike.
      let learnt = [
        "forum.test", "tiny-now", "tiny-just", "style-easy", "style-normal", "style-hard",
      ]
      for task in learnt {
        let figure = try #require(found["\(name)/\(task)/accuracy"], "\(task)")
        #expect(figure.value > 0.8, "\(task) \(figure.value)")
      }
      for task in ["sums-wrong-step", "sums-wrong-answer", "options-tiny", "words-shuffled"] {
        #expect(found["\(name)/\(task)/accuracy"] != nil, "\(task)")
      }
    }
    // Two styles a side: one pair below the diagonal of each prompt, two on it.
    let reward = "preference-suites/\(world("reward"))"
    #expect(found["\(reward)/style-easy/nll"]?.sampleSize == 12)
    #expect(found["\(reward)/style-normal/nll"]?.sampleSize == 24)
    let report = try folder.text("run/report.html")
    #expect(report.contains("Style grid") && report.contains("Accuracy by suite"))
    for name in ["test_ece", "test_accuracy_style_controlled"] {
      #expect(found["\(reward)/\(name)"] != nil, "\(name)")
    }
    #expect(found["\(reward)/temperature"] == nil)

    // The pairs of every task lie beside the figures, and measured from outside give the same ones.
    let stage = folder.url.appending(path: "run/stages/preference-suites")
    let record = try #require(
      try RunFiles.read(json: StageRecord.self, from: stage.appending(path: "stage.json")))
    let files = record.artifacts.map(\.path).filter { $0.hasSuffix(".test.jsonl.zst") }
    let tasks = Set(
      found.keys.filter { $0.hasPrefix(reward + "/") && $0.hasSuffix("/nll") }
        .map { String($0.dropFirst(reward.count + 1).dropLast("/nll".count)) }
    ).subtracting(PreferenceSuite.allCases.map(\.rawValue))
    #expect(files.count == tasks.count)
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("reward")))
    let model = try RewardModel(directory: URL(filePath: world("reward")))
    for name in [
      "adversarial-style-easy", "adversarial-words-shuffled", "objective-sums-wrong-answer",
      "subjective-forum.test", "subjective-tiny-now",
    ] {
      #expect(files.contains("\(name).test.jsonl.zst"), "\(name)")
      let read = try DataFile.preferencePairs(stage.appending(path: "\(name).test.jsonl.zst"))
      let task = String(name.drop { $0 != "-" }.dropFirst())
      let nll = try #require(found["\(reward)/\(task)/nll"], "\(task)")
      #expect(read.rows.count == nll.sampleSize && read.report.droppedCount == 0, "\(task)")
      let odds = try PreferenceModel.reward(model).logOdds(
        pairs: read.rows.map { PreferenceGroup($0, encoder: encoder) })
      let mean = odds.map(pairLoss).reduce(0, +) / Double(odds.count)
      expectClose(mean, nll.value, absolute: 1e-4)
    }
  }

  /// Tasks whose names differ only in what no file name has get files of their own.
  @Test func everyTaskHasAFileOfItsOwn() throws {
    func test(_ task: String, _ chosen: String) -> SuitePair {
      SuitePair(
        suite: .subjective, task: task,
        pair: PreferencePair(
          id: chosen, source: "s", prompt: [Message(role: "user", content: "q")], chosen: chosen,
          rejected: "no"))
    }
    let files = SuiteFiles([test("a/b", "1"), test("a b", "2"), test("a/b", "3"), test("é", "4")])
      .files
    #expect(
      files.map(\.name) == ["a_b", "a_b-2", "_"].map { "subjective-\($0).test.jsonl.zst" })
    #expect(files.map { $0.pairs.map(\.id) } == [["1", "3"], ["2"], ["4"]])
  }

  /// A model of every kind gives the same odds to pairs alone and to answers that share a prompt.
  @Test func sharedPromptsDoNotChangeTheOdds() throws {
    let model = try RewardModel(directory: URL(filePath: world("reward")))
    let pairs = (0..<40).map { index in
      PreferencePair(
        id: "\(index)", source: "s", prompt: [Message(role: "user", content: "how do i open it?")],
        chosen: "please open it \(index % 3)", rejected: "just open it \(index)")
    }
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("reward")))
    let tests = try EncodedSuites(
      pairs.map { SuitePair(suite: .subjective, task: "t", pair: $0) }, encoder: encoder,
      maxLength: 100)
    let alone = try PreferenceModel.reward(model).logOdds(
      pairs: pairs.map { PreferenceGroup($0, encoder: encoder) })
    let shared = try tests.logOdds(.reward(model))
    try #require(alone.count == shared.count)
    for (first, second) in zip(alone, shared) { #expect(abs(first - second) < 1e-4) }
  }

  static let base: @Sendable (TinyWorld) -> String = { world in
    """
    name: base
    seed: 7
    threads: 2
    stages:
      base: {kind: reward-model, model: '\(world("pretrain"))', max_length: 64, batch_pairs: 16,
        train: ['\(world("data/forum.train.jsonl.zst"))'], snapshots: 4,
        optimizer: {learning_rate: 0.003, schedule: constant}}
    """
  }

  @Test func snapshotsAreModelsAndSurviveInterruptions() throws {
    let (straight, stopped) = (try TemporaryFolder(), try TemporaryFolder())
    try runTiny(Self.base(world), in: straight.url)
    try runTinyWithStops(Self.base(world), in: stopped.url, polls: 3, fewerThan: 40)
    let steps = try straight.series("loss", "base").count
    let names = [1, 2, 4, 8].map { divisor in
      let digits = "\(steps / divisor)"
      return "step-" + String(repeating: "0", count: 6 - digits.count) + digits
    }
    let snapshots = straight.url.appending(path: "stages/base/snapshots")
    #expect(RunFiles.names(in: snapshots) == names.sorted())
    for name in names {
      let path = "stages/base/snapshots/\(name)/model.safetensors"
      #expect(try stopped.data(path) == straight.data(path))
      _ = try RewardModel(directory: snapshots.appending(path: name))
    }
    // The last snapshot is the model that the stage ends with, the others are not.
    let last = try straight.data("stages/base/model.safetensors")
    for (name, isLast) in zip(names, [true, false, false, false]) {
      let weights = try straight.data("stages/base/snapshots/\(name)/model.safetensors")
      #expect((weights == last) == isLast, "\(name)")
    }
    let summary = try runTiny(
      """
      name: course
      seed: 7
      threads: 2
      stages:
        base: {kind: reward-model, model: '\(world("pretrain"))', max_length: 64, batch_pairs: 16,
          train: ['\(world("data/forum.train.jsonl.zst"))'], snapshots: 4,
          optimizer: {learning_rate: 0.003, schedule: constant}}
        suites: {kind: preference-suites, courses: [base], max_length: 100,
          suites: \(try suites(rows: 10))}
      """, in: folder.url.appending(path: "course"))
    #expect(summary.claims.count { $0.name.contains("test loss falls") } == 2)
    // This little world's votes and preferences want the same, so the loss falls, and the paper's finding
    // that it does not is not found here.
    let flat = try #require(
      summary.claims.first { $0.name.contains("subjective test loss does not fall") })
    #expect(!flat.held && flat.paper != nil)
    let change = try #require(figures(summary)["suites/base/subjective/nll_change"])
    let interval = try #require(change.interval)
    #expect(change.value < 0 && flat.measured == interval[0])
    #expect(try folder.text("course/report.html").contains("adversarial/style grid"))
  }

  @Test func heldOutSitesAreInNoOtherPart() throws {
    let yaml = { (sites: String) in
      """
      name: sites
      seed: 7
      stages:
        data: {forum: ['\(world.data("forum.jsonl"))', '\(other.path)'], held_out_sites: [\(sites)],
          judge_share: 0, train_share: 0.8}
      """
    }
    let threads = TinyData.threads.prefix(10).map { thread in
      var thread = thread
      thread.site = "elsewhere"
      thread.title += " there"
      return thread
    }
    let encoder = JSONEncoder()
    try Data(try threads.map { try encoder.encode($0) + Data("\n".utf8) }.joined()).write(to: other)
    try runTiny(yaml("elsewhere"), in: folder.url.appending(path: "sites"))
    func sources(_ part: String) throws -> Set<String> {
      let url = folder.url.appending(path: "sites/stages/data/forum.\(part).jsonl.zst")
      return Set(try DataFile.preferencePairs(url).rows.map(\.source))
    }
    #expect(try sources("sites") == ["elsewhere"])
    #expect(try sources("train") == ["tiny"] && sources("test") == ["tiny"])
    #expect(throws: ConfigurationProblem.self) {
      try runTiny(yaml("nowhere"), in: folder.url.appending(path: "none"))
    }
  }

  var other: URL { folder.url.appending(path: "other.jsonl") }
}
