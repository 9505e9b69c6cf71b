public import Foundation
import PlumbCheckpoints
import PlumbTensors

/// Runs a recipe in a directory: skips what is done, continues what was killed, writes the report.
///
/// ```swift
/// let registry = StageRegistry([DataStage.self, SFTStage.self])
/// let recipe = try registry.loader.load(contentsOf: url, overrides: ["sft.epochs=2"])
/// Interruption.install()
/// let runner = try Runner(recipe, registry: registry, directory: URL(filePath: "runs/quickstart"),
///   observers: [TerminalProgress()])
/// let summary = try runner.run()
/// ```
/// The directory holds `recipe.yaml` (resolved), `environment.json`, `metrics.jsonl` (equal bytes for
/// equal recipe, seed, data and machine), `tensorboard/` with the same numbers, `timings.jsonl`,
/// `stages/NAME/` with each stage's artifacts,
/// `summary.json` and `report.html`.
public final class Runner {
  /// What to do with a stage that was killed after it had saved a checkpoint.
  public enum Mode: Sendable {
    /// Refuse, and say which commands continue and restart it.
    case refusing
    /// Continue from the newest checkpoint.
    case resuming
    /// Start the stage again. Finished stages stay as they are.
    case restarting
  }

  /// The recipe.
  public let recipe: Recipe
  /// The run directory.
  public let directory: URL

  private let stages: [any Stage]
  private let mode: Mode
  private let command: String
  private let environment: RunEnvironment
  private let keptCheckpoints: Int
  private let observers: [any RunObserver]
  private let interrupted: () -> Bool

  /// A run of `recipe` in `directory`, which need not exist.
  ///
  /// - Parameters:
  ///   - command: What the user typed, without `--resume`; messages tell how to go on.
  ///   - environment: What `environment.json` says; by default what can be seen.
  ///   - keptCheckpoints: The number of checkpoints of the running stage to keep; at least 1.
  ///   - interrupted: Whether the run shall stop after the current step.
  /// - Throws: `RecipeError` for a kind of stage that the registry does not have.
  public init(
    _ recipe: Recipe, registry: StageRegistry, directory: URL, mode: Mode = .refusing,
    command: String = "plumb run …", environment: RunEnvironment? = nil, keptCheckpoints: Int = 2,
    observers: [any RunObserver] = [],
    interrupted: @escaping () -> Bool = { Interruption.isRequested }
  ) throws {
    precondition(
      keptCheckpoints > 0, "Runner: expected checkpoints to keep, found \(keptCheckpoints)")
    self.recipe = recipe
    self.directory = directory
    self.mode = mode
    self.command = command
    self.environment = environment ?? .current(threads: recipe.threads)
    self.keptCheckpoints = keptCheckpoints
    self.observers = observers
    self.interrupted = interrupted
    stages = try registry.stages(of: recipe)
  }

  /// The command that continues this run after an interruption.
  public var resumeCommand: String { "\(command) --resume" }

  /// Runs all stages that are not done.
  ///
  /// - Returns: What all stages found, the skipped ones included.
  /// - Throws: `RunInterruption` when the user stopped it, `RunError`, and what stages throw.
  public func run() throws -> RunSummary {
    let began = ContinuousClock.now
    let fingerprints = try self.fingerprints()
    try checkModels()
    try RunFiles.createFolder(stagesFolder)
    let lock = try RunLock(directory: directory)
    defer { withExtendedLifetime(lock) {} }
    Threads.configure(recipe.threads)
    try AtomicFile.removeLeftovers(in: directory)
    try refuseOtherRecipe()
    let states = try stages.indices.map { try state(of: $0, fingerprints[$0]) }
    try RunFiles.write(recipe.yaml, to: directory.appending(path: RunLayout.recipeName))
    try RunFiles.write(
      json: environment, to: directory.appending(path: RunLayout.environmentName))

    emit(.runStarted(name: recipe.name, stages: recipe.stages.map(\.name)))
    var done: [RunSummary.Stage] = []
    for (index, state) in states.enumerated() {
      let record: StageRecord
      switch state {
      case .finished(let old):
        record = old
        try RunFiles.remove(folder(of: index).appending(path: RunLayout.checkpointsName))
        let events = TensorBoardLog.url(of: old.stage, in: directory)
        if !FileManager.default.fileExists(atPath: events.path) { _ = try self.events(of: index) }
        emit(.stageFinished(stage: old.stage, seconds: old.seconds, skipped: true))
      case .fresh, .resumed:
        if interrupted() {
          throw RunInterruption(stage: recipe.stages[index].name, step: 0, saved: false)
        }
        record = try runStage(index, state, fingerprints[index])
      }
      done.append(
        .init(
          name: record.stage, kind: record.kind, fingerprint: record.fingerprint,
          seconds: record.seconds, result: record.result))
    }
    try rebuildMetrics(stages: stages.count)
    let summary = RunSummary(
      recipe: recipe.name, seed: recipe.seed, threads: recipe.threads, stages: done)
    try RunFiles.write(summary.json, to: directory.appending(path: RunLayout.summaryName))
    let report = Report(of: summary, recipe: recipe, environment: environment)
    try RunFiles.write(report.html, to: directory.appending(path: RunLayout.reportName))
    emit(.runFinished(summary: summary, seconds: began.duration(to: .now) / .seconds(1)))
    return summary
  }

  // MARK: One stage

  private enum State {
    case finished(StageRecord)
    case fresh
    case resumed(CheckpointFolder.Checkpoint)
  }

  /// What is to be done with a stage, before anything is changed.
  private func state(of index: Int, _ fingerprint: StageFingerprint) throws -> State {
    let folder = folder(of: index)
    let recordURL = folder.appending(path: RunLayout.stageRecordName)
    if let record = try? RunFiles.read(json: StageRecord.self, from: recordURL) {
      // A finished stage of other settings is simply run again, like a file that make rebuilds.
      let isCurrent = record.fingerprint == fingerprint.whole && record.isComplete(in: folder)
      return isCurrent ? .finished(record) : .fresh
    }
    let written = RunFiles.size(of: folder.appending(path: RunLayout.metricsName)) ?? 0
    let usable = checkpoints(of: index, fingerprint).all().last {
      $0.record.metricsBytes <= written
    }
    guard mode != .restarting, let usable else { return .fresh }
    let name = recipe.stages[index].name
    // Checkpoints of earlier versions have the whole.
    guard [fingerprint.work, fingerprint.whole].contains(usable.record.fingerprint) else {
      throw RunError.changed(stage: name, step: usable.step, restart: "\(command) --restart")
    }
    guard mode == .resuming else {
      throw RunError.unfinished(
        stage: name, step: usable.step, resume: resumeCommand, restart: "\(command) --restart")
    }
    return .resumed(usable)
  }

  private func runStage(_ index: Int, _ state: State, _ fingerprint: StageFingerprint) throws
    -> StageRecord
  {
    let entry = recipe.stages[index]
    let folder = folder(of: index)
    let began = ContinuousClock.now
    var checkpoint: CheckpointFolder.Checkpoint?
    if case .resumed(let found) = state { checkpoint = found }
    try prepare(folder, keeping: checkpoint)
    try rebuildMetrics(stages: index + 1)
    emit(
      .stageStarted(
        stage: entry.name, kind: entry.kind, index: index, count: stages.count,
        resumedAfter: checkpoint?.step))
    let metrics = try MetricsLog(
      [
        folder.appending(path: RunLayout.metricsName),
        directory.appending(path: RunLayout.metricsName),
      ], events: try events(of: index))
    let timings = try MetricsLog([directory.appending(path: RunLayout.timingsName)])
    let context = StageContext(
      stage: entry.name, directory: folder, recipe: recipe, inputs: resolver(index),
      metrics: metrics, timings: timings, checkpoints: checkpoints(of: index, fingerprint),
      resumes: checkpoint != nil, interrupted: interrupted, emit: emit)
    defer { TensorMemory.releaseIdle() }
    let result = try stages[index].run(context)
    try metrics.synchronize()
    let seconds = began.duration(to: .now) / .seconds(1)
    let record = StageRecord(
      stage: entry.name, kind: entry.kind, status: "finished", fingerprint: fingerprint.whole,
      configuration: fingerprint.configuration, inputs: fingerprint.inputs, seconds: seconds,
      artifacts: try StageRecord.artifacts(in: folder), result: result)
    try RunFiles.write(json: record, to: folder.appending(path: RunLayout.stageRecordName))
    try RunFiles.remove(folder.appending(path: RunLayout.checkpointsName))
    for table in result.tables { emit(.table(table)) }
    emit(.stageFinished(stage: entry.name, seconds: seconds, skipped: false))
    return record
  }

  /// The stage's metrics so far as a TensorBoard file, to go on from.
  private func events(of index: Int) throws -> TensorBoardLog {
    try TensorBoardLog(
      TensorBoardLog.url(of: recipe.stages[index].name, in: directory),
      metrics: folder(of: index).appending(path: RunLayout.metricsName))
  }

  /// Leaves in a stage's folder only what a continued stage goes on from.
  private func prepare(_ folder: URL, keeping checkpoint: CheckpointFolder.Checkpoint?) throws {
    try RunFiles.createFolder(folder)
    // First the record: a stage that is killed while its folder is cleared must not look finished.
    try RunFiles.remove(folder.appending(path: RunLayout.stageRecordName))
    let metrics = folder.appending(path: RunLayout.metricsName)
    let kept =
      checkpoint == nil
      ? [] : [RunLayout.metricsName, RunLayout.checkpointsName, RunLayout.watchName]
    for name in RunFiles.names(in: folder) where !kept.contains(name) {
      try RunFiles.remove(folder.appending(path: name))
    }
    if let checkpoint {
      // A newer checkpoint whose metrics were lost must not be taken for the one to go on from.
      let others = folder.appending(path: RunLayout.checkpointsName)
      for name in RunFiles.names(in: others) where name != checkpoint.directory.lastPathComponent {
        try RunFiles.remove(others.appending(path: name))
      }
      do {
        let file = try FileHandle(forWritingTo: metrics)
        try file.truncate(atOffset: UInt64(checkpoint.record.metricsBytes))
        try file.close()
      } catch {
        throw RunError.file(metrics, "write", error)
      }
    }
  }

  /// `metrics.jsonl` is the stages' metrics one after the other, in the order of the recipe.
  private func rebuildMetrics(stages count: Int) throws {
    var all = Data()
    for index in 0..<count {
      let url = folder(of: index).appending(path: RunLayout.metricsName)
      guard FileManager.default.fileExists(atPath: url.path) else { continue }
      do { all += try Data(contentsOf: url) } catch { throw RunError.file(url, "read", error) }
    }
    try RunFiles.write(all, to: directory.appending(path: RunLayout.metricsName))
  }

  // MARK: Names and fingerprints

  private var stagesFolder: URL {
    directory.appending(path: RunLayout.stagesName, directoryHint: .isDirectory)
  }

  private func folder(of index: Int) -> URL {
    stagesFolder.appending(path: recipe.stages[index].name, directoryHint: .isDirectory)
  }

  private func checkpoints(of index: Int, _ fingerprint: StageFingerprint) -> CheckpointFolder {
    CheckpointFolder(
      directory: folder(of: index).appending(path: RunLayout.checkpointsName),
      fingerprint: fingerprint.work, keeping: keptCheckpoints)
  }

  func resolver(_ index: Int) -> InputResolver {
    let names = recipe.stages.map(\.name)
    return InputResolver(
      stage: names[index], earlier: Array(names[..<index]), later: Array(names[index...]),
      stagesFolder: stagesFolder, recipeFile: recipe.file)
  }

  /// Refuses stages that name a model of the wrong kind.
  private func checkModels() throws {
    try ModelCheck(stages: stages, names: recipe.stages.map(\.name)).run(resolver)
  }

  /// A stage's results follow from its settings, its code, its inputs, the seed and the threads.
  private func fingerprints() throws -> [StageFingerprint] {
    var known: [String: String] = [:]
    var all: [StageFingerprint] = []
    for (index, entry) in recipe.stages.enumerated() {
      let resolver = resolver(index)
      let revision = "\(type(of: stages[index]).revision)"
      let configuration = Fingerprint.of([try ConfigurationWriter.yaml(entry.node), revision])
      let work = [try ConfigurationWriter.yaml(entry.node.withoutHandling), revision]
      var inputs: [String: String] = [:]
      var read: [String] = []
      for reference in stages[index].inputs where !reference.isEmpty {
        if let name = resolver.stageName(in: reference) {
          inputs[reference] = known[name]
        } else {
          var content = Fingerprint()
          try content.add(contentsOf: try resolver.url(of: reference))
          inputs[reference] = content.text
        }
        read += [reference, inputs[reference] ?? ""]
      }
      let run = ["\(recipe.seed)", "\(recipe.threads)"]
      let whole = Fingerprint.of(run + [configuration] + read)
      known[entry.name] = whole
      all.append(
        StageFingerprint(
          whole: whole, work: Fingerprint.of(run + work + read), configuration: configuration,
          inputs: inputs))
    }
    return all
  }

  private func refuseOtherRecipe() throws {
    let url = directory.appending(path: RunLayout.recipeName)
    guard let text = try? String(contentsOf: url, encoding: .utf8),
      case .scalar(let name, _) = try ConfigurationReader.parse(text)["name"]?.content,
      name != recipe.name
    else { return }
    throw RunError.otherRecipe(
      directory: directory.relativePath, expected: recipe.name, found: name)
  }

  private func emit(_ event: RunEvent) {
    for observer in observers { observer.receive(event) }
  }
}

extension Runner {
  /// Sizes and estimated times of all stages, without running any; for `--dry-run`.
  ///
  /// - Throws: `RunError.missingInput` and what stages refuse.
  public func plan() throws -> [(stage: String, kind: String, plan: StagePlan, isDone: Bool)] {
    var plans: [String: StagePlan] = [:]
    let fingerprints = try fingerprints()
    try checkModels()
    return try recipe.stages.indices.map { index in
      let entry = recipe.stages[index]
      let context = PlanContext(recipe: recipe, inputs: resolver(index), plans: plans)
      let plan = try stages[index].plan(context)
      plans[entry.name] = plan
      let record = try? RunFiles.read(
        json: StageRecord.self,
        from: folder(of: index).appending(path: RunLayout.stageRecordName))
      let isDone =
        record.map {
          $0.fingerprint == fingerprints[index].whole && $0.isComplete(in: folder(of: index))
        } ?? false
      return (entry.name, entry.kind, plan, isDone)
    }
  }

  /// The plan as a table for the terminal.
  public func planTable() throws -> TextTable {
    let plans = try plan()
    let remaining = plans.filter { !$0.isDone }
    let total = remaining.reduce(0) { $0 + ($1.plan.seconds ?? 0) }
    let rows = plans.map { entry in
      let time =
        entry.isDone ? "done" : entry.plan.seconds.map(NumberText.duration) ?? "unknown"
      return [entry.stage, entry.kind, entry.plan.summary, time]
    }
    return TextTable(
      title: "\(recipe.name): \(remaining.count) of \(plans.count) stages to run, about "
        + "\(NumberText.duration(total)) on this machine",
      columns: ["stage", "kind", "work", "time"], rows: rows)
  }
}
