import Foundation
import PlumbPreferences
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// The shift and scale of scores: what they are found on, what that costs, and when there are none.
@Suite struct ScoreNormalisationTests {
  /// 4 prompts with 3 responses in each of 2 rounds; 192 prompts in all.
  private func asked(_ judge: String, _ more: String = "") throws -> [Double] {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    try runTiny(
      OnlineOptimiser.ppo.yaml(
        world, judge: judge, rounds: 2, responses: 3, file: world.data("prompts.jsonl"), more),
      in: folder.url)
    return try folder.series("judge/responses", "ppo")
  }

  /// The samples are judged, so they are counted: one for each of 128 prompts, or whole groups of 3 for
  /// 42 of them.
  @Test func itsSamplesAreJudgedResponses() throws {
    let world = try TinyWorld.shared()
    let preference = "{model: '\(world("preference"))', preference_reward: opponents}"
    #expect(try asked("'\(world("reward"))'") == [12 + 128, 12])
    #expect(try asked(preference) == [12 + 126, 12])
    #expect(try asked(preference, ", normalize_rewards: false") == [12, 12])
  }

  /// Gain and bias belong to the checkpoint: a stage that is stopped again and again asks its judge no
  /// more often than one left alone.
  @Test func aResumedStageDoesNotAskAgain() throws {
    let world = try TinyWorld.shared()
    let (straight, stopped) = (try TemporaryFolder(), try TemporaryFolder())
    let server = try LoopbackServer { body, _ in EndpointStageTests.scores(body) }
    let yaml = OnlineOptimiser.grpo.yaml(
      world, judge: "{endpoint: '\(server.url())', retries: 0}", rounds: 4,
      ", normalize_rewards: true, checkpoint_every: 0")
    try runTiny(yaml, in: straight.url)
    let once = server.requests.count
    // Before the stage, before the judge, after the round: at least one round each time.
    try runTinyWithStops(yaml, in: stopped.url, polls: 3, fewerThan: 20)
    let again = server.requests.count - once
    #expect(again == once && once > 4, "\(again), \(once)")
    for file in ["metrics.jsonl", "summary.json", "stages/grpo/model.safetensors"] {
      #expect(try stopped.data(file) == straight.data(file), "\(file)")
    }
  }

  /// A rule that none of the samples meets: there is no scale to find, and the error names the setting.
  @Test func scoresThatAreAllEqualAreRefusedWithTheWayOut() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let judge = "{rule: regex, pattern: 'no such answer'}"
    let error = #expect(throws: PreferenceError.self) {
      try runTiny(
        OnlineOptimiser.ppo.yaml(world, judge: judge), in: folder.url.appending(path: "default"))
    }
    let text = "\(try #require(error))"
    #expect(text.contains("at least two samples that differ"), "\(text)")
    #expect(text.contains("'normalize_rewards: false'"), "\(text)")
    let run = try TemporaryFolder()
    try runTiny(
      OnlineOptimiser.ppo.yaml(world, judge: judge, ", normalize_rewards: false"), in: run.url)
    #expect(try run.series("objective/scores", "ppo") == [0])
  }
}
