import Foundation
import Testing

@testable import PlumbRecipes

/// The greatest settings that are allowed are planned, not trapped on.
@Suite struct PlanLimitTests {
  private func plan(_ yaml: String, _ overrides: [String]) throws -> StagePlan {
    let folder = try TemporaryFolder()
    let registry = StageRegistry.standard
    let runner = try Runner(
      try registry.loader.load(yaml: yaml, overrides: overrides), registry: registry,
      directory: folder.url)
    return try #require(try runner.plan().last?.plan)
  }

  @Test(arguments: OnlineOptimiser.allCases)
  func aMillionOfEverythingIsPlanned(_ optimiser: OnlineOptimiser) throws {
    let world = try TinyWorld.shared()
    let yaml = optimiser.yaml(
      world, judge: "'\(world("reward"))'", rounds: 1_000_000, prompts: 1_000_000, responses: 1000)
    let horizon = optimiser == .ppo ? ["ppo.kl_horizon=1000000000"] : []
    let found = try plan(
      yaml, ["\(optimiser.kind).sampling.max_new_tokens=1000000"] + horizon)
    // 10^15 responses of 10^6 tokens are more than an integer holds.
    #expect(found.sizes["responses"] == 1_000_000_000_000_000)
    #expect(found.sizes["tokens"] == Int.max)
    #expect((found.seconds ?? 0) > 0)
  }

  @Test func soIsACyclicStudy() throws {
    let world = try TinyWorld.shared()
    let found = try plan(
      "name: big\nthreads: 2\nstages:\n  cyclic: {model: '\(world("pretrain"))'}\n",
      ["cyclic.train_prompts=1000000", "cyclic.answer_sets=1000000", "cyclic.epochs=10000"])
    #expect((found.sizes["tokens"] ?? 0) >= 1_000_000_000_000_000_000)
  }

  @Test func aMixtureOfTwoActionsHasNoCycle() throws {
    let registry = StageRegistry.standard
    let error = #expect(throws: (any Error).self) {
      try registry.loader.load(
        yaml: """
          name: two
          stages:
            truth-games: {mixture_size: 2, mixture_shares: [0.5, 1.0]}
          """, overrides: [])
    }
    let text = "\(try #require(error))"
    #expect(text.contains("mixture_size") && text.contains("at least 3"), "\(text)")
  }
}
