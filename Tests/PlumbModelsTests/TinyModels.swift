import Foundation
import PlumbModels
import PlumbTensors

/// Small random models of each family, with weights large enough that logits differ.
enum Tiny {
  static func configuration(_ family: ModelFamily, tied: Bool = true) -> DecoderConfiguration {
    DecoderConfiguration(
      family: family, vocabularySize: 41, hiddenSize: 24, intermediateSize: 40, layerCount: 2,
      headCount: 4, keyValueHeadCount: family == .gpt2 ? 4 : 2,
      headDimension: family == .qwen3 ? 10 : 6, maximumPositions: 32, tiesEmbeddings: tied,
      bosTokenID: 1, eosTokenIDs: [2, 5], padTokenID: 0)
  }

  /// All weights drawn with deviation 0.3, norms around 1, so that no term is negligible.
  static func model(_ family: ModelFamily, tied: Bool = true, seed: UInt64 = 7) -> CausalLM {
    var model = CausalLM(configuration(family, tied: tied), seed: seed)
    var stream = RandomStream(seed: seed, purpose: "tiny model")
    for entry in model.parameters.layout.entries {
      guard let id = model.parameters.layout.id(named: entry.name) else { continue }
      let isGain = entry.initialization == .ones
      model.parameters.assign(
        (0..<entry.shape.count).map { _ in (isGain ? 1 : 0) + 0.3 * stream.normal() }, to: id)
    }
    return model
  }

  static func tokens(_ count: Int, seed: UInt64 = 3) -> [Int32] {
    var stream = RandomStream(seed: seed, purpose: "tiny tokens", step: count)
    return (0..<count).map { _ in Int32(stream.uniform(below: 41)) }
  }
}
