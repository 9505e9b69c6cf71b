import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbTensors

/// Whole sequences of random tokens, of which every token but the first is a target.
private func sequences(_ model: CausalLM, _ sizes: Specification.Workload) throws -> PackedBatch {
  let (count, length) = (
    try sizes.require(\.sequences, "sequences"), try sizes.require(\.length, "length")
  )
  var tokens = RandomTokens(model, purpose: "sequences")
  return PackedBatch(
    (0..<count).map { index in
      TokenGroup(
        prompt: [], responses: [tokens.sequence(length)], example: index)
    })
}

/// Log-probabilities of every token of whole sequences, without a gradient.
struct LogprobsWorkload: Workload {
  private var model: CausalLM
  private let batch: PackedBatch

  init(_ model: CausalLM, _ sizes: Specification.Workload) throws {
    self.model = model
    self.model.parameters.isFrozen = true
    batch = try sequences(model, sizes)
  }

  var units: Double { Double(batch.tokens.count) }

  func run() throws {
    let found = model.logprobs(
      tokens: batch.tokens, layout: batch.layout, rows: batch.rows, targets: batch.targets)
    try requireFinite(found.logprobs.sum().item)
  }
}

/// One step of supervised fine-tuning: cross-entropy on every token, clipping, AdamW.
struct SFTWorkload: Workload {
  private var training: TrainedModel<CausalLM>
  private let batch: PackedBatch

  init(_ model: CausalLM, _ sizes: Specification.Workload) throws {
    training = TrainedModel(model, parameters: \.parameters)
    batch = try sequences(model, sizes)
  }

  var units: Double { Double(batch.tokens.count) }

  mutating func run() throws {
    try training.step { model, gradients in
      let logprobs = model.logprobs(
        tokens: batch.tokens, layout: batch.layout, rows: batch.rows, targets: batch.targets
      ).logprobs
      gradients.accumulate(sft(logprobs: logprobs).loss)
    }
  }
}
