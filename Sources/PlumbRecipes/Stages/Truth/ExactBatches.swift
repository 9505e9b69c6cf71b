import Foundation
import PlumbObjectives
import PlumbRollouts
import PlumbTensors

/// Batches that hold every response of a world once, weighed with its probability.
struct ExactBatches {
  let world: EnumeratedWorld
  let method: TruthMethod
  let beta: Double
  let gaeLambda: Double
  /// Log-probabilities of the reference, [P][N].
  let reference: [[Double]]
  private let fixed: MethodBatch

  /// Prepares what stays the same while the policy moves.
  init(
    _ start: some WorldPolicy, method: TruthMethod, beta: Double, gaeLambda: Double
  ) {
    world = start.world
    self.method = method
    self.beta = beta
    self.gaeLambda = gaeLambda
    reference = start.logprobs()
    var buffer = world.everything
    let packed = buffer.batch()
    buffer.set(
      .referenceLogprobs, to: start.frozen.logprobs(packed, of: buffer).scalars, in: packed)
    var batch = MethodBatch(buffer: buffer, packed: packed)
    batch.fill(method, world: world, reference: reference, beta: beta)
    fixed = batch
  }

  /// The batch for a policy; a fresh one is needed after every update of an on-policy method.
  func batch(for policy: some WorldPolicy) throws -> MethodBatch {
    var batch = fixed
    guard method.isOnPolicy else {
      if !batch.labelled.isEmpty {
        let kl = meanDivergence(policy.logprobs(), reference)
        batch.baseline = ktoBaseline(logRatios: [Float(kl)])
      }
      return batch
    }
    let old = policy.frozen.logprobs(batch.packed, of: batch.buffer).scalars
    batch.buffer.set(.behaviourLogprobs, to: old, in: batch.packed)
    let probabilities = policy.logprobs().map { $0.map(exp) }
    batch.weights = probabilities.joined().map { Float($0 / Double(world.promptCount)) }
    let rewards = tokenRewards(
      logprobs: ragged(old, lengths: batch.packed.lengths),
      referenceLogprobs: ragged(
        try batch.buffer.values(of: .referenceLogprobs, in: batch.packed),
        lengths: batch.packed.lengths),
      scores: world.rewards.joined().map { Float($0) }, klCoefficient: Float(beta))
    batch.buffer.set(
      .advantages, to: advantages(rewards, old, probabilities, batch.packed.lengths),
      in: batch.packed)
    return batch
  }

  /// Advantages of all tokens.
  private func advantages(
    _ rewards: [[Float]], _ old: [Float], _ probabilities: [[Double]], _ lengths: [Int]
  ) -> [Float] {
    if method == .ppo {
      return generalizedAdvantages(
        rewards: rewards, values: values(rewards, ragged(old, lengths: lengths)), gamma: 1,
        lambda: Float(gaeLambda)
      ).advantages.flatMap { $0 }
    }
    let sums = rewards.map { $0.reduce(0, +) }
    let count = world.responses.count
    let perResponse = probabilities.enumerated().flatMap { prompt, row in
      pairedAdvantages(Array(sums[prompt * count..<(prompt + 1) * count]), row)
    }
    return zip(perResponse, lengths).flatMap { Array(repeating: $0, count: $1) }
  }

  /// The expected advantage of each response over all groups of two that it can be sampled in.
  private func pairedAdvantages(_ sums: [Float], _ probabilities: [Double]) -> [Float] {
    if method == .reinforce { return sums }
    return sums.map { own in
      let groups = sums.map { [own, $0] }
      let found =
        switch method {
        case .rloo: leaveOneOutAdvantages(groups)
        case .grpo: groupRelativeAdvantages(groups, scaling: false)
        default: groupRelativeAdvantages(groups)
        }
      return Float(zip(found, probabilities).reduce(0) { $0 + Double($1.0[0]) * $1.1 })
    }
  }

  /// The exact value of the state before every token: the mean of what follows it.
  private func values(_ rewards: [[Float]], _ old: [[Float]]) -> [[Float]] {
    let count = world.responses.count
    return (0..<world.promptCount).flatMap { prompt -> [[Float]] in
      var table = [Double](repeating: 0, count: world.stateCount)
      for (number, response) in world.responses.enumerated() {
        var (logprob, sum) = (0.0, 0.0)
        for token in response.states.indices.reversed() {
          logprob += Double(old[prompt * count + number][token])
          sum += Double(rewards[prompt * count + number][token])
          table[response.states[token]] += exp(logprob) * sum
        }
      }
      return world.responses.map { $0.states.map { Float(table[$0]) } }
    }
  }
}

extension MethodBatch {
  /// Fills in what off-policy methods read of the whole world: every pair or label with its chance.
  fileprivate mutating func fill(
    _ method: TruthMethod, world: EnumeratedWorld, reference: [[Double]], beta: Double
  ) {
    let prompts = Double(world.promptCount)
    let count = world.responses.count
    let chances = reference.map { $0.map(exp) }
    switch method {
    case .dpo, .ipo:
      var weights: [Float] = []
      for (prompt, row) in chances.enumerated() {
        for i in 0..<count {
          for j in 0..<count where j != i {
            let wins = 1 / (1 + exp(world.rewards[prompt][j] - world.rewards[prompt][i]))
            pairs.append((prompt * count + i, prompt * count + j))
            weights.append(Float(row[i] * row[j] * wins / prompts))
          }
        }
      }
      self.weights = weights
    case .kto, .ktoWins:
      let desirable = world.desirableChances(method, reference, beta: beta)
      var weights: [Float] = []
      for (prompt, row) in chances.enumerated() {
        for i in 0..<count {
          let q = desirable[prompt][i]
          labelled += [(prompt * count + i, true), (prompt * count + i, false)]
          weights += [Float(row[i] * q / prompts), Float(row[i] * (1 - q) / prompts)]
        }
      }
      self.weights = weights
    case .sppo:
      targets = world.winChances(reference).joined().map { Float($0) }
      weights = chances.joined().map { Float($0 / prompts) }
    case .gpo, .gpoZero:
      for (row, rewards) in zip(chances, world.rewards) {
        let mean = zip(row, rewards).reduce(0) { $0 + $1.0 * $1.1 }
        let z = zip(row, rewards).reduce(0) { $0 + $1.0 * exp(($1.1 - mean) / beta) }
        let shift = method == .gpo ? beta * log(z) : 0
        targets += rewards.map { Float($0 - mean - shift) }
      }
      weights = chances.joined().map { Float($0 / prompts) }
    default: break
    }
  }
}
