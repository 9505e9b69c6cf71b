import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct RewardFeatureTests {
  /// The features times the weights of the last linear layer are the rewards, and carry no graph.
  @Test(arguments: RewardModel.Head.allCases)
  func featuresTimesWeightsAreRewards(head: RewardModel.Head) throws {
    let model = try Tiny.rewardModel(head: head)
    let batch = try model.batch(Tiny.pairs)
    let (rewards, features) = model.rewardsAndFeatures(batch)
    #expect(rewards.scalars == model.rewards(batch).scalars)
    #expect(rewards.requiresGradient && !features.requiresGradient)
    let width = model.decoder.configuration.hiddenSize
    #expect(features.shape == [6, width])
    let weights = model.parameters.values(of: model.outputWeight)
    let bias =
      model.parameters.layout.id(named: "score.2.bias")
      .map { model.parameters.values(of: $0)[0] } ?? 0
    let values = features.scalars
    for row in 0..<6 {
      let product = (0..<width).reduce(bias) { $0 + weights[$1] * values[row * width + $1] }
      expectClose(product, rewards.scalars[row], absolute: 1e-5, relative: 1e-5)
    }
    if head == .worldPM { #expect(values.allSatisfy { $0 >= 0 }) }
  }
}
