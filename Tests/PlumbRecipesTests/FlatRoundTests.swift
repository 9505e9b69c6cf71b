import Foundation
import PlumbRollouts
import Testing

@testable import PlumbRecipes

/// Rounds in which the judge tells no two responses apart: every on-line stage counts them and says so.
@Suite struct FlatRoundTests {
  private let nothing = "{rule: regex, pattern: 'no such answer'}"

  @Test func theShareIsThatOfPromptsWithoutAPreference() {
    let flat = [[0.0, 0], [0, 0]]
    let told = [[0.0, 1], [-1, 0]]
    func share(_ groups: [(texts: [String], table: [[Double]], scores: [Double]?)]) -> Double {
      handBuffer(groups).flatShare
    }
    let half = share([(["a", "b"], flat, nil), (["a", "b"], told, nil)])
    #expect(half == 0.5)
    let ties = share([(["a", "b"], flat, [2, 2]), (["a", "b"], flat, [3, 3])])
    #expect(ties == 1)
    let scores = share([(["a", "b"], flat, [2, 1])])
    #expect(scores == 0)
    // Stone, paper, scissors: each wins as much as it loses.
    let cycle = share([(["a", "b", "c"], [[0, 1, -1], [-1, 0, 1], [1, -1, 0]], nil)])
    #expect(cycle == 1)
    // One response to a prompt is compared with those of the other prompts.
    let alike = share([(["a"], [[0]], [2]), (["b"], [[0]], [2])])
    #expect(alike == 1)
    let apart = share([(["a"], [[0]], [2]), (["b"], [[0]], [3])])
    #expect(apart == 0)
    let alone = share([(["a"], [[0]], [2])])
    #expect(alone == 0)
    let unknown = share([(["a"], [[0]], nil), (["b"], [[0]], nil)])
    #expect(unknown == 0)
  }

  @Test func theWarningIsRepeatedAfterTenRounds() {
    var rounds = FlatRounds()
    let all = (1...25).filter { rounds.isDue(at: $0) }
    #expect(all == [1, 11, 21])
  }

  private func warnings(_ yaml: String, in folder: TemporaryFolder) throws -> [String] {
    let warnings = Warnings()
    try runTiny(yaml, in: folder.url, observers: [warnings])
    return warnings.texts.filter { $0.contains("nothing to learn") }
  }

  @Test(arguments: OnlineOptimiser.allCases)
  func everyStageCountsThemAndSaysSoOnce(_ optimiser: OnlineOptimiser) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    // Those that take one response to a prompt by default.
    let responses = optimiser == .ppo || optimiser == .reinforce ? 1 : 4
    let found = try warnings(
      optimiser.yaml(
        world, judge: nothing, rounds: 2, responses: responses,
        optimiser.needsScores ? ", normalize_rewards: false" : ""), in: folder)
    let expected = [
      "update 1: the judge tells no two responses to a prompt apart; nothing to learn"
    ]
    #expect(found == expected)
    #expect(try folder.series("judge/flat_groups", optimiser.kind) == [1, 1])
    let lines = try folder.text("stages/\(optimiser.kind)/metrics.jsonl")
    #expect(!lines.contains("null"), "\(lines)")
    if optimiser == .rejectionSampling || optimiser == .onlineDPO {
      let start = try Data(
        contentsOf: URL(filePath: world("sft")).appending(path: "model.safetensors"))
      #expect(try folder.data("stages/\(optimiser.kind)/model.safetensors") == start)
    }
  }

  /// Rejection sampling learns ties where it is told to, and says where nothing is good enough.
  @Test func rejectionSamplingWarnsOfWhatItDoesNotKeep() throws {
    let world = try TinyWorld.shared()
    let sampler = OnlineOptimiser.rejectionSampling
    let kept = try warnings(
      sampler.yaml(world, judge: nothing, ", skip_ties: false"), in: TemporaryFolder())
    #expect(kept.isEmpty, "\(kept)")
    // Lengths differ, and no score is above 0.
    let poor = try warnings(
      sampler.yaml(world, judge: "{rule: length-target, target: 20}", rounds: 2, ", min_score: 1"),
      in: TemporaryFolder())
    #expect(poor.count == 2, "\(poor)")
    let named = poor.count { $0.contains("min_score") }
    #expect(named == 2)
  }
}
