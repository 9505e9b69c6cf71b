import Foundation
import PlumbRollouts
import Testing

@testable import PlumbRecipes

/// On-line stages that are killed or stopped anywhere end in the same bytes as ones left alone.
///
/// Complaints: huggingface/trl#2657, #1643, #2444 (PPO cannot resume), OpenRLHF#65, #1103, trlx#252, #385,
/// #545 (loader and optimizer silently reset).
@Suite struct OnPolicyResumeTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let settings: String
    var testDescription: String { name }

    var weights: String {
      settings.contains("lora") ? "adapter_model.safetensors" : "model.safetensors"
    }

    func yaml(_ world: TinyWorld) -> String {
      """
      name: killed
      seed: 12
      threads: 2
      stages:
        trained:
          {\(settings), policy: '\(world("sft"))', reward: '\(world("reward"))',
          prompts: ['\(world.data("prompts.jsonl"))'], updates: 4, prompts_per_update: 4,
          checkpoint_every: 2, sampling: {max_new_tokens: 40, temperature: 2.5},
          optimizer: {learning_rate: 0.001}}
      """
    }
  }

  static let cases = [
    Case(
      name: "PPO, shared, adaptive",
      settings: "kind: ppo, kl_target: 0.5, kl_horizon: 50, responses_per_prompt: 2"),
    Case(
      name: "PPO, shared, value warm-up",
      settings: "kind: ppo, value_warmup_updates: 2, micro_batch_tokens: 100"),
    Case(name: "PPO, own head", settings: "kind: ppo, value_model: head, value_warmup_updates: 1"),
    Case(
      name: "PPO, separate",
      settings: "kind: ppo, value_model: separate, kl_in: loss, kl_estimator: k3"),
    Case(
      name: "PPO, adapter", settings: "kind: ppo, lora: {rank: 4}, value_warmup_updates: 1"),
    Case(name: "GRPO", settings: "kind: grpo, responses_per_prompt: 3, epochs: 2"),
    Case(
      name: "GRPO, adapter",
      settings: "kind: grpo, responses_per_prompt: 2, lora: {rank: 4}, normalize_rewards: true"),
    Case(name: "RLOO", settings: "kind: rloo, responses_per_prompt: 2, minibatches: 2"),
    Case(name: "REINFORCE", settings: "kind: reinforce, normalize_advantages: true"),
  ]

  private func expectSame(
    _ found: TemporaryFolder, _ expected: TemporaryFolder, _ test: Case, _ what: String
  ) throws {
    for file in ["metrics.jsonl", "summary.json", "stages/trained/\(test.weights)"] {
      #expect(try found.data(file) == expected.data(file), "\(what): \(file)")
    }
  }

  /// The directory is copied at random moments, as a kill would leave it, and the copies are resumed.
  @Test("Complaint 3, trl#2657: PPO and its kin resume to the same bytes", arguments: cases)
  func aKilledStageEndsInTheSameBytes(_ test: Case) throws {
    try KilledRuns(
      test.yaml(try TinyWorld.shared()), stage: "trained", weights: test.weights, isOnline: true
    ).expectTheSameBytes(seed: test.name)
  }

  /// Stopped by the user while it samples, and before the judge: the responses that are complete are kept.
  @Test(
    "Complaint 3, trl#2657: also from the middle of a rollout",
    arguments: [cases[0], cases[1], cases[3], cases[5], cases[7], cases[8]])
  func aStageStoppedInTheMiddleOfARolloutEndsInTheSameBytes(_ test: Case) throws {
    let yaml = test.yaml(try TinyWorld.shared())
    let (straight, stopped) = (try TemporaryFolder(), try TemporaryFolder())
    try runTiny(yaml, in: straight.url)
    var (stops, kept, sampling) = (0, 0, 0)
    // Four polls a run: enough to get from one place to the next.
    while true {
      var polls = 0
      do {
        try runTiny(yaml, in: stopped.url, mode: .resuming) {
          polls += 1
          return polls > 3
        }
        break
      } catch let stop as RunInterruption {
        stops += 1
        try #require(stops < 30)
        let folder = stopped.url.appending(path: "stages/trained/checkpoints")
        let newest = RunFiles.names(in: folder).filter { $0.hasPrefix("step-") }.max()
        guard let newest else {
          #expect(!stop.saved)
          continue
        }
        #expect(stop.saved && newest == "step-00000\(stop.step)")
        let buffer = try RolloutCollection.load(from: folder.appending(path: newest))
        if let buffer {
          kept += 1
          #expect(buffer.provenance.step == stop.step + 1)
          let scored = buffer.places.count { buffer[$0].score != nil }
          #expect(scored == 0)
        } else {
          sampling += 1
        }
      }
    }
    #expect(kept > 0 && sampling > 0, "stops with responses: \(kept), without: \(sampling)")
    try expectSame(stopped, straight, test, "stopped \(stops) times")
  }

  /// A checkpoint without its optimizer is refused: moments are never silently reset.
  @Test("Complaint 21, OpenRLHF#65: a checkpoint without moments is refused")
  func aCheckpointWithoutMomentsIsRefused() throws {
    let yaml = Self.cases[0].yaml(try TinyWorld.shared())
    let folder = try TemporaryFolder()
    var polls = 0
    #expect(throws: RunInterruption.self) {
      try runTiny(yaml, in: folder.url) {
        polls += 1
        return polls > 14
      }
    }
    let checkpoints = folder.url.appending(path: "stages/trained/checkpoints")
    let newest = try #require(RunFiles.names(in: checkpoints).max())
    try FileManager.default.removeItem(
      at: checkpoints.appending(path: "\(newest)/optimizer.safetensors"))
    let error = #expect(throws: (any Error).self) {
      try runTiny(yaml, in: folder.url, mode: .resuming)
    }
    let message = "\(try #require(error))"
    #expect(message.contains("optimizer.safetensors"))
  }
}
