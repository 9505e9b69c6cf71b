import PlumbModels
import PlumbPreferences
import PlumbTensors

/// Models small enough for finite differences.
enum Tiny {
  static let endOfText = 0

  static func configuration(family: ModelFamily = .qwen2) -> DecoderConfiguration {
    DecoderConfiguration(
      family: family, vocabularySize: 23, hiddenSize: 8, intermediateSize: 12, layerCount: 2,
      headCount: 2, keyValueHeadCount: family == .gpt2 ? 2 : 1, maximumPositions: 24,
      tiesEmbeddings: true, eosTokenIDs: [endOfText])
  }

  /// A reward model whose weights are large enough for rewards to differ.
  static func rewardModel(
    head: RewardModel.Head = .worldPM, family: ModelFamily = .qwen2
  ) throws -> RewardModel {
    var model = try RewardModel(configuration: configuration(family: family), head: head, seed: 3)
    model.parameters = spread(model.parameters)
    return model
  }

  static func generalPreferenceModel(
    dimension: Int = 4, normalises: Bool = false, isGated: Bool = false
  ) throws -> GeneralPreferenceModel {
    var model = try GeneralPreferenceModel(
      configuration: configuration(),
      options: .init(dimension: dimension, normalises: normalises, isGated: isGated), seed: 5)
    model.parameters = spread(model.parameters)
    return model
  }

  /// A pair model with two ids between the responses.
  static func pairModel() throws -> PairPreferenceModel {
    var model = try PairPreferenceModel(configuration: configuration(), opening: [18, 9], seed: 7)
    model.parameters = spread(model.parameters)
    return model
  }

  /// Adds noise of deviation 0.3 to every weight.
  static func spread(_ parameters: ParameterBlock) -> ParameterBlock {
    var result = parameters
    for (row, entry) in parameters.layout.entries.enumerated() {
      guard let id = parameters.layout.id(named: entry.name) else { continue }
      var stream = RandomStream(seed: 17, purpose: "tiny model", row: row)
      result.assign(parameters.values(of: id).map { $0 + 0.3 * stream.normal() }, to: id)
    }
    return result
  }

  /// Groups of different lengths.
  static let pairs = [
    PreferenceGroup(prompt: [3, 4, 5], chosen: [6, 7, 0], rejected: [8, 0]),
    PreferenceGroup(prompt: [9], chosen: [10, 11, 12, 13, 0], rejected: [14, 15, 16, 0]),
    PreferenceGroup(prompt: [17, 18, 19, 20, 21], chosen: [22, 0], rejected: [1, 2, 3, 0]),
  ]
}
