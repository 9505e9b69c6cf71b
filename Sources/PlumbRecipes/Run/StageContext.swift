public import Foundation

/// What a running stage sees of its run: folders, seed, metrics, checkpoints, progress.
///
/// Used from the thread that runs the stage.
public final class StageContext {
  /// The stage's name in the recipe.
  public let stage: String
  /// The stage's own folder; artifacts go here (not `stage.json`, `metrics.jsonl`, `checkpoints`).
  public let directory: URL
  /// The stage's seed, or the recipe's where it has none; key random numbers by it, a purpose, the step and the row.
  public let seed: UInt64
  /// The number of threads.
  public let threads: Int
  /// The recipe as it runs.
  public let recipe: Recipe
  /// The checkpoints of this stage.
  public let checkpoints: CheckpointFolder

  private let inputs: InputResolver
  private let metrics: MetricsLog
  private let timings: MetricsLog
  private let emit: (RunEvent) -> Void
  private let interrupted: () -> Bool
  private var lastStep: ContinuousClock.Instant
  private let resumes: Bool

  init(
    stage: String, directory: URL, recipe: Recipe, inputs: InputResolver, metrics: MetricsLog,
    timings: MetricsLog, checkpoints: CheckpointFolder, resumes: Bool,
    interrupted: @escaping () -> Bool, emit: @escaping (RunEvent) -> Void
  ) {
    self.stage = stage
    self.directory = directory
    seed = recipe.stages.first { $0.name == stage }?.seed ?? recipe.seed
    threads = recipe.threads
    self.recipe = recipe
    self.inputs = inputs
    self.metrics = metrics
    self.timings = timings
    self.checkpoints = checkpoints
    self.resumes = resumes
    self.interrupted = interrupted
    self.emit = emit
    lastStep = .now
  }

  /// The folder of an earlier stage, a file in it (`sft/tokenizer.json`), or a path.
  ///
  /// A path is looked for in the working directory, then beside the recipe and one folder above.
  /// - Throws: `RunError.missingInput`.
  public func artifact(_ reference: String) throws -> URL { try inputs.url(of: reference) }

  /// Loads the newest complete checkpoint, if this run continues one.
  ///
  /// - Parameter load: Restores the state from a checkpoint's folder.
  /// - Returns: The step to do next; 1 for a fresh start.
  public func resume(_ load: (URL) throws -> Void) throws -> Int {
    guard resumes, let newest = checkpoints.newest() else { return 1 }
    try load(newest.directory)
    lastStep = .now
    return newest.step + 1
  }

  /// Ends a step: writes its metrics, reports progress, saves a checkpoint when it is due, and stops
  /// the stage when the user asked for it.
  ///
  /// - Parameters:
  ///   - step: The step that is done, from 1.
  ///   - total: The number of steps.
  ///   - metrics: Named values for `metrics.jsonl`; no times, no rates.
  ///   - loss: The loss that the progress line shows.
  ///   - tokens: The tokens that the step worked on, for the rate.
  ///   - checkpointEvery: The number of steps between checkpoints; 0 for only on interruption.
  ///   - save: Writes the state *after* this step, random number positions included.
  /// - Throws: `RunInterruption` after the checkpoint, and what `save` throws.
  public func finishStep(
    _ step: Int, of total: Int, metrics values: [String: Double], loss: Double? = nil,
    tokens: Int? = nil, checkpointEvery: Int = 0, save: ((URL) throws -> Void)? = nil
  ) throws {
    try metrics.append(stage: stage, step: step, values)
    let now = ContinuousClock.now
    let seconds = lastStep.duration(to: now) / .seconds(1)
    lastStep = now
    let rate = tokens.map { Double($0) / max(seconds, 1e-9) }
    var timing = ["seconds": seconds]
    timing["tokens_per_second"] = rate
    try timings.append(stage: stage, step: step, timing)
    emit(
      .progress(
        RunProgress(
          stage: stage, step: step, total: total, loss: loss, tokensPerSecond: rate)))
    let stops = interrupted() && step < total
    if let save, step < total, stops || (checkpointEvery > 0 && step % checkpointEvery == 0) {
      try checkpoint(step, save: save)
    }
    if stops { throw RunInterruption(stage: stage, step: step, saved: save != nil) }
  }

  /// Saves a checkpoint now; `finishStep` does so by itself.
  public func checkpoint(_ step: Int, save: (URL) throws -> Void) throws {
    try metrics.synchronize()
    try checkpoints.save(step: step, metricsBytes: metrics.length, save)
  }

  /// Stops between two pieces of work that have no checkpoints, when the user asked for it.
  public func stopIfInterrupted(after step: Int = 0) throws {
    if interrupted() { throw RunInterruption(stage: stage, step: step, saved: false) }
  }

  /// Adds a line to `metrics.jsonl`, for values that belong to no training step.
  public func record(step: Int, _ values: [String: Double]) throws {
    try metrics.append(stage: stage, step: step, values)
  }

  /// Adds a line to `timings.jsonl`: seconds and rates, which differ from run to run.
  public func recordTiming(step: Int, _ values: [String: Double]) throws {
    try timings.append(stage: stage, step: step, values)
  }

  /// Shows how far the stage is, for work that is not done in training steps.
  public func progress(_ step: Int, of total: Int, loss: Double? = nil, rate: Double? = nil) {
    emit(
      .progress(
        RunProgress(stage: stage, step: step, total: total, loss: loss, tokensPerSecond: rate)))
  }

  /// Tells the user something that is worth knowing and does not stop the run.
  public func warn(_ message: String) { emit(.warning(stage: stage, message: message)) }

  /// Tells the user what is being done, in a few words.
  public func note(_ message: String) { emit(.note(stage: stage, message: message)) }

  /// The metrics that a stage has written, for plots: its own, or those of an earlier stage.
  public func series(_ name: String, of earlier: String? = nil) throws -> [(
    step: Int, value: Double
  )] {
    let folder = try earlier.map { try artifact($0) } ?? directory
    return try MetricsLog.series(name, in: folder.appending(path: RunLayout.metricsName))
  }

  /// What an earlier stage of this run has in `timings.jsonl`, the times of all its starts; none for a path.
  func timings(of earlier: String) throws -> [(step: Int, values: [String: Double])] {
    guard let name = inputs.stageName(in: earlier) else { return [] }
    let run = directory.deletingLastPathComponent().deletingLastPathComponent()
    return try MetricsLog.lines(of: run.appending(path: RunLayout.timingsName))
      .filter { $0.stage == name }.map { ($0.step, $0.values) }
  }

  /// What an earlier stage of this run measured at each step; none for a path.
  func metrics(of earlier: String) throws -> [(step: Int, values: [String: Double])] {
    guard inputs.stageName(in: earlier) != nil else { return [] }
    let log = try artifact(earlier).appending(path: RunLayout.metricsName)
    guard FileManager.default.fileExists(atPath: log.path) else { return [] }
    return try MetricsLog.lines(of: log).map { ($0.step, $0.values) }
  }

  /// What an earlier stage measured; nil where `earlier` is a path.
  public func figures(of earlier: String) throws -> [Figure]? {
    let record = try artifact(earlier).appending(path: RunLayout.stageRecordName)
    guard FileManager.default.fileExists(atPath: record.path) else { return nil }
    return try RunFiles.read(json: StageRecord.self, from: record)?.result.figures
  }
}

/// What a stage sees before it runs.
public struct PlanContext {
  /// The recipe.
  public let recipe: Recipe
  let inputs: InputResolver
  let plans: [String: StagePlan]

  /// The folder of an earlier stage (which may not have run yet) or a path that exists.
  ///
  /// - Throws: `RunError.missingInput` for a path that is not there.
  public func artifact(_ reference: String) throws -> URL {
    try inputs.url(of: reference, mustExist: false)
  }

  /// The plan of an earlier stage; nil where `stage` is a path.
  public func plan(of stage: String) -> StagePlan? {
    plans[String(stage.split(separator: "/").first ?? "")]
  }
}

/// Thrown to end a run that the user interrupted; the state is saved where `saved` says so.
public struct RunInterruption: Error, CustomStringConvertible, Equatable {
  /// The stage that was running.
  public let stage: String
  /// The last step that was done.
  public let step: Int
  /// Whether a checkpoint was written.
  public let saved: Bool

  /// A sentence for the user.
  public var description: String {
    saved
      ? "interrupted: stage '\(stage)' stopped after step \(step), checkpoint saved"
      : "interrupted: stage '\(stage)' stopped; it will start again"
  }
}
