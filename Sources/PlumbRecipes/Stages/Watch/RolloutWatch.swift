import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// Looks at every round of an on-line stage: rings where the policy seems to hack its reward, and keeps
/// samples and rollouts to look at.
///
/// Writes into the folder `watch` of the stage, which a continued stage keeps. Its state belongs to
/// every checkpoint, so that a run that is stopped and resumed rings at the same rounds and leaves the
/// same bytes.
///
/// ```swift
/// var watch = try RolloutWatch(
///   configuration.watch, updates: 100, responses: 4, context: context, encoder: encoder)
/// let first = try context.resume { …; try watch.load(from: $0) }
/// // after each round, with reference log-probabilities and scores in the buffer:
/// metrics.merge(try watch.observe(buffer, update: update)) { $1 }
/// try context.finishStep(…) { …; try watch.save(to: $0) }
/// try watch.stopIfAlarmed(after: update, checkpoint: { … }, artifacts: { … })
/// ```
struct RolloutWatch: RolloutObserver {
  let configuration: WatchConfiguration
  let updates: Int
  let context: StageContext
  let files: WatchFiles
  let heldOut: HeldOutJudge?
  private(set) var state = WatchState()

  /// Loads the held-out judge, if there is one.
  ///
  /// - Parameters:
  ///   - configuration: what to watch, with which limits.
  ///   - updates: rounds of the stage.
  ///   - responses: to each prompt, K.
  ///   - context: of the stage that is watched.
  ///   - encoder: tokenizer and template of the policy.
  /// - Throws: where the held-out judge is missing, has another tokenizer or template, or would have
  ///   nothing to compare.
  init(
    _ configuration: WatchConfiguration, updates: Int, responses: Int, context: StageContext,
    encoder: ConversationEncoder
  ) throws {
    self.configuration = configuration
    self.updates = updates
    self.context = context
    files = WatchFiles(context)
    heldOut =
      configuration.heldOut.isEmpty
      ? nil
      : try HeldOutJudge(
        configuration.heldOut, responses: responses, context: context, encoder: encoder)
  }

  /// Models that read the responses beside policy and judge, whose context must hold them too.
  var readers: [DecoderConfiguration] { heldOut?.readers ?? [] }

  /// Looks at a round: measures, rings, writes samples and rollouts.
  ///
  /// An alarm warns here and stops nothing: the round's metrics and checkpoint come first. A held-out judge
  /// that fails is warned of, and the round goes without its metrics.
  /// - Parameters:
  ///   - buffer: judged, with log-probabilities of policy and reference.
  ///   - update: the round, from 1.
  /// - Returns: the metrics `watch/…` and `held_out/…`; see Documentation/Metrics.md.
  /// - Throws: what the disk throws.
  mutating func observe(_ buffer: RolloutBuffer, update: Int) throws -> [String: Double] {
    let measures = WatchMeasures(buffer)
    let isBaseline = state.baselineRounds < configuration.baselineUpdates
    if isBaseline {
      state.length.add(measures.lengths)
      state.distinct.add([measures.distinct].compactMap { $0 })
      state.entropy.add(measures.surprises)
    }
    var values = observedValues(measures)
    var metrics = [
      "watch/repeated_run": measures.repeatedRun, "watch/looping": measures.looping,
    ]
    metrics["watch/length_growth"] = values["length"]
    metrics["watch/distinct_2"] = measures.distinct
    if !measures.surprises.isEmpty { metrics["watch/entropy"] = mean(measures.surprises) }
    if let heldOut, isBaseline || update % configuration.heldOutEvery == 0 || update == updates {
      do {
        // A judge that was away at the start has its own in the first round that it sees.
        let isStart = isBaseline || state.heldOut.count == 0
        let found = try heldOut.compare(buffer, isBaseline: isStart, state: &state)
        values.merge(found.values) { $1 }
        metrics.merge(found.metrics) { $1 }
      } catch {
        // The round is done, and this judge trains nothing: it must not take the round with it.
        context.warn(
          "update \(update): the held-out judge failed, and the round is not compared: \(error)")
      }
    }
    if isBaseline { state.baselineRounds += 1 }
    for monitor in configuration.monitors {
      guard let value = values[monitor.name] else { continue }
      if let alarm = state.look(monitor, at: value, update: update) { context.warn(alarm.text) }
    }
    try keep(buffer, update: update)
    return metrics
  }

  /// What the monitors of every round look at.
  private mutating func observedValues(_ measures: WatchMeasures) -> [String: Double] {
    var values = [
      "length": mean(measures.lengths) / state.length.mean, "clipped": measures.clipped,
      "looping": measures.looping,
    ]
    values["distinct"] = measures.distinct.map { $0 / state.distinct.mean }
    // A policy that is sure from the start has no entropy to lose.
    if !measures.surprises.isEmpty, state.entropy.mean > 0 {
      values["entropy"] = mean(measures.surprises) / state.entropy.mean
    }
    if !measures.kls.isEmpty {
      values["kl"] = mean(measures.kls)
      values["negative-kl"] = state.addKL(measures.kls)
    }
    return values
  }

  /// Writes the round's samples and rollouts where they are due.
  private mutating func keep(_ buffer: RolloutBuffer, update: Int) throws {
    let every = configuration.samplesEvery
    if every > 0, update == 1 || update % every == 0 || update == updates {
      let table = SampleTable(buffer, update: update, prompts: configuration.samplePrompts)
      state.samplesBytes = try files.append(table, after: state.samplesBytes)
      if state.firstTable == nil { state.firstTable = table } else { state.lastTable = table }
    }
    let rollouts = configuration.saveRolloutsEvery
    if rollouts > 0, update % rollouts == 0 { try files.write(buffer, update: update) }
  }

  /// Ends the run after a round in which an alarm went off, where the recipe says so.
  ///
  /// A run that is resumed goes on: an alarm rings once for each crossing. In the last round there is
  /// nothing to stop.
  /// - Parameters:
  ///   - checkpoint: writes the state after the round.
  ///   - artifacts: writes what the stage would leave behind, into its folder.
  /// - Throws: `RolloutAlarm` after both.
  func stopIfAlarmed(
    after update: Int, checkpoint: (URL) throws -> Void, artifacts: () throws -> Void
  ) throws {
    let alarms = state.alarms.filter { $0.update == update }
    guard configuration.onAlarm == .stop, !alarms.isEmpty, update < updates else { return }
    try context.checkpoint(update, save: checkpoint)
    try artifacts()
    throw RolloutAlarm(
      stage: context.stage, update: update, folder: context.directory.relativePath,
      alarms: alarms.map(\.text))
  }

  /// Writes the state into a checkpoint; what is in the samples file reaches the disk first.
  func save(to folder: URL) throws {
    try files.synchronize()
    try RunFiles.write(json: state, to: folder.appending(path: WatchFiles.stateName))
  }

  /// Goes on from a checkpoint: what was written after it is taken off again.
  mutating func load(from folder: URL) throws {
    let url = folder.appending(path: WatchFiles.stateName)
    guard let found = try RunFiles.read(json: WatchState.self, from: url) else {
      throw RunError.damaged(
        path: url.relativePath, detail: "missing; start the stage again with --restart")
    }
    state = found
    state.samplesBytes = try files.truncate(to: state.samplesBytes, context: context)
  }
}

/// The mean; NaN for no values.
private func mean(_ values: [Double]) -> Double {
  values.reduce(0, +) / Double(values.count)
}

/// Thrown to end a run whose policy set off an alarm, with everything saved.
public struct RolloutAlarm: Error, CustomStringConvertible, Equatable {
  /// The stage.
  public let stage: String
  /// The round after which it stopped.
  public let update: Int
  /// The stage's folder.
  public let folder: String
  /// What went off, a sentence each.
  public let alarms: [String]

  /// What went off and where to look.
  public var description: String {
    """
    stages.\(stage): stopped by an alarm after update \(update), which is saved
    \(alarms.map { "  - \($0)" }.joined(separator: "\n"))
      the policy as it is now is in \(folder), the samples and rollouts that were saved in \
    \(folder)/watch
    """
  }
}
