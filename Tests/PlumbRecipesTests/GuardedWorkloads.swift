import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbRollouts
import PlumbTensors

/// The model that the guard counts on.
enum GuardedModel {
  static let layers = 2

  static let configuration = DecoderConfiguration(
    family: .qwen2, vocabularySize: 64, hiddenSize: 32, intermediateSize: 48, layerCount: layers,
    headCount: 4, keyValueHeadCount: 2, maximumPositions: 64, eosTokenIDs: [0])

  /// Weights that every token passes: q, k, v; the output; gate, up; down.
  static let layerWeights = layers * (32 * (32 + 16 + 16) + 32 * 32 + 32 * 2 * 48 + 48 * 32)
  static let headWeights = 32 * 64

  static func tokens(_ count: Int, from first: Int) -> [Int32] {
    (0..<count).map { Int32(1 + (first + 7 * $0) % 63) }
  }
}

/// One step of DPO on three pairs, the reference included.
struct GuardedDPO {
  private var policy = CausalLM(GuardedModel.configuration, seed: 1)
  private let reference = CausalLM(GuardedModel.configuration, seed: 2)
  private var gradients: GradientBlock
  private var optimizer: AdamW
  private var buffer: RolloutBuffer

  init() throws {
    gradients = GradientBlock(for: policy.parameters)
    optimizer = AdamW(for: policy.parameters)
    buffer = RolloutBuffer(
      groups: (0..<3).map { index in
        RolloutGroup(
          id: "\(index)", prompt: [], promptTokens: GuardedModel.tokens(20, from: index),
          responses: [12, 10].map {
            Rollout(
              tokens: GuardedModel.tokens($0, from: index + $0), text: "", finishReason: .stop)
          })
      }, provenance: RolloutBuffer.Provenance(source: .preferencePairs, origin: "guard"))
  }

  mutating func run() throws {
    buffer.fillReferenceLogprobs(model: reference)
    gradients.reset()
    do {
      let batch = buffer.batch()
      let sums = batch.sequenceLogprobs(batch.logprobs(model: policy).logprobs)
      let reference = batch.places.map { buffer[$0].referenceLogprobs.reduce(0, +) }
      let objective = dpo(
        policyChosen: sums.elements(at: [0, 2, 4]), policyRejected: sums.elements(at: [1, 3, 5]),
        referenceChosen: [0, 2, 4].map { reference[$0] },
        referenceRejected: [1, 3, 5].map { reference[$0] }, beta: 0.1)
      gradients.accumulate(objective.loss)
    }
    optimizer.update(&policy.parameters, gradients: gradients, learningRate: 1e-4)
  }
}

/// Four responses of eight tokens to each of three prompts.
struct GuardedSampling {
  private let engine: SamplingEngine

  init() throws {
    engine = try SamplingEngine(
      model: CausalLM(GuardedModel.configuration, seed: 1), stopTokens: [],
      options: SamplingOptions(maximumNewTokens: 8))
  }

  func run() throws {
    _ = try engine.sample(
      prompts: (0..<3).map { GuardedModel.tokens(9, from: $0) }, count: 4)
  }
}
