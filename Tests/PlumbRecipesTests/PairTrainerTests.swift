import Foundation
import PlumbData
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// Training in memory is the same training as that of the stages.
@Suite struct PairTrainerTests {
  let world: TinyWorld
  let encoder: ConversationEncoder
  let trunk: CausalLM

  init() throws {
    world = try TinyWorld.shared()
    let folder = URL(filePath: world("pretrain"))
    encoder = try ConversationEncoder.load(from: folder)
    trunk = try CausalLM(directory: folder)
  }

  func pairs(_ part: String) throws -> [EncodedPair] {
    let rows = try DataFile.preferencePairs(
      URL(filePath: world("data/preferences.\(part).jsonl.zst"))
    ).rows
    return ExampleEncoder(encoder, limits: try TokenLimits(context: 64))
      .groups(of: rows, form: .scored).groups.map {
        EncodedPair(group: PreferenceGroup($0), source: rows[$0.example].source)
      }
  }

  var settings: PairTrainingSettings {
    var settings = PairTrainingSettings(epochs: 1, batchPairs: 16)
    settings.optimizer.learningRate = 0.003
    return settings
  }

  @Test("Complaint 27, trl PR #4887: a program and a stage end in the same weights")
  func itEndsInTheWeightsOfTheRewardModelStage() throws {
    let folder = try TemporaryFolder()
    try runTiny(
      """
      name: same
      seed: 7
      threads: 2
      stages:
        reward-model: {model: '\(world("pretrain"))', batch_pairs: 16, max_length: 64,
          train: ['\(world("data/preferences.train.jsonl.zst"))'],
          validation: ['\(world("data/preferences.validation.jsonl.zst"))'],
          optimizer: {learning_rate: 0.003}}
      """, in: folder.url)
    let fresh = try RewardModel(from: trunk, head: .worldPM, endOfText: encoder.endOfText, seed: 7)
    let trained = try PairTrainer.bradleyTerry(settings, seed: 7).train(
      fresh, on: pairs("train"), validation: pairs("validation"))
    let written = folder.url.appending(path: "again")
    try trained.model.write(to: written, encoder: encoder)
    let (weights, expected) = try (
      Data(contentsOf: written.appending(path: "model.safetensors")),
      folder.data("stages/reward-model/model.safetensors")
    )
    #expect(weights == expected)
    // Read back from decimal text, so equal to all but the last digit.
    let found = trained.journal.series("loss").map(\.value)
    expectClose(found, try folder.series("loss", "reward-model"), absolute: 1e-12, relative: 0)
    let lowest = try #require(try folder.series("eval_loss", "reward-model").min())
    #expect(abs(try #require(trained.best).loss - lowest) < 1e-12)
  }

  @Test func aGeneralPreferenceModelLearnsInMemory() throws {
    let model = try GeneralPreferenceModel(
      configuration: trunk.configuration, trunk: trunk.parameters, options: .init(dimension: 4),
      endOfText: encoder.endOfText, seed: 1)
    var seen: [Int] = []
    let trained = try PairTrainer.generalPreference(settings, seed: 1, tau: 0.1).train(
      model, on: pairs("train"), validation: pairs("validation")
    ) { step, _, _ in seen.append(step) }
    #expect(seen == Array(1...trained.steps))
    let validations = trained.journal.series("eval_loss").map(\.value)
    #expect(validations.count == 4)
    #expect(trained.best?.loss == validations.min())
    #expect(try #require(validations.last) < 0.3)
  }

  @Test func aReportThatThrowsStopsTheTraining() throws {
    struct Stop: Error {}
    let model = try RewardModel(from: trunk, head: .linear, endOfText: encoder.endOfText, seed: 1)
    let trainer = PairTrainer.bradleyTerry(settings, seed: 1)
    let pairs = try pairs("train")
    #expect(throws: Stop.self) {
      try trainer.train(model, on: pairs) { step, _, _ in if step == 2 { throw Stop() } }
    }
  }
}
