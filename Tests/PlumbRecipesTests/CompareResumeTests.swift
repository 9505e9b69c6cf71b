import Foundation
import PlumbRollouts
import Testing

@testable import PlumbRecipes

/// A comparison that is stopped or killed goes on behind the last policy or judge that was done.
@Suite struct CompareResumeTests {
  /// Cells: the baseline, a policy, a best of two (twice the work), and three judges.
  private func yaml(_ world: TinyWorld) -> String {
    """
    name: compared
    seed: 5
    threads: 2
    stages:
      compare:
        baseline: '\(world("sft"))'
        policies: ['\(world("dpo"))']
        best_of: [{name: best, policy: '\(world("sft"))', judge: '\(world("reward"))', n: 2}]
        judge: '\(world("judge"))'
        other_judges: ['\(world("preference"))']
        reward: '\(world("reward"))'
        prompts: ['\(world("data/prompts.test.jsonl.zst"))']
        max_prompts: 8
        responses: 2
        sampling: {max_new_tokens: 12}
    """
  }

  private static let files =
    ["metrics.jsonl", "summary.json", "stages/compare/answers.jsonl.zst"]
    + (1...3).flatMap {
      [
        "stages/compare/cells/answers-\($0)/rollouts.jsonl.zst",
        "stages/compare/cells/answers-\($0)/rollouts.safetensors",
        "stages/compare/cells/verdicts-\($0)/judgements.jsonl.zst",
      ]
    }

  private func expectSame(
    _ found: TemporaryFolder, _ expected: TemporaryFolder, _ what: String
  ) throws {
    for file in Self.files {
      let (own, other) = (try found.data(file), try expected.data(file))
      #expect(own == other, "\(what): \(file)")
    }
  }

  @Test func aComparisonStoppedAfterEachPartEndsInTheSameBytes() throws {
    let world = try TinyWorld.shared()
    let (straight, stopped) = (try TemporaryFolder(), try TemporaryFolder())
    try runTiny(yaml(world), in: straight.url)
    // The run asks before the stage, before a part and after it; the third stops it.
    let stops = try runTinyWithStops(yaml(world), in: stopped.url, polls: 2, fewerThan: 7)
    #expect(stops == [1, 2, 4, 5, 6])
    try expectSame(stopped, straight, "stopped")
  }

  /// Copies of the directory as SIGKILL would leave it, at moments where the run asks whether to stop.
  @Test func aKilledComparisonEndsInTheSameBytes() throws {
    let world = try TinyWorld.shared()
    let straight = try TemporaryFolder()
    // Before the second part; after the third, which is not saved yet; before the fifth and the sixth.
    let moments = [4, 7, 10, 12]
    let checkpoints = [1, 2, 5, 6]
    let (copies, polls) = try runTinyCopying(yaml(world), in: straight, at: moments)
    #expect(polls == 13)
    try #require(copies.count == moments.count)
    for (index, copy) in copies.enumerated() {
      let newest = "stages/compare/checkpoints/step-00000\(checkpoints[index])"
      #expect(copy.exists(newest), "\(newest)")
      try runTiny(yaml(world), in: copy.url, mode: .resuming)
      try expectSame(copy, straight, "killed at poll \(moments[index])")
    }
  }

  /// Answers that were kept are taken up, not drawn again; a restart draws them.
  @Test func keptAnswersAreTakenUp() throws {
    let world = try TinyWorld.shared()
    let folder = try TemporaryFolder()
    var polled = 0
    #expect(throws: RunInterruption(stage: "compare", step: 1, saved: true)) {
      try runTiny(yaml(world), in: folder.url) {
        polled += 1
        return polled > 2
      }
    }
    let kept = folder.url.appending(path: "stages/compare/checkpoints/step-000001/cells/answers-1")
    var buffer = try RolloutBuffer(directory: kept)
    buffer.groups[0].responses[0].text = "kept from before"
    try buffer.write(to: kept)
    func firstAnswer() throws -> String? {
      let lines = try jsonLines(folder.url.appending(path: "stages/compare/answers.jsonl.zst"))
      return (lines.first?["responses"] as? [String])?.first
    }
    let other = yaml(world).replacing("responses: 2", with: "responses: 1")
    #expect(throws: RunError.self) { try runTiny(other, in: folder.url, mode: .resuming) }
    try runTiny(yaml(world), in: folder.url, mode: .resuming)
    let resumed = try firstAnswer()
    #expect(resumed == "kept from before")
    try FileManager.default.removeItem(at: folder.url.appending(path: "stages/compare/stage.json"))
    try runTiny(yaml(world), in: folder.url, mode: .restarting)
    let restarted = try firstAnswer()
    #expect(restarted != nil && restarted != "kept from before")
  }
}
