import Foundation
import PlumbPreferences
import PlumbRollouts
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// `combine: minimum`, from the recipe to the numbers that a stage trains on.
@Suite struct WorstCaseJudgeTests {
  @Test(arguments: [OnlineOptimiser.rloo, .gpo])
  func aStageTrainsOnTheLowestScoreOfEachResponse(_ optimiser: OnlineOptimiser) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let judge = AnyJudgeTests.worstCase(world)
    try runTiny(
      optimiser.yaml(world, judge: judge, ", watch: {save_rollouts_every: 1}"), in: folder.url)
    let buffer = try RolloutBuffer(
      directory: folder.url.appending(path: "stages/\(optimiser.kind)/watch/rollouts"),
      name: "update-000001")
    try #require(buffer.responseCount == 16)

    let encoder = try ConversationEncoder.load(from: URL(filePath: world("sft")))
    let (model, _) = try modelJudge(
      URL(filePath: world("reward")), name: "reward", stage: "s", policy: encoder)
    let groups = buffer.judgeGroups(encoder: encoder)
    var gaps: [Double] = []
    for (index, judgement) in try model.judge(groups: groups).enumerated() {
      let rewards = try #require(judgement.scores)
      let rules = groups[index].responses.map { -0.01 * abs(Double($0.count) - 20) }
      let lowest = zip(rewards, rules).map { min($0, $1) }
      gaps += zip(rewards, rules).map { abs($0 - $1) }
      let scores = try buffer.groups[index].responses.map { Double(try #require($0.score)) }
      expectClose(scores, lowest, absolute: 1e-4)
      let table = try #require(buffer.groups[index].preferenceLogits)
      expectClose(table[0], lowest.map { lowest[0] - $0 }, absolute: 1e-4)
    }
    // The mean of the two is half a gap away from the lower one.
    let largest = try #require(gaps.max())
    #expect(largest > 0.05, "\(gaps)")
  }
}
