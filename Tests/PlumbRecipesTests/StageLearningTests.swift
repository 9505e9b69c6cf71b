import Foundation
import Testing

@testable import PlumbRecipes

/// The optimisers move what they are meant to move, on a world where the better answer says "please".
@Suite struct StageLearningTests {
  static func series(_ name: String, _ stage: String) throws -> [Double] {
    let url = URL(filePath: try TinyWorld.shared()(stage)).appending(path: "metrics.jsonl")
    return try MetricsLog.series(name, in: url).map(\.value)
  }

  static func figure(_ name: String) throws -> Figure {
    let figures = try TinyWorld.shared().summary.figures
    return try #require(figures.first { $0.name == name }, "\(name)")
  }

  /// The mean over the first and the last third.
  static func ends(_ values: [Double]) throws -> (first: Double, last: Double) {
    let count = try #require(values.count >= 3 ? values.count / 3 : nil)
    let third = Double(count)
    return (values.prefix(count).reduce(0, +) / third, values.suffix(count).reduce(0, +) / third)
  }

  @Test func pretrainingAndFineTuningLowerTheLoss() throws {
    let pretraining = try Self.series("eval_loss", "pretrain")
    // Some 400 tokens without any knowledge are ln 400 = 6.0 nats.
    #expect(try #require(pretraining.last) < 2.5)
    let tuning = try Self.ends(Self.series("loss", "sft"))
    #expect(tuning.last < tuning.first)
  }

  @Test(
    "Complaint 29, trlx#338: preference models find the rule",
    arguments: ["reward", "reward-plain", "preference", "judge"])
  func preferenceModelsFindTheRule(_ stage: String) throws {
    let accuracy = try Self.figure("\(stage)/test_accuracy")
    #expect(accuracy.value > 0.9)
    #expect(accuracy.sampleSize >= 20)
    #expect(try Self.figure("\(stage)/test_nll").value < 0.3)
  }

  @Test func votesTeachTheRuleThatPairsThenNeedLessOf() throws {
    #expect(try Self.figure("base/test_accuracy").value > 0.9)
  }

  @Test("Complaints 1 and 31, trl#7020, OpenRLHF#882: PPO, in one process, raises the score")
  func ppoRaisesTheScore() throws {
    let scores = try Self.ends(Self.series("objective/scores", "ppo"))
    #expect(scores.last > scores.first + 0.3)
    #expect(try Self.figure("compare/ppo/win_rate_vs_sft").value > 0.55)
    #expect(try #require(Self.series("objective/kl", "ppo").last) > 0)
  }

  @Test("Complaint 2, trl#7255: GPO wins against its start")
  func gpoWinsUnderTheJudge() throws {
    let figure = try Self.figure("compare/gpo/win_rate_vs_sft")
    #expect(figure.value > 0.55)
    #expect(try #require(figure.interval)[0] > 0.5)
  }

  @Test func dpoTellsThePairsApart() throws {
    let accuracies = try Self.series("rewards/accuracies", "dpo")
    let margins = try Self.series("rewards/margins", "dpo")
    // Before the first step policy and reference are one, and no pair is told apart.
    #expect(try #require(margins.first).magnitude < 1e-4)
    #expect(try #require(margins.last) > 0.1)
    #expect(try #require(accuracies.last) > 0.9)
  }
}
