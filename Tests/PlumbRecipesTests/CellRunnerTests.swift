import Foundation
import Testing

@testable import PlumbRecipes

struct GridConfiguration: StageConfiguration {
  static let kind = "grid"
  var cells = 5
}

/// Cells that each walk some steps and leave a file.
struct GridStage: Stage {
  struct Walk: Codable {
    var position: Double
  }

  struct Death: Error {}

  final class Control: @unchecked Sendable {
    /// The cell and step where the process dies, or where the user interrupts.
    var diesIn: (cell: Int, step: Int)?
    var interruptsIn: (cell: Int, step: Int)?
    var isInterrupted = false
    /// Dies after the last cell, in what the stage makes of its records.
    var diesAfterwards = false
    var worked: [String] = []
  }

  @TaskLocal static var control = Control()

  let configuration: GridConfiguration
  var inputs: [String] { [] }

  func plan(_ context: PlanContext) -> StagePlan { StagePlan("walk") }

  func run(_ context: StageContext) throws -> StageResult {
    let control = Self.control
    let cells = (0..<configuration.cells).map { GridCell("cell-\($0)", units: 3 + $0) }
    let runner = CellRunner<Walk>(context) { ["loss": $0.position] }
    let records = try runner.run(cells) { index, cell in
      control.worked.append(cell.name)
      var state = context.seed &+ UInt64(index)
      for step in 1...cells[index].units {
        if let death = control.diesIn, death == (index, step) { throw Death() }
        if let stop = control.interruptsIn, stop == (index, step) { control.isInterrupted = true }
        state = state &* 6_364_136_223_846_793_005 &+ 1
        try cell.step(step, of: cells[index].units, loss: 1)
      }
      try FileManager.default.createDirectory(at: cell.folder, withIntermediateDirectories: true)
      try Data("\(state)".utf8).write(to: cell.folder.appending(path: "state"))
      return Walk(position: Double(state % 1000) / 7)
    }
    if control.diesAfterwards { throw Death() }
    return StageResult(
      figures: records.enumerated().map {
        Figure("cell-\($0.offset)", $0.element.position, sampleSize: 1)
      })
  }
}

/// Progress events as texts.
private final class Steps: RunObserver {
  var steps: [Int] = []
  var totals: Set<Int> = []

  func receive(_ event: RunEvent) {
    guard case .progress(let progress) = event else { return }
    steps.append(progress.step)
    totals.insert(progress.total)
  }
}

@Suite struct CellRunnerTests {
  static let files =
    ["metrics.jsonl", "summary.json"]
    + (0..<5).map { "stages/grid/cells/cell-\($0)/state" }

  func run(
    _ folder: TemporaryFolder, mode: Runner.Mode = .refusing,
    control: GridStage.Control = .init(), observers: [any RunObserver] = []
  ) throws {
    let registry = StageRegistry([GridStage.self])
    let recipe = try registry.loader.load(yaml: "name: grid\nseed: 3\nstages:\n  grid: {}\n")
    _ = try GridStage.$control.withValue(control) {
      try Runner(
        recipe, registry: registry, directory: folder.url, mode: mode, observers: observers,
        interrupted: { control.isInterrupted }
      ).run()
    }
  }

  func expectSame(_ folder: TemporaryFolder) throws {
    let straight = try TemporaryFolder()
    try run(straight)
    for file in Self.files {
      let (found, expected) = (try folder.text(file), try straight.text(file))
      #expect(found == expected, "\(file)")
    }
  }

  @Test(arguments: 0..<5) func aKilledStageGoesOnWithTheNextCell(_ cell: Int) throws {
    let folder = try TemporaryFolder()
    let dying = GridStage.Control()
    dying.diesIn = (cell, 2)
    #expect(throws: GridStage.Death.self) { try run(folder, control: dying) }
    let continuing = GridStage.Control()
    try run(folder, mode: .resuming, control: continuing)
    #expect(continuing.worked == (cell..<5).map { "cell-\($0)" })
    try expectSame(folder)
  }

  @Test func anInterruptInsideACellKeepsTheOnesBefore() throws {
    let folder = try TemporaryFolder()
    let stopping = GridStage.Control()
    stopping.interruptsIn = (2, 1)
    #expect(throws: RunInterruption(stage: "grid", step: 7, saved: true)) {
      try run(folder, control: stopping)
    }
    let continuing = GridStage.Control()
    try run(folder, mode: .resuming, control: continuing)
    #expect(continuing.worked == ["cell-2", "cell-3", "cell-4"])
    try expectSame(folder)
  }

  @Test func anInterruptInsideTheFirstCellSaysThatNothingIsSaved() throws {
    let folder = try TemporaryFolder()
    let stopping = GridStage.Control()
    stopping.interruptsIn = (0, 1)
    #expect(throws: RunInterruption(stage: "grid", step: 0, saved: false)) {
      try run(folder, control: stopping)
    }
  }

  @Test func theLastCellIsNotLostByWhatFollows() throws {
    let folder = try TemporaryFolder()
    let dying = GridStage.Control()
    dying.diesAfterwards = true
    #expect(throws: GridStage.Death.self) { try run(folder, control: dying) }
    let continuing = GridStage.Control()
    try run(folder, mode: .resuming, control: continuing)
    #expect(continuing.worked.isEmpty)
    try expectSame(folder)
  }

  @Test func progressRunsOverAllCells() throws {
    let folder = try TemporaryFolder()
    let seen = Steps()
    try run(folder, observers: [seen])
    #expect(seen.totals == [25])
    #expect(seen.steps == Array(1...25))
  }

  @Test func checkpointsOfOtherCellsAreRefused() throws {
    let folder = try TemporaryFolder()
    let dying = GridStage.Control()
    dying.diesIn = (2, 1)
    #expect(throws: GridStage.Death.self) { try run(folder, control: dying) }
    let checkpoint = folder.url.appending(path: "stages/grid/checkpoints/step-000007/cells.json")
    let text = try String(contentsOf: checkpoint, encoding: .utf8)
    try Data(text.replacing("cell-1", with: "cell-x").utf8).write(to: checkpoint)
    do {
      try run(folder, mode: .resuming)
      Issue.record("a foreign checkpoint was read")
    } catch {
      #expect("\(error)".contains("cell-x"))
    }
  }
}
