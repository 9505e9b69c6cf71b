import Foundation
import PlumbData
import PlumbModels
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// What no training reaches, beside what training reaches.
@Suite struct ZeroShotStageTests {
  private func run(_ settings: String, in folder: TemporaryFolder) throws -> RunSummary {
    let world = try TinyWorld.shared()
    return try runTiny(
      """
      name: baseline
      threads: 2
      stages:
        baseline:
          {kind: zero-shot, language_model: '\(world("pretrain"))', model: '\(world("reward"))',
          test: ['\(world("data/preferences.test.jsonl.zst"))'], max_length: 64, \(settings)}
      """, in: folder.url.appending(path: "run"))
  }

  @Test func aTrainedModelBeatsTheLikelihoodsWithAnInterval() throws {
    let folder = try TemporaryFolder()
    let summary = try run("accuracy_bound: 0.9", in: folder)
    let figures = Dictionary(uniqueKeysWithValues: summary.figures.map { ($0.name, $0) })
    let own = try #require(figures["baseline/accuracy/model"])
    let zero = try #require(figures["baseline/accuracy/zero_shot_mean"])
    let gain = try #require(figures["baseline/gain_over_zero_shot"])
    #expect(own.value > 0.9 && zero.value < 0.9)
    expectClose(gain.value, own.value - zero.value, absolute: 1e-12, relative: 0)
    let interval = try #require(gain.interval)
    #expect(interval[0] <= gain.value && gain.value <= interval[1])
    #expect(summary.claims.map(\.held) == [true, interval[0] > 0])
    expectClose(summary.claims[1].measured, interval[0], absolute: 0, relative: 0)
    #expect(summary.claims.allSatisfy { $0.paper == nil })
  }

  @Test func bothClaimsCarryThePapersNumber() throws {
    let folder = try TemporaryFolder()
    let summary = try run("accuracy_bound: 0.9, paper: '67.8 % (Table 2)'", in: folder)
    #expect(summary.claims.map(\.paper) == ["67.8 % (Table 2)", "67.8 % (Table 2)"])
    let table = try #require(summary.claimsTable)
    #expect(table.columns.last == "the paper")
    #expect(table.rows.allSatisfy { $0.last == "67.8 % (Table 2)" })
  }

  /// Sums and means are those of one sequence at a time, prompt and end of turn included.
  @Test func likelihoodsAreThoseOfSingleSequences() throws {
    let world = try TinyWorld.shared()
    let folder = URL(filePath: world("pretrain"))
    let model = try CausalLM(directory: folder)
    let encoder = try ConversationEncoder.load(from: folder)
    let pairs = [
      TokenGroup(prompt: [5, 6, 7], responses: [[8, 9, 10], [11]], example: 0),
      TokenGroup(
        prompt: encoder.prompt([Message(role: "user", content: "how?")]).map(Int32.init),
        responses: ["so", "not at all"].map { encoder.response($0).map(Int32.init) }, example: 1),
    ]
    for budget in [1, 1000] {
      let found = try ResponseLikelihoods(pairs, under: model, tokenBudget: budget)
      for (index, pair) in pairs.enumerated() {
        let sums = [found.sums[index].chosen, found.sums[index].rejected]
        let means = [found.means[index].chosen, found.means[index].rejected]
        for (number, response) in pair.responses.enumerated() {
          let all = try model.logprobs(of: pair.prompt + response)
          let expected = all.suffix(response.count).reduce(0) { $0 + Double($1) }
          expectClose(sums[number], expected, absolute: 1e-4, relative: 1e-5)
          expectClose(
            means[number], expected / Double(response.count), absolute: 1e-4, relative: 1e-5)
        }
      }
    }
  }

  @Test func aSourceThatIsNotThereIsNamed() throws {
    let folder = try TemporaryFolder()
    var message = ""
    do { _ = try run("source: nowhere", in: folder) } catch { message = "\(error)" }
    #expect(message.contains("'nowhere'") && message.contains("preferences.test.jsonl.zst"))
  }
}
