import Foundation
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// The sampled and judged responses of one round, interrupted where the user asks for it.
struct RolloutCollection {
  let prompts: [PolicyPrompt]
  let settings: OnPolicySettings
  let judge: any Judge
  let encoder: ConversationEncoder
  let context: StageContext
  let update: Int

  /// Decoding passes between two looks at whether the user wants to stop.
  private static let passesBetweenPolls = 16
  private static let name = "rollouts"

  /// Samples and judges, or judges what was sampled before the stage was stopped.
  ///
  /// - Parameters:
  ///   - kept: responses that a checkpoint holds; none means to sample.
  ///   - policy: the policy to sample from.
  ///   - save: writes the state after the round before.
  /// - Returns: the buffer and metrics about its judging. All groups may have been skipped.
  /// - Throws: `RunInterruption` with the state saved, or what sampling or the judge throws.
  func collect(
    kept: RolloutBuffer?, policy: CausalLM, save: (URL) throws -> Void
  ) throws -> (buffer: RolloutBuffer, metrics: [String: Double]) {
    var buffer = try kept ?? sample(policy, save: save)
    do {
      try context.stopIfInterrupted(after: update - 1)
      let metrics = try judged(&buffer)
      return (buffer, metrics)
    } catch {
      try context.checkpoint(update - 1) { folder in
        try save(folder)
        try buffer.write(to: folder, name: Self.name)
      }
      if error is RunInterruption { throw interruption }
      context.note(
        "the \(buffer.responseCount) sampled responses of update \(update) are saved; "
          + "--resume judges them again")
      throw error
    }
  }

  /// The responses that a checkpoint holds; nil where there are none.
  static func load(from folder: URL) throws -> RolloutBuffer? {
    let lines = folder.appending(path: "\(name).jsonl.zst")
    guard FileManager.default.fileExists(atPath: lines.path) else { return nil }
    return try RolloutBuffer(directory: folder, name: name)
  }

  private var interruption: RunInterruption {
    RunInterruption(stage: context.stage, step: update - 1, saved: true)
  }

  private func sample(_ policy: CausalLM, save: (URL) throws -> Void) throws -> RolloutBuffer {
    var passes = 0
    do {
      return try RolloutBuffer.sample(
        policy: policy, prompts: prompts, encoder: encoder,
        count: settings.responsesPerPrompt,
        options: settings.sampling.options(seed: context.seed), step: update
      ) { _ in
        passes += 1
        if passes % Self.passesBetweenPolls == 0 {
          try context.stopIfInterrupted(after: update - 1)
        }
      }
    } catch let stop as RunInterruption {
      // Before the first round there is nothing to save but what the stage starts from.
      guard update > 1 else { throw stop }
      try context.checkpoint(update - 1, save: save)
      throw interruption
    }
  }

  /// Asks the judge, and says which prompts it left out.
  private func judged(_ buffer: inout RolloutBuffer) throws -> [String: Double] {
    let (count, responses) = (buffer.groups.count, buffer.responseCount)
    let sampled = buffer.places.reduce(0) { $0 + buffer[$1].tokens.count }
    let skipped = try buffer.judge(
      by: judge, encoder: encoder, onBadScore: settings.onBadScore, stage: context.stage)
    if let first = skipped.first {
      context.warn(
        "update \(update): \(skipped.count) of \(count) prompts are left out; "
          + "'\(first.id)': \(first.reason)")
    }
    return [
      "judge/responses": Double(responses), "judge/skipped_groups": Double(skipped.count),
      "sample/tokens": Double(sampled),
    ]
  }
}
