import Foundation
import PlumbPreferences
import PlumbRollouts
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// The watch over on-line stages: what rings, when, how often, and what a stopped run keeps.
@Suite struct WatchTests {
  /// What a story must ring, as `round: what`.
  static let stories: [(WatchedStory, [String])] = [
    (.calm, []),
    (.longer, ["7: the mean length against the start"]),
    (.cut, ["5: the share of responses cut by the limit"]),
    (.looping, ["5: the share of responses caught in a loop"]),
    (.alike, ["5: the share of distinct bigrams against the start"]),
    (.drifting, ["7: the KL from the reference"]),
    (.sure, ["5: the entropy against the start"]),
    (.negative, ["10: the mean KL of ten updates, in standard errors"]),
    (.chance, []),
  ]

  /// Users ask for a monitor of reward hacking: length growth (OpenRLHF#236, open-r1#373), a KL spike
  /// (trl#41), a KL below 0 that is no chance (trl#925, #1161, #1857; LLaMA-Factory#664).
  @Test("Complaints 7 and 22, trl#925, OpenRLHF#236: every hack rings, once", arguments: stories)
  func everyHackRingsOnceWithWhatToDo(story: WatchedStory, expected: [String]) throws {
    let folder = try TemporaryFolder()
    let run = WatchedRun()
    try run.run("story: \(story.rawValue)", in: folder.url)
    #expect(run.alarms == expected)
    for warning in run.warnings where !warning.contains("ten updates") {
      #expect(warning.contains("the limit of") && warning.contains("(watch."), "\(warning)")
    }
    let report = try folder.text("report.html")
    #expect(report.contains(expected.isEmpty ? "No alarm in 12 updates" : "Alarms"))
  }

  @Test func aCrossingRingsAgainOnlyAfterItWasWellInside() {
    let monitor = WatchMonitor(
      name: "kl", what: "KL", unit: "nats", side: .above, limit: 10, setting: "max_kl", advice: "")
    var state = WatchState()
    let values = [9.0, 11, 12, 9.5, 11, 8.9, 11, .nan, .infinity, 10]
    let rung = values.enumerated().filter {
      state.look(monitor, at: $0.element, update: $0.offset) != nil
    }.map(\.offset)
    #expect(rung == [1, 6])
    let floor = WatchMonitor(
      name: "agreement", what: "", unit: "", side: .below, limit: 0, setting: "", advice: "")
    let low = [0.5, -0.1, 0.005, -0.2, 0.02, -0.2].enumerated().filter {
      state.look(floor, at: $0.element, update: $0.offset) != nil
    }.map(\.offset)
    #expect(low == [1, 5])
    #expect(state.alarms.map(\.update) == [1, 6, 1, 5])
  }

  @Test func aLimitOfZeroSwitchesAMonitorOff() throws {
    let folder = try TemporaryFolder()
    let run = WatchedRun()
    try run.run("story: longer, watch: {max_length_growth: 0}", in: folder.url)
    #expect(run.warnings.isEmpty)
  }

  /// A correlation of 0 is a limit like any other; none is below -1.
  @Test func agreementIsSwitchedOffByMinusOne() {
    var watch = WatchConfiguration()
    #expect(watch.minAgreement == 0)
    #expect(watch.monitors.map(\.name).contains("agreement"))
    watch.minAgreement = -1
    #expect(!watch.monitors.map(\.name).contains("agreement"))
  }

  @Test func theMetricsAreWorkedByHand() throws {
    let folder = try TemporaryFolder()
    try WatchedRun().run("story: longer", in: folder.url)
    // Lengths are 10 in rounds 1 to 4, then 14, 18, …
    let growth = try folder.series("watch/length_growth", "story")
    #expect(growth == [1, 1, 1, 1, 1.4, 1.8, 2.2, 2.6, 3, 3.4, 3.8, 4.2])
    #expect(try folder.series("watch/entropy", "story").allSatisfy { $0 == 2 })
    #expect(try folder.series("watch/distinct_2", "story").allSatisfy { $0 == 1 })
    #expect(try folder.series("watch/repeated_run", "story").allSatisfy { $0 == 0 })
    try WatchedRun().run("story: looping, updates: 5", in: try folder.made("loop"))
    // Four of eight responses are ten times the same token: bigrams 36 of one kind and 36 distinct.
    let last = try folder.text("loop/metrics.jsonl").split(separator: "\n").last ?? ""
    #expect(last.contains("\"watch/looping\":0.5,\"watch/repeated_run\":5.0"))
    #expect(last.contains("\"watch/distinct_2\":\(37.0 / 72.0)"))
  }

  @Test func aStoppedRunKeepsCheckpointAndArtifactsAndGoesOn() throws {
    let (warned, stopped) = (try TemporaryFolder(), try TemporaryFolder())
    try WatchedRun().run("story: longer", in: warned.url)
    let settings = "story: longer, watch: {on_alarm: stop, save_rollouts_every: 7}"
    let alarm = #expect(throws: RolloutAlarm.self) {
      try WatchedRun().run(settings, in: stopped.url)
    }
    #expect(alarm?.stage == "story" && alarm?.update == 7 && alarm?.alarms.count == 1)
    let told = alarm?.description ?? ""
    #expect(told.contains("stopped by an alarm after update 7, which is saved"))
    #expect(told.contains("that were saved in") && told.hasSuffix("stages/story/watch"))
    #expect(try stopped.text("stages/story/policy") == "policy of update 7")
    #expect(stopped.exists("stages/story/checkpoints/step-000007/watch.json"))
    #expect(stopped.exists("stages/story/watch/samples.jsonl"))
    #expect(stopped.exists("stages/story/watch/rollouts/update-000007.jsonl.zst"))
    #expect(try stopped.text("stages/story/metrics.jsonl").split(separator: "\n").count == 7)
    // Whoever has looked and goes on is not stopped by the same crossing again.
    let second = WatchedRun()
    try second.run(settings, in: stopped.url, mode: .resuming)
    #expect(second.warnings.isEmpty)
    for file in ["metrics.jsonl", "stages/story/watch/samples.jsonl", "stages/story/policy"] {
      #expect(try stopped.data(file) == warned.data(file), "\(file)")
    }
  }

  @Test func anAlarmOfTheLastRoundStopsNothing() throws {
    let folder = try TemporaryFolder()
    let run = WatchedRun()
    try run.run("story: longer, updates: 7, watch: {on_alarm: stop}", in: folder.url)
    #expect(run.alarms.count == 1)
    #expect(try folder.text("stages/story/policy") == "done")
  }

  /// Metrics that differ after a resume: trl#1046, #1762; LLaMA-Factory#1026; open-r1#450.
  @Test(
    "Complaint 20, trl#1046: a resumed run rings and writes the same",
    arguments: WatchedStory.allCases)
  func aResumedRunRingsAndWritesTheSame(_ story: WatchedStory) throws {
    let (straight, resumed) = (try TemporaryFolder(), try TemporaryFolder())
    let settings = "story: \(story.rawValue), watch: {samples_every: 2, save_rollouts_every: 3}"
    let expected = WatchedRun()
    try expected.run(settings, in: straight.url)
    let found = WatchedRun()
    for polls in [3, 2, 5, 100] {
      var polled = 0
      do {
        try found.run(settings, in: resumed.url, mode: .resuming) {
          polled += 1
          return polled > polls
        }
      } catch is RunInterruption {}
    }
    #expect(found.warnings == expected.warnings)
    for file in [
      "metrics.jsonl", "stages/story/watch/samples.jsonl",
      "stages/story/watch/rollouts/update-000006.safetensors",
      "tensorboard/story/\(TensorBoardLog.fileName)",
    ] { #expect(try resumed.data(file) == straight.data(file), "\(file)") }
  }

  /// The report of a continued stage shows the samples of its first round, which an earlier process saw.
  @Test func aResumedRunReportsTheSamplesOfItsFirstRound() throws {
    let (straight, resumed) = (try TemporaryFolder(), try TemporaryFolder())
    let expected = try WatchedRun().run("", in: straight.url)
    var polled = 0
    #expect(throws: RunInterruption.self) {
      try WatchedRun().run("", in: resumed.url) {
        polled += 1
        return polled > 3
      }
    }
    let found = try WatchedRun().run("", in: resumed.url, mode: .resuming)
    #expect(found.stages.map(\.result) == expected.stages.map(\.result))
  }

  @Test func samplesAfterTheCheckpointAreTakenOffAgain() throws {
    let folder = try TemporaryFolder()
    let settings = "watch: {samples_every: 1}"
    var polled = 0
    let stop = #expect(throws: RunInterruption.self) {
      try WatchedRun().run(settings, in: folder.url) {
        polled += 1
        return polled > 3
      }
    }
    #expect(stop?.step == 3)
    let samples = folder.url.appending(path: "stages/story/watch/samples.jsonl")
    let saved = try Data(contentsOf: samples)
    // What a process that was killed half-way through the next round leaves behind.
    try (saved + Data("{\"update\":4,\"torn".utf8)).write(to: samples)
    try WatchedRun().run(settings, in: folder.url, mode: .resuming)
    let lines = try String(contentsOf: samples, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 12 * 8 && !lines.contains { $0.contains("torn") })
  }

  @Test func lostSamplesAreToldAndDoNotEndTheTraining() throws {
    let folder = try TemporaryFolder()
    var polled = 0
    _ = try? WatchedRun().run("", in: folder.url) {
      polled += 1
      return polled > 3
    }
    try FileManager.default.removeItem(at: folder.url.appending(path: "stages/story/watch"))
    let run = WatchedRun()
    try run.run("", in: folder.url, mode: .resuming)
    #expect(run.warnings.count == 1 && run.warnings[0].contains("earlier samples are lost"))
  }

  @Test func samplesHoldWhatAPersonReads() throws {
    let folder = try TemporaryFolder()
    try WatchedRun().run("story: cut, watch: {samples_every: 5, sample_prompts: 2}", in: folder.url)
    let lines = try folder.text("stages/story/watch/samples.jsonl").split(separator: "\n")
    // Rounds 1, 5, 10 and the last; two prompts of two responses.
    #expect(lines.count == 4 * 4)
    let row = try #require(
      try JSONSerialization.jsonObject(with: Data(lines[6].utf8)) as? [String: Any])
    #expect(row["update"] as? Int == 5 && row["id"] as? String == "prompt-1")
    #expect(row["prompt"] as? String == "user: question 1?")
    #expect(row["response"] as? String == "answer 2 of round 5")
    #expect(row["length"] as? Int == 10 && row["finish_reason"] as? String == "length")
    #expect(row["score"] as? Double == 0.5 + 5.0 / 16)
    #expect(row["mean_log_odds"] as? Double == -0.25)
    #expect(abs((row["kl"] as? Double ?? 0) - 0.3) < 1e-5)
    let report = try folder.text("report.html")
    #expect(report.contains("Samples of update 1") && report.contains("Samples of update 12"))
    #expect(report.contains("answer 3 of round 12"))
  }

  @Test func savedRolloutsReadBack() throws {
    let folder = try TemporaryFolder()
    try WatchedRun().run("watch: {save_rollouts_every: 5, samples_every: 0}", in: folder.url)
    let rollouts = folder.url.appending(path: "stages/story/watch/rollouts")
    #expect(
      RunFiles.names(in: rollouts) == [
        "update-000005.jsonl.zst", "update-000005.safetensors", "update-000010.jsonl.zst",
        "update-000010.safetensors",
      ])
    let buffer = try RolloutBuffer(directory: rollouts, name: "update-000010")
    #expect(buffer == WatchedStory.calm.rollouts(10))
    #expect(!folder.exists("stages/story/watch/samples.jsonl"))
  }

  @Test func deletedRolloutsDoNotMakeAFinishedStageRunAgain() throws {
    let folder = try TemporaryFolder()
    let settings = "watch: {save_rollouts_every: 5}"
    try WatchedRun().run(settings, in: folder.url)
    let before = try folder.data("stages/story/stage.json")
    try FileManager.default.removeItem(at: folder.url.appending(path: "stages/story/watch"))
    try WatchedRun().run(settings, in: folder.url)
    #expect(try folder.data("stages/story/stage.json") == before)
  }

  /// The same over real policies: both judges, samples and rollouts of PPO and GPO.
  @Test("Complaint 4, trl#2808: a held-out judge looks at the policy while it is trained")
  func realPoliciesAreWatched() throws {
    let world = try TinyWorld.shared()
    for stage in ["ppo", "gpo"] {
      let metrics = try MetricsLog.lines(
        of: URL(filePath: world(stage)).appending(path: "metrics.jsonl"))
      #expect(metrics.allSatisfy { $0.values["watch/length_growth"] != nil })
      #expect(metrics[0].values["watch/length_growth"] == 1)
      let judged = metrics.filter { $0.values["held_out/score"] != nil }.map(\.step)
      #expect(judged == [1, 2, 3, 5] + (stage == "ppo" ? [10] : [8]))
      // The preference model of GPO gives no scores that could rise.
      let gaps = metrics.filter { $0.values["held_out/divergence"] != nil }.map(\.step)
      #expect(gaps == (stage == "ppo" ? judged : []))
      #expect(metrics.contains { $0.values["held_out/agreement"] != nil })
    }
    let rollouts = URL(filePath: world("ppo")).appending(path: "watch/rollouts")
    let buffer = try RolloutBuffer(directory: rollouts, name: "update-000005")
    #expect(buffer.groups.count == 32 && buffer.groups[0].judge != nil)
    #expect(buffer.groups.allSatisfy { $0.responses.allSatisfy { !$0.advantages.isEmpty } })
    let report = try String(
      contentsOf: world.directory.appending(path: "report.html"), encoding: .utf8)
    #expect(report.contains("ppo: watch") && report.contains("Samples of update 10"))
  }

  @Test(arguments: [
    ("baseline_updates: 0", "baseline_updates"), ("max_clipped: 1.5", "max_clipped"),
    ("min_agreement: -2", "min_agreement"), ("max_kl: -1", "max_kl"),
    ("samples_every: -1", "samples_every"), ("on_alarm: explode", "on_alarm"),
    ("held_out_every: 0", "held_out_every"), ("max_length: 3", "max_length_growth"),
  ])
  func settingsThatCannotBeMeantAreRefused(setting: String, field: String) throws {
    let folder = try TemporaryFolder()
    #expect {
      try WatchedRun().run("watch: {\(setting)}", in: folder.url)
    } throws: { error in
      // A misspelt key names its neighbour, so that the name alone does not show that the value was read.
      let isUnknown = "\(error)".contains("unknown key")
      return "\(error)".contains(field) && isUnknown == (setting == "max_length: 3")
    }
  }
}

extension TemporaryFolder {
  /// A folder inside.
  func made(_ name: String) throws -> URL { url.appending(path: name) }
}
