import Foundation
import PlumbTensors
import Testing

@testable import PlumbRecipes

/// Optimizer steps, or rounds, that a run has finished; not the progress of other work.
private final class FinishedSteps: RunObserver {
  var count = 0

  func receive(_ event: RunEvent) {
    // Only a step has a rate of tokens.
    if case .progress(let progress) = event, progress.tokensPerSecond != nil {
      count = progress.step
    }
  }
}

/// Copies of a run's directory, made while it runs, as SIGKILL would leave it.
///
/// The moments are polls, at which a stage asks whether it should stop: after every step, while it samples
/// and before the judge. Nothing is told to stop, so nothing is saved for the sake of a copy.
struct KilledRuns {
  /// Where a run was killed.
  struct Moment {
    let poll: Int
    /// Steps that were done.
    let steps: Int
    /// Whether a rollout was half sampled.
    let isSampling: Bool
  }

  /// The recipe of one stage and the files that must be the same.
  let yaml: String
  let stage: String
  let files: [String]
  /// Whether the stage samples its own responses.
  let isOnline: Bool
  /// Settings that were replaced: a checkpoint after every second step.
  private let overrides: [String]

  init(_ yaml: String, stage: String, weights: String, isOnline: Bool) {
    self.yaml = yaml
    self.stage = stage
    self.isOnline = isOnline
    files = ["metrics.jsonl", "summary.json", "stages/\(stage)/\(weights)"]
    overrides = ["\(stage).checkpoint_every=2"]
  }

  /// Kills a run at drawn moments, resumes what is left, and compares with the run left alone.
  ///
  /// One moment is drawn from the whole run, one from behind the first checkpoint, and where the stage
  /// samples, one from the middle of a rollout behind the first checkpoint.
  /// - Parameter seed: draws the moments.
  func expectTheSameBytes(
    seed: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let straight = try TemporaryFolder()
    let polls = try self.polls(of: straight)
    let moments = try drawn(polls, seed: seed)
    let running = try TemporaryFolder()
    let copies = try self.copies(of: running, at: moments)
    try #require(copies.count == moments.count, sourceLocation: sourceLocation)
    try expectSame(running, straight, "a second run", sourceLocation)
    for (moment, copy) in zip(moments, copies) {
      let what = "killed at \(moment) of \(polls.count) polls"
      let checkpoints = RunFiles.names(
        in: copy.url.appending(path: "stages/\(stage)/checkpoints")
      ).count { $0.hasPrefix("step-") }
      #expect(!copy.exists("summary.json"), "\(what)", sourceLocation: sourceLocation)
      let isBehind = moment.steps > 2 || (moment.isSampling && moment.steps == 2)
      #expect(checkpoints > 0 || !isBehind, "\(what)", sourceLocation: sourceLocation)
      try runTiny(yaml, in: copy.url, overrides: overrides, mode: .resuming)
      try expectSame(copy, straight, what, sourceLocation)
    }
  }

  private func expectSame(
    _ found: TemporaryFolder, _ expected: TemporaryFolder, _ what: String,
    _ sourceLocation: SourceLocation
  ) throws {
    for file in files {
      let (a, b) = (try found.data(file), try expected.data(file))
      #expect(a == b, "\(what): \(file)", sourceLocation: sourceLocation)
    }
  }

  /// Every poll of a run that is left alone.
  private func polls(of folder: TemporaryFolder) throws -> [Moment] {
    let finished = FinishedSteps()
    var steps: [Int] = []
    try runTiny(yaml, in: folder.url, overrides: overrides, observers: [finished]) {
      steps.append(finished.count)
      return false
    }
    return steps.indices.map { index in
      // After the same number of steps as the polls on both sides: neither the end of a round, nor,
      // as the last one before that, in front of the judge.
      let isBetween =
        index > 0 && index + 1 < steps.count && steps[index - 1] == steps[index]
        && steps[index + 1] == steps[index]
      return Moment(poll: index + 1, steps: steps[index], isSampling: isOnline && isBetween)
    }
  }

  private func drawn(_ polls: [Moment], seed: String) throws -> [Moment] {
    var stream = RandomStream(seed: 5, purpose: seed)
    var moments: [Moment] = []
    // Before the first poll there is nothing; the poll that ends step 2 comes before its checkpoint.
    var kinds: [(Moment) -> Bool] = [{ $0.steps > 2 }, { $0.poll > 1 }]
    // First, since there are the fewest of them.
    if isOnline { kinds.insert({ $0.isSampling && $0.steps > 1 }, at: 0) }
    for isMeant in kinds {
      let open = polls.filter { moment in
        isMeant(moment) && !moments.contains { $0.poll == moment.poll }
      }
      try #require(!open.isEmpty, "no such moment among \(polls)")
      moments.append(open[stream.uniform(below: open.count)])
    }
    return moments.sorted { $0.poll < $1.poll }
  }

  /// Runs again, and copies the directory at moments.
  private func copies(of folder: TemporaryFolder, at moments: [Moment]) throws -> [TemporaryFolder]
  {
    try runTinyCopying(
      yaml, in: folder, overrides: overrides, at: moments.map(\.poll)
    ).copies
  }
}

/// Runs a recipe and copies its directory at polls, where it asks whether to stop: as SIGKILL would leave it.
///
/// - Returns: the copies in the order of the polls, and the number of polls of the whole run.
func runTinyCopying(
  _ yaml: String, in folder: TemporaryFolder, overrides: [String] = [], at moments: [Int]
) throws -> (copies: [TemporaryFolder], polls: Int) {
  var copies: [TemporaryFolder] = []
  var poll = 0
  var failure: (any Error)?
  try runTiny(yaml, in: folder.url, overrides: overrides) {
    poll += 1
    guard moments.contains(poll) else { return false }
    do {
      let copy = try TemporaryFolder()
      try FileManager.default.removeItem(at: copy.url)
      try FileManager.default.copyItem(at: folder.url, to: copy.url)
      copies.append(copy)
    } catch { failure = error }
    return false
  }
  if let failure { throw failure }
  return (copies, poll)
}
