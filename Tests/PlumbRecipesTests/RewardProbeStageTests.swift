import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// A head fitted to a frozen trunk.
@Suite struct RewardProbeStageTests {
  private func stage(_ world: TinyWorld, head: String = "linear, ending: turn") -> String {
    let file = { (part: String) in world("data/preferences.\(part).jsonl.zst") }
    return """
      probe: {kind: reward-probe, model: '\(world("pretrain"))', head: \(head), max_length: 64,
          train: ['\(file("train"))'], validation: ['\(file("validation"))'], test: ['\(file("test"))'],
          micro_batch_tokens: 256}
      """
  }

  private func run(_ stages: String, in folder: TemporaryFolder) throws -> RunSummary {
    try runTiny(
      "name: probe\nthreads: 2\nstages:\n  \(stages)\n", in: folder.url)
  }

  @Test(arguments: ["linear, ending: turn", "worldpm"])
  func onlyTheLastLayerMovesAndItLearns(head: String) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let summary = try run(stage(world, head: head), in: folder)
    let model = try RewardModel(directory: folder.url.appending(path: "stages/probe"))
    let start = try CausalLM(directory: URL(filePath: world("pretrain")))
    for name in ["model.layers.0.mlp.down_proj.weight", "model.embed_tokens.weight"] {
      let own = try #require(model.parameters.layout.id(named: name))
      let other = try #require(start.parameters.layout.id(named: name))
      #expect(model.parameters.values(of: own) == start.parameters.values(of: other), "\(name)")
    }
    let accuracy = try #require(summary.figures.first { $0.name == "probe/test_accuracy" })
    #expect(accuracy.value > 0.75)
    let losses = try folder.series("eval_loss", "probe")
    #expect(losses.count == 7)
    let kept = try #require(summary.figures.first { $0.name == "probe/validation_nll" })
    expectClose(kept.value, losses.min() ?? 0, absolute: 1e-12, relative: 1e-12)
  }

  /// The stage's validation loss is that of the model it writes, which training then goes on from.
  @Test func fineTuningStartsFromTheFittedHead() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let file = { (part: String) in world("data/preferences.\(part).jsonl.zst") }
    let summary = try run(
      stage(world) + """

          reward: {kind: reward-model, model: probe, max_length: 64, train: ['\(file("train"))'],
            validation: ['\(file("validation"))'], epochs: 0.05, validations: 1,
            optimizer: {learning_rate: 1.0e-9}}
        """, in: folder)
    let losses = ["probe", "reward"].compactMap { stage in
      summary.figures.first { $0.name == "\(stage)/validation_nll" }?.value
    }
    try #require(losses.count == 2)
    expectClose(losses[0], losses[1], absolute: 1e-4, relative: 1e-4)
  }

  /// By hand: one feature of 2 and one of 0, so only the first counts, and its minimum solves
  /// `σ(-z) = strength z` on the scaled feature, where it is 1.
  @Test func oneFeatureByHand() throws {
    let fit = try ProbeFit(
      train: [[2, 0], [2, 0]], validation: [[2, 0]], strengths: [0.1, 0.2])
    // 1 / (1 + e^z) = 0.1 z has the root 1.63351 (bisection).
    expectClose(Double(fit.weights[0]), 1.63351 / 2, absolute: 1e-4, relative: 0)
    #expect(fit.weights[1] == 0)
    #expect(fit.best.strength == 0.1 && fit.trials.map(\.strength) == [0.1, 0.2])
    expectClose(fit.best.validation, log1p(exp(-1.63351)), absolute: 1e-4, relative: 0)
  }

  @Test func settingsThatCannotBeMeantAreRefused() throws {
    let folder = try TemporaryFolder()
    for (settings, words) in [
      ("validation: []", "validation: expected at least one file"),
      ("validation: [x], strengths: []", "strengths: expected at least one number"),
      ("validation: [x], strengths: [0]", "strengths: expected numbers above 0, found 0"),
      ("validation: [x], head: worldpm, ending: turn", "which reads <|endoftext|>"),
    ] {
      let error = #expect(throws: (any Error).self) {
        try run("probe: {kind: reward-probe, model: m, train: [x], \(settings)}", in: folder)
      }
      #expect("\(try #require(error))".contains(words), "\(settings)")
    }
  }
}
