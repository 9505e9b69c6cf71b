import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// All kinds of stages in one recipe, from raw files to the report.
@Suite struct StageRunTests {
  @Test func everyKindOfStageRunsAndItsArtifactsLoad() throws {
    let world = try TinyWorld.shared()
    let kinds = Set(world.summary.stages.map(\.kind))
    #expect(kinds.count == 10)
    func folder(_ stage: String) -> URL { URL(filePath: world(stage)) }
    for stage in ["pretrain", "sft", "ppo", "dpo", "gpo"] {
      let model = try CausalLM(directory: folder(stage))
      let encoder = try ConversationEncoder.load(from: folder(stage))
      #expect(model.configuration.vocabularySize == encoder.tokenizer.vocabularySize)
      #expect(model.configuration.hiddenSize == 32)
      #expect(model.parameters.allFinite())
      #expect(encoder.template == .chatML)
    }
    for (stage, head) in [
      ("base", RewardModel.Head.worldPM), ("reward", .worldPM), ("reward-plain", .linear),
    ] {
      let model = try RewardModel(directory: folder(stage))
      #expect(model.head == head)
      #expect(model.parameters.allFinite())
    }
    let general = try GeneralPreferenceModel(directory: folder("preference"))
    #expect(general.options.dimension == 4)
    #expect(general.parameters.allFinite())
  }

  @Test func theSummaryAndTheReportSayWhatWasFound() throws {
    let world = try TinyWorld.shared()
    let url = world.directory.appending(path: "summary.json")
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: url))
    let json = try #require(object as? [String: Any])
    let figures = try #require(json["figures"] as? [String: [String: Any]])
    for name in [
      "reward/test_accuracy", "preference/test_nll", "compare/ppo/win_rate_vs_sft",
      "compare/sft/win_rate_vs_gpo",
    ] {
      let figure = try #require(figures[name], "\(name)")
      let value = try #require(figure["value"] as? Double)
      let interval = try #require(figure["interval"] as? [Double], "\(name)")
      #expect(interval.count == 2 && interval[0] <= value && value <= interval[1], "\(name)")
      #expect(figure["unit"] as? String != nil)
      #expect(try #require(figure["n"] as? Int) > 10, "\(name)")
    }
    #expect(figures["reward/test_nll"]?["unit"] as? String == "nats")
    #expect(figures["reward/test_accuracy/tiny-now"] != nil)
    let claims = try #require(json["claims"] as? [[String: Any]])
    let places = claims.map { "\($0["stage"] ?? "none"): \($0["name"] ?? "none")" }
    #expect(Set(places).count == claims.count, "\(places)")
    let stages = world.summary.stages.map(\.name)
    #expect(claims.allSatisfy { ($0["stage"] as? String).map(stages.contains) == true })
    let names = claims.compactMap { $0["name"] as? String }
    #expect(names.filter { $0.contains("beats sft under the held-out judge") }.count == 3)
    #expect(
      names.contains { $0.contains("held-out NLL of reward (nats gained over reward-plain)") })
    let report = try String(
      contentsOf: world.directory.appending(path: "report.html"), encoding: .utf8)
    for stage in world.summary.stages.map(\.name) where stage != "tokenizer" {
      #expect(report.contains(stage), "\(stage)")
    }
  }

  @Test("Complaints 10 and 27, trl#2596, trl PR #4887: one seed gives one run, to the byte")
  func theSameSeedGivesTheSameBytesAndAnotherDoesNot() throws {
    let data = try TinyWorld.shared().data
    let short = [
      "pretrain.steps=12", "base.epochs=0.3", "reward.epochs=0.5", "reward-plain.epochs=0.3",
      "preference.epochs=0.5", "judge.epochs=0.5", "sft.epochs=0.5", "ppo.updates=2",
      "dpo.epochs=0.3", "gpo.iterations=2",
    ]
    let folders = try (0..<3).map { _ in try TemporaryFolder() }
    for (folder, seed) in zip(folders, [7, 7, 8]) {
      try runTiny(TinyWorld.yaml(data), in: folder.url, overrides: short + ["seed=\(seed)"])
    }
    let models = [
      "pretrain", "base", "reward", "reward-plain", "preference", "judge", "sft", "ppo", "dpo",
      "gpo",
    ].map { "stages/\($0)/model.safetensors" }
    let files = ["metrics.jsonl", "summary.json", "stages/compare/answers.jsonl.zst"] + models
    for file in files {
      let (first, same, other) = (
        try folders[0].data(file), try folders[1].data(file), try folders[2].data(file)
      )
      #expect(first == same, "\(file)")
      #expect(first != other, "\(file)")
    }
  }
}
