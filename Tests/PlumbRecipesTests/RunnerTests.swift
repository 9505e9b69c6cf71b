import Foundation
import Glibc
import Testing

@testable import PlumbRecipes

@Suite struct RunnerTests {
  static let registry = StageRegistry([WalkStage.self])
  static let yaml = """
    name: walks
    seed: 5
    threads: 2
    stages:
      first: {kind: walk}
      second: {kind: walk, base: first, steps: 7}
      third: {kind: walk, base: second/position, steps: 3}
    """
  static let outcome = [
    "metrics.jsonl", "summary.json", "recipe.yaml", "stages/first/position",
    "stages/second/position", "stages/third/position", "stages/second/metrics.jsonl",
  ]

  static func runner(
    _ folder: URL, yaml: String = RunnerTests.yaml, overrides: [String] = [],
    mode: Runner.Mode = .refusing, control: WalkStage.Control = .init(),
    observers: [any RunObserver] = []
  ) throws -> Runner {
    try Runner(
      try registry.loader.load(yaml: yaml, overrides: overrides), registry: registry,
      directory: folder, mode: mode, command: "plumb run walks.yaml", observers: observers,
      interrupted: { control.isInterrupted })
  }

  @discardableResult
  func run(
    _ folder: TemporaryFolder, overrides: [String] = [], mode: Runner.Mode = .refusing,
    control: WalkStage.Control = .init(), observers: [any RunObserver] = []
  ) throws -> RunSummary {
    try WalkStage.$control.withValue(control) {
      try Self.runner(
        folder.url, overrides: overrides, mode: mode, control: control, observers: observers
      ).run()
    }
  }

  func expectSameOutcome(
    _ folder: TemporaryFolder, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let straight = try TemporaryFolder()
    try run(straight)
    for path in Self.outcome {
      let (found, expected) = (try folder.text(path), try straight.text(path))
      #expect(found == expected, "\(path)", sourceLocation: sourceLocation)
    }
  }

  /// A stage with a seed of its own is the stage of a recipe with that seed.
  @Test func aStageRunsOncePerSeed() throws {
    let (folder, other) = (try TemporaryFolder(), try TemporaryFolder())
    let yaml = "name: walks\nseed: 5\nthreads: 2\nstages: {walk: {seeds: [5, 6]}}\n"
    let summary = try WalkStage.$control.withValue(.init()) {
      try Self.runner(folder.url, yaml: yaml).run()
    }
    #expect(summary.figures.map(\.name) == ["walk-seed5/position", "walk-seed6/position"])
    for seed in [5, 6] {
      let plain = "name: walks\nseed: \(seed)\nthreads: 2\nstages: {walk: {}}\n"
      let path = other.url.appending(path: "\(seed)")
      let expected = try WalkStage.$control.withValue(.init()) {
        try Self.runner(path, yaml: plain).run()
      }
      let found = summary.figures.first { $0.name == "walk-seed\(seed)/position" }
      #expect(found?.value == expected.figures.first?.value)
    }
    #expect(summary.figures[0].value != summary.figures[1].value)
  }

  @Test func aRunLeavesEverythingItPromises() throws {
    let folder = try TemporaryFolder()
    let summary = try run(folder)
    #expect(summary.figures.map(\.name) == ["first/position", "second/position", "third/position"])
    #expect(summary.claims.count == 3)
    let lines = try folder.text("metrics.jsonl").split(separator: "\n")
    #expect(lines.count == 16)
    #expect(lines.first?.hasPrefix(#"{"stage":"first","step":1,"position":"#) == true)
    let object = try JSONSerialization.jsonObject(with: Data(folder.text("summary.json").utf8))
    let json = try #require(object as? [String: Any])
    let figures = try #require(json["figures"] as? [String: [String: Any]])
    let figure = try #require(figures["second/position"])
    #expect(Set(figure.keys) == ["value", "interval", "unit", "n"])
    #expect(figure["value"] as? Double == summary.figures[1].value)
    #expect((figure["interval"] as? [Double])?.count == 2)
    let claim = try #require((json["claims"] as? [[String: Any]])?.first)
    #expect(
      Set(claim.keys)
        == ["stage", "name", "measured", "relation", "bound", "held", "interval", "paper"])
    let measured = try #require(claim["measured"] as? Double)
    #expect(claim["interval"] as? [Double] == [measured - 1, measured + 1])
    #expect(claim["paper"] as? String == "moved too")
    #expect(claim["held"] as? Bool == true)
    #expect((json["stages"] as? [Any])?.count == 3)
    #expect(try folder.text("environment.json").contains("\"plumb\" : \"\(Plumb.version)\""))
    #expect(try folder.text("timings.jsonl").contains("tokens_per_second"))
    #expect(try !folder.text("metrics.jsonl").contains("second\":"))
    #expect(!folder.exists("stages/second/checkpoints"))
    #expect(try folder.text("report.html").contains("second moved"))
  }

  @Test("Complaint 10, trl#2596: the same recipe twice gives the same bytes")
  func theSameRecipeTwiceGivesTheSameBytes() throws {
    let folder = try TemporaryFolder()
    try run(folder)
    try expectSameOutcome(folder)
  }

  @Test func anotherSeedGivesOtherBytes() throws {
    let (one, other) = (try TemporaryFolder(), try TemporaryFolder())
    try run(one)
    try run(other, overrides: ["seed=6"])
    #expect(try one.text("metrics.jsonl") != other.text("metrics.jsonl"))
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6, 7])
  func aKilledRunContinuesToTheSameBytes(_ step: Int) throws {
    let folder = try TemporaryFolder()
    let dying = WalkStage.Control()
    dying.diesAt = ("second", step)
    #expect(throws: WalkStage.Death.self) { try run(folder, control: dying) }
    let continuing = WalkStage.Control()
    try run(folder, mode: .resuming, control: continuing)
    let saved = (step - 1) / 2 * 2
    #expect(continuing.steps.first == "second:\(saved + 1)")
    #expect(continuing.steps.count == 7 - saved + 3)
    try expectSameOutcome(folder)
  }

  @Test func killingTheProcessLosesOnlyTheCurrentStep() async throws {
    let folder = try TemporaryFolder()
    setenv("PLUMB_TEST_FOLDER", folder.url.path, 1)
    await #expect(processExitsWith: .signal(SIGKILL)) {
      let path = ProcessInfo.processInfo.environment["PLUMB_TEST_FOLDER"] ?? ""
      let control = WalkStage.Control()
      control.diesAt = ("second", 6)
      control.death = { kill(getpid(), SIGKILL) }
      _ = try WalkStage.$control.withValue(control) {
        try RunnerTests.runner(URL(filePath: path), control: control).run()
      }
    }
    let control = WalkStage.Control()
    try run(folder, mode: .resuming, control: control)
    #expect(control.steps.first == "second:5")
    try expectSameOutcome(folder)
  }

  @Test func anUnfinishedRunIsRefusedWithTheCommandsToType() throws {
    let folder = try TemporaryFolder()
    let dying = WalkStage.Control()
    dying.diesAt = ("second", 6)
    #expect(throws: WalkStage.Death.self) { try run(folder, control: dying) }
    let before = try folder.text("metrics.jsonl")
    let error = #expect(throws: RunError.self) { try run(folder) }
    #expect(
      error?.description == """
        stage 'second' was stopped after step 4
          to continue it:       plumb run walks.yaml --resume
          to start it again:    plumb run walks.yaml --restart
        """)
    #expect(try folder.text("metrics.jsonl") == before)
    let restarting = WalkStage.Control()
    try run(folder, mode: .restarting, control: restarting)
    #expect(restarting.steps.first == "second:1" && restarting.steps.count == 10)
    try expectSameOutcome(folder)
  }

  @Test func settingsThatChangedCannotBeContinued() throws {
    let folder = try TemporaryFolder()
    let dying = WalkStage.Control()
    dying.diesAt = ("second", 6)
    #expect(throws: WalkStage.Death.self) { try run(folder, control: dying) }
    let error = #expect(throws: RunError.self) {
      try run(folder, overrides: ["second.steps=9"], mode: .resuming)
    }
    #expect(
      error == .changed(stage: "second", step: 4, restart: "plumb run walks.yaml --restart"))
    #expect(error?.description.contains("have changed") == true)
  }

  @Test func finishedStagesAreSkipped() throws {
    let folder = try TemporaryFolder()
    try run(folder)
    let (again, log) = (WalkStage.Control(), EventLog())
    try run(folder, control: again, observers: [log])
    #expect(again.steps.isEmpty)
    #expect(log.skipped == ["first", "second", "third"])
    try expectSameOutcome(folder)
  }

  @Test func aChangedStageAndWhatReadsItRunAgain() throws {
    let folder = try TemporaryFolder()
    try run(folder)
    let (changed, log) = (WalkStage.Control(), EventLog())
    try run(folder, overrides: ["second.steps=2"], control: changed, observers: [log])
    #expect(log.skipped == ["first"])
    #expect(changed.steps == ["second:1", "second:2", "third:1", "third:2", "third:3"])
    #expect(try folder.text("metrics.jsonl").split(separator: "\n").count == 11)
    try run(folder)
    try expectSameOutcome(folder)
  }

  @Test func aLostArtifactIsMadeAgain() throws {
    let folder = try TemporaryFolder()
    try run(folder)
    try FileManager.default.removeItem(at: folder.url.appending(path: "stages/second/position"))
    let control = WalkStage.Control()
    try run(folder, control: control)
    #expect(control.steps.count == 7 && control.steps.first == "second:1")
    try expectSameOutcome(folder)
  }

  @Test func aChangedInputFileRunsItsStageAgain() throws {
    let folder = try TemporaryFolder()
    let input = folder.url.appending(path: "start")
    try Data("3".utf8).write(to: input)
    let run = folder.url.appending(path: "run")
    let yaml = "name: one\nthreads: 2\nstages: {walk: {base: '\(input.path)'}}\n"
    func steps() throws -> Int {
      let control = WalkStage.Control()
      _ = try WalkStage.$control.withValue(control) { try Self.runner(run, yaml: yaml).run() }
      return control.steps.count
    }
    #expect(try steps() == 6)
    #expect(try steps() == 0)
    try Data("4".utf8).write(to: input)
    #expect(try steps() == 6)
  }

  @Test func anInterruptionSavesTheStepAndSaysHowToGoOn() throws {
    let folder = try TemporaryFolder()
    let control = WalkStage.Control()
    control.interruptsAfter = ("second", 3)
    let error = #expect(throws: RunInterruption.self) { try run(folder, control: control) }
    #expect(
      error?.description
        == "interrupted: stage 'second' stopped after step 3, checkpoint saved")
    let continuing = WalkStage.Control()
    try run(folder, mode: .resuming, control: continuing)
    #expect(continuing.steps.first == "second:4")
    try expectSameOutcome(folder)
  }

  @Test func anInterruptionBetweenStagesStartsNoOther() throws {
    let folder = try TemporaryFolder()
    let control = WalkStage.Control()
    control.interruptsAfter = ("first", 6)
    #expect(throws: RunInterruption.self) { try run(folder, control: control) }
    #expect(control.steps.last == "first:6")
    try run(folder)
    try expectSameOutcome(folder)
  }

  @Test func onlyTheNewestCheckpointsAreKept() throws {
    let folder = try TemporaryFolder()
    let dying = WalkStage.Control()
    dying.diesAt = ("second", 7)
    #expect(throws: WalkStage.Death.self) { try run(folder, control: dying) }
    let checkpoints = folder.url.appending(path: "stages/second/checkpoints")
    #expect(RunFiles.names(in: checkpoints) == ["step-000004", "step-000006"])
    // A checkpoint without its record is not complete: the one before counts.
    try FileManager.default.removeItem(
      at: checkpoints.appending(path: "step-000006/checkpoint.json"))
    let continuing = WalkStage.Control()
    try run(folder, mode: .resuming, control: continuing)
    #expect(continuing.steps.first == "second:5")
    try expectSameOutcome(folder)
  }

  @Test func asecondProcessIsKeptOut() throws {
    let folder = try TemporaryFolder()
    let lock = try RunLock(directory: folder.url)
    let error = #expect(throws: RunError.self) { try run(folder) }
    #expect(error?.description.contains("another process (process \(getpid())) runs here") == true)
    withExtendedLifetime(lock) {}
  }

  @Test func theLockGoesWithItsOwner() throws {
    let folder = try TemporaryFolder()
    try run(folder)
    try run(folder)
  }

  @Test func aDirectoryThatCannotBeMadeIsNamed() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "file")
    try Data().write(to: file)
    let run = file.appending(path: "run")
    let error = #expect(throws: RunError.self) { try Self.runner(run).run() }
    #expect(error?.description.hasPrefix("\(run.path)/stages") == true)
    #expect(error?.description.contains("cannot create the folder: not a directory") == true)
  }

  @Test func aReadOnlyDirectoryIsNamed() throws {
    // The kernel's own read-only tree refuses even the superuser, who runs many test machines.
    let run = URL(filePath: "/sys/kernel/plumb")
    let error = #expect(throws: RunError.self) { try Self.runner(run).run() }
    #expect(error?.description.hasPrefix("/sys/kernel/plumb") == true)
    #expect(error?.description.contains("cannot create the folder: ") == true)
  }

  @Test func anotherRecipesDirectoryIsRefused() throws {
    let folder = try TemporaryFolder()
    try run(folder)
    let error = #expect(throws: RunError.self) { try run(folder, overrides: ["name=other"]) }
    #expect(
      error?.description.contains("expected a run of the recipe 'other', found one of 'walks'")
        == true)
  }

  @Test func inputsThatAreNotThereAreNamed() throws {
    let folder = try TemporaryFolder()
    let missing = #expect(throws: RunError.self) {
      try run(folder, overrides: ["first.base=data/x"])
    }
    #expect(
      missing?.description.hasPrefix(
        "stages.first: expected an earlier stage or a path, found 'data/x' (looked in /") == true)
    // An absolute path is the same from all three places of a recipe's file, and named once.
    let resolver = InputResolver(
      stage: "first", earlier: [], later: [], stagesFolder: folder.url,
      recipeFile: folder.url.appending(path: "recipes/r.yaml").path)
    #expect(
      throws: RunError.missingInput(reference: "/no/such", stage: "first", looked: ["/no/such"])
    ) { try resolver.url(of: "/no/such") }
    let later = #expect(throws: RunError.self) { try run(folder, overrides: ["first.base=third"]) }
    #expect(later == .laterStage(reference: "third", stage: "first"))
    #expect(!folder.exists("stages"))
  }

  @Test func thePlanKnowsSizesTimesAndWhatIsDone() throws {
    let folder = try TemporaryFolder()
    let before = try Self.runner(folder.url).planTable()
    #expect(before.title.hasPrefix("walks: 3 of 3 stages to run, about 6.0 s"))
    #expect(before.rows[1] == ["second", "walk", "walk 7 steps after 6", "2.0 s"])
    #expect(!folder.exists("stages"))
    try run(folder)
    let after = try Self.runner(folder.url, overrides: ["third.steps=1"]).planTable()
    #expect(after.rows.map { $0[3] } == ["done", "done", "2.0 s"])
  }
}

/// Remembers which stages were skipped.
final class EventLog: RunObserver {
  private(set) var skipped: [String] = []

  func receive(_ event: RunEvent) {
    if case .stageFinished(let stage, _, skipped: true) = event { skipped.append(stage) }
  }
}
