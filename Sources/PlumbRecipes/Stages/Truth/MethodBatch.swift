import Foundation
import PlumbObjectives
import PlumbRollouts
import PlumbTensors

/// What one optimizer step of a method reads, sampled or enumerated.
struct MethodBatch {
  /// The responses, with what the method stores with them.
  var buffer: RolloutBuffer
  /// Which of them, in which order; `rows` of the fields below count its responses.
  var packed: RolloutBatch
  /// Rows of the better and the worse response of every pair (DPO, IPO).
  var pairs: [(chosen: Int, rejected: Int)] = []
  /// Rows with their labels (KTO).
  var labelled: [(row: Int, isDesirable: Bool)] = []
  /// KTO's baseline.
  var baseline: Float = 0
  /// Of every row: the preference score (GPO) or the win probability (SPPO).
  var targets: [Float] = []
  /// Probabilities of the rows, pairs or labelled rows; none for samples.
  var weights: [Float]?

  /// The scalar that a method runs backward from, for a policy.
  /// - Parameters:
  ///   - method: the method.
  ///   - policy: the policy as it is now.
  ///   - beta: strength of the tie to the reference.
  ///   - clip: PPO's clip range.
  /// - Throws: `RolloutError` where the buffer lacks what the method reads.
  func loss(
    _ method: TruthMethod, _ policy: some WorldPolicy, beta: Float, clip: Float
  ) throws -> Tensor {
    let logprobs = policy.logprobs(packed, of: buffer)
    if method.isOnPolicy { return try policyLoss(method, policy, logprobs, clip: clip) }
    let sums = packed.sequenceLogprobs(logprobs)
    let reference = try buffer.values(of: .referenceLogprobs, in: packed)
    let references = sequenceSums(reference, lengths: packed.lengths).map { Float($0) }
    switch method {
    case .dpo, .ipo:
      let (chosen, rejected) = (pairs.map(\.chosen), pairs.map(\.rejected))
      return expectation(
        [sums.elements(at: chosen), sums.elements(at: rejected)], weights: weights
      ) { inputs in
        let pairs = PairLogprobs(
          policyChosen: inputs[0], policyRejected: inputs[1],
          referenceChosen: chosen.map { references[$0] },
          referenceRejected: rejected.map { references[$0] })
        return method == .dpo ? dpo(pairs, beta: beta) : ipo(pairs, beta: beta)
      }.scalar
    case .kto, .ktoWins:
      let rows = labelled.map(\.row)
      return expectation([sums.elements(at: rows)], weights: weights) { inputs in
        kto(
          policy: inputs[0], reference: rows.map { references[$0] },
          desirable: labelled.map(\.isDesirable), baseline: baseline, beta: beta)
      }.scalar
    case .sppo:
      return expectation([sums - Tensor(references)], weights: weights) {
        sppo(logRatio: $0[0], winProbabilities: targets, beta: beta)
      }.scalar
    default:
      return expectation([sums - Tensor(references)], weights: weights) {
        gpo(logRatio: $0[0], preferenceScores: targets, beta: beta)
      }.scalar
    }
  }

  /// PPO's clipped loss, which at a ratio of 1 is that of REINFORCE, RLOO and GRPO.
  private func policyLoss(
    _ method: TruthMethod, _ policy: some WorldPolicy, _ logprobs: Tensor, clip: Float
  ) throws -> Tensor {
    let old = try buffer.values(of: .behaviourLogprobs, in: packed)
    let advantages = try buffer.values(of: .advantages, in: packed)
    let tokenWeights = weights.map { weights in
      zip(weights, packed.lengths).flatMap { Array(repeating: $0, count: $1) }
    }
    let loss = expectation([logprobs], weights: tokenWeights) {
      ppoPolicy(logprobs: $0[0], oldLogprobs: old, advantages: advantages, clip: clip)
    }.scalar
    guard method == .ppo, weights == nil, let values = policy.values(packed, of: buffer) else {
      return loss
    }
    let critic = ppoValue(
      values: values, oldValues: try buffer.values(of: .values, in: packed),
      returns: try buffer.values(of: .returns, in: packed), clip: nil)
    return loss + critic.loss
  }
}

/// Flat token values as one row per response.
func ragged(_ values: [Float], lengths: [Int]) -> [[Float]] {
  var next = 0
  return lengths.map { length in
    defer { next += length }
    return Array(values[next..<next + length])
  }
}
