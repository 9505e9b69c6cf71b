import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbRollouts
import PlumbTensors

/// Pairs of random tokens that share a prompt.
private func pairs(_ model: CausalLM, _ sizes: Specification.Workload) throws -> [PreferenceGroup] {
  let (count, prompt, length) = (
    try sizes.require(\.pairs, "pairs"), try sizes.require(\.prompt, "prompt"),
    try sizes.require(\.length, "length")
  )
  guard prompt < length else { throw BenchError("workloads.json: expected prompt < length") }
  var tokens = RandomTokens(model, purpose: "pairs")
  return (0..<count).map { _ in
    PreferenceGroup(
      prompt: tokens.sequence(prompt), chosen: tokens.sequence(length - prompt),
      rejected: tokens.sequence(length - prompt))
  }
}

/// Tokens as the peers count them: the prompt of a pair twice.
private func tokenCount(_ groups: [PreferenceGroup]) -> Double {
  Double(
    groups.reduce(0) { sum, group in
      group.responses.reduce(sum) { $0 + group.prompt.count + $1.count }
    })
}

/// One step of Bradley-Terry on the last token, clipping, AdamW.
struct RewardWorkload: Workload {
  private var training: TrainedModel<RewardModel>
  private let groups: [PreferenceGroup]

  init(_ model: CausalLM, _ sizes: Specification.Workload) throws {
    training = TrainedModel(
      try RewardModel(from: model, head: .linear, seed: 0), parameters: \.parameters)
    groups = try pairs(model, sizes)
  }

  var units: Double { tokenCount(groups) }

  mutating func run() throws {
    try training.step { model, gradients in
      let rewards = try model.pairRewards(model.batch(groups))
      gradients.accumulate(
        bradleyTerry(chosen: rewards.chosen, rejected: rewards.rejected).loss)
    }
  }
}

/// One step of DPO, the forward pass of the reference included, clipping, AdamW.
struct DPOWorkload: Workload {
  private var training: TrainedModel<CausalLM>
  private let reference: CausalLM
  private var buffer: RolloutBuffer
  private let tokens: Double

  init(_ model: CausalLM, _ sizes: Specification.Workload) throws {
    training = TrainedModel(model, parameters: \.parameters)
    reference = model
    let groups = try pairs(model, sizes)
    tokens = tokenCount(groups)
    buffer = RolloutBuffer(
      groups: groups.enumerated().map { index, group in
        RolloutGroup(
          id: "\(index)", prompt: [], promptTokens: group.prompt,
          responses: group.responses.map {
            Rollout(tokens: $0, text: "", finishReason: .length)
          })
      },
      provenance: RolloutBuffer.Provenance(source: .preferencePairs, origin: "benchmark"))
  }

  var units: Double { tokens }

  mutating func run() throws {
    buffer.fillReferenceLogprobs(model: reference, batches: [buffer.places])
    let pairs = try buffer.bestAndWorst()
    try training.step { model, gradients in
      let batch = buffer.batch(pairs.flatMap { [$0.best, $0.worst] })
      let sums = batch.sequenceLogprobs(batch.logprobs(model: model).logprobs)
      func reference(_ place: ResponsePlace) -> Float {
        buffer[place].referenceLogprobs.reduce(0, +)
      }
      let objective = dpo(
        policyChosen: sums.elements(at: pairs.indices.map { 2 * $0 }),
        policyRejected: sums.elements(at: pairs.indices.map { 2 * $0 + 1 }),
        referenceChosen: pairs.map { reference($0.best) },
        referenceRejected: pairs.map { reference($0.worst) }, beta: 0.1)
      gradients.accumulate(objective.loss)
    }
  }
}
