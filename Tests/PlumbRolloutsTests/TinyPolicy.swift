import Foundation
import PlumbModels
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers

/// A policy small enough for tests, with weights large enough to have opinions.
enum Tiny {
  static func policy(
    vocabularySize: Int = 29, family: ModelFamily = .qwen2, maximumPositions: Int = 48,
    seed: UInt64 = 3
  ) -> CausalLM {
    var model = CausalLM(
      DecoderConfiguration(
        family: family, vocabularySize: vocabularySize, hiddenSize: 16, intermediateSize: 24,
        layerCount: 2, headCount: 4, keyValueHeadCount: family == .gpt2 ? 4 : 2,
        maximumPositions: maximumPositions, tiesEmbeddings: true, eosTokenIDs: [0]),
      seed: seed)
    for (row, entry) in model.parameters.layout.entries.enumerated() {
      guard let id = model.parameters.layout.id(named: entry.name) else { continue }
      var stream = RandomStream(seed: seed, purpose: "tiny policy", row: row)
      model.parameters.assign(
        model.parameters.values(of: id).map { $0 + 0.2 * stream.normal() }, to: id)
    }
    return model
  }

  static let prompts: [[Int32]] = [[3, 4, 5], [6], [7, 8, 9, 10, 11, 12, 13], [14, 15]]

  static func encoder() throws -> ConversationEncoder {
    try ConversationEncoder(
      tokenizer: Tokenizer(contentsOf: Fixtures.url("golden/tokenizers/qwen2_style.json")),
      template: .chatML)
  }

  static let conversations: [(id: String, messages: [Message])] = [
    ("sky", [Message(role: "user", content: "Why is the sky blue?")]),
    ("licence", [Message(role: "user", content: "Name a licence.")]),
    ("hi", [Message(role: "user", content: "Hi")]),
  ]

  /// A sampled buffer over a real tokenizer.
  static func buffer(
    count: Int = 3, options: SamplingOptions = SamplingOptions(maximumNewTokens: 6, seed: 5)
  ) throws -> (buffer: RolloutBuffer, policy: CausalLM, encoder: ConversationEncoder) {
    let encoder = try encoder()
    let policy = policy(
      vocabularySize: encoder.tokenizer.vocabularySize, maximumPositions: 96)
    let buffer = try RolloutBuffer.sample(
      policy: policy, prompts: conversations, encoder: encoder, count: count, options: options,
      step: 2, origin: "tiny")
    return (buffer, policy, encoder)
  }
}
