import Foundation
import PlumbObjectives
import PlumbPreferences
import PlumbRollouts
import PlumbTensors

/// Batches drawn from the policy or, for methods that read data, from the reference.
struct SampledBatches<Policy: WorldPolicy> {
  let start: Policy
  let method: TruthMethod
  let beta: Double
  let settings: TruthSampledConfiguration
  let seed: UInt64
  /// Log-probabilities of the reference, [P][N].
  let reference: [[Double]]
  private let desirable: [[Double]]

  init(
    _ start: Policy, method: TruthMethod, beta: Double, settings: TruthSampledConfiguration,
    seed: UInt64
  ) {
    self.start = start.frozen
    self.method = method
    self.beta = beta
    self.settings = settings
    self.seed = seed
    reference = start.logprobs()
    desirable =
      [.kto, .ktoWins].contains(method)
      ? start.world.desirableChances(method, reference, beta: beta) : []
  }

  private var world: EnumeratedWorld { start.world }

  /// The optimizer steps of one round: several only for PPO, which passes over its responses in parts.
  func batches(for policy: Policy, step: Int) throws -> [MethodBatch] {
    if method.isOnPolicy { return try onPolicy(policy, step: step) }
    switch method {
    case .dpo, .ipo: return [try pairs(step: step)]
    case .kto, .ktoWins: return [try labels(policy, step: step)]
    default: return [try games(step: step)]
    }
  }

  /// A buffer and its packing, with the reference's log-probabilities.
  private func filled(_ buffer: RolloutBuffer) -> MethodBatch {
    var buffer = buffer
    let packed = buffer.batch()
    buffer.set(.referenceLogprobs, to: start.logprobs(packed, of: buffer).scalars, in: packed)
    return MethodBatch(buffer: buffer, packed: packed)
  }

  private func onPolicy(_ policy: Policy, step: Int) throws -> [MethodBatch] {
    let numbers = try policy.sample(count: settings.responses, step: step, seed: seed)
    var batch = filled(world.buffer(numbers))
    let frozen = policy.frozen
    let old = frozen.logprobs(batch.packed, of: batch.buffer).scalars
    batch.buffer.set(.behaviourLogprobs, to: old, in: batch.packed)
    let lengths = batch.packed.lengths
    let rewards = tokenRewards(
      logprobs: ragged(old, lengths: lengths),
      referenceLogprobs: ragged(
        try batch.buffer.values(of: .referenceLogprobs, in: batch.packed), lengths: lengths),
      scores: batch.packed.places.map { batch.buffer[$0].score ?? 0 },
      klCoefficient: Float(beta))
    guard method == .ppo else {
      let advantages = responseAdvantages(rewards.map { $0.reduce(0, +) })
      batch.buffer.set(
        .advantages,
        to: zip(advantages, lengths).flatMap { Array(repeating: $0, count: $1) }, in: batch.packed)
      return [batch]
    }
    guard let values = frozen.values(batch.packed, of: batch.buffer)?.scalars else {
      preconditionFailure("SampledBatches: PPO needs a policy with a critic")
    }
    let estimate = generalizedAdvantages(
      rewards: rewards, values: ragged(values, lengths: lengths), gamma: 1,
      lambda: Float(settings.gaeLambda))
    let advantages =
      settings.whitenAdvantages
      ? whitened(estimate.advantages, keepingMean: false) : estimate.advantages
    batch.buffer.set(.values, to: values, in: batch.packed)
    batch.buffer.set(.advantages, to: advantages.flatMap { $0 }, in: batch.packed)
    batch.buffer.set(.returns, to: estimate.returns.flatMap { $0 }, in: batch.packed)
    return parts(batch.buffer, step: step)
  }

  /// The passes of PPO, each in a fresh order and cut into minibatches.
  private func parts(_ buffer: RolloutBuffer, step: Int) -> [MethodBatch] {
    (0..<settings.passes).flatMap { pass -> [MethodBatch] in
      var stream = RandomStream(seed: seed, purpose: "truth/minibatches", step: step, row: pass)
      let places = buffer.places
      let order = stream.permutation(places.count).map { places[$0] }
      return (0..<settings.minibatches).compactMap { part in
        let range =
          part * order.count / settings.minibatches..<(part + 1) * order.count
          / settings.minibatches
        return range.isEmpty
          ? nil : MethodBatch(buffer: buffer, packed: buffer.batch(Array(order[range])))
      }
    }
  }

  /// Advantages of responses, K of each prompt in order, from their summed rewards.
  private func responseAdvantages(_ sums: [Float]) -> [Float] {
    let groups = stride(from: 0, to: sums.count, by: settings.responses).map {
      Array(sums[$0..<$0 + settings.responses])
    }
    switch method {
    case .rloo: return leaveOneOutAdvantages(groups).flatMap { $0 }
    case .grpo: return groupRelativeAdvantages(groups, scaling: false).flatMap { $0 }
    case .grpoScaled: return groupRelativeAdvantages(groups).flatMap { $0 }
    default:
      // REINFORCE: the mean of the batch as its baseline.
      let mean = Float(sums.reduce(0.0) { $0 + Double($1) } / Double(sums.count))
      return sums.map { $0 - mean }
    }
  }

  /// Pairs of responses of the reference, labelled by Bradley-Terry.
  private func pairs(step: Int) throws -> MethodBatch {
    let drawn = sampled(
      reference, count: 2 * settings.pairs, purpose: "truth/pairs", step: step, seed: seed)
    var groups: [RolloutGroup] = []
    for (prompt, row) in drawn.enumerated() {
      var stream = RandomStream(seed: seed, purpose: "truth/labels", step: step, row: prompt)
      for pair in 0..<settings.pairs {
        let (a, b) = (row[2 * pair], row[2 * pair + 1])
        let isWin =
          Double(stream.uniform())
          < 1 / (1 + exp(world.rewards[prompt][b] - world.rewards[prompt][a]))
        // A response beside itself says nothing; `bestAndWorst` leaves such pairs out.
        groups.append(
          world.group(prompt: prompt, isWin ? [a, b] : [b, a], id: "\(prompt)/\(pair)"))
      }
    }
    var batch = filled(
      RolloutBuffer(
        groups: groups, provenance: .init(source: .preferencePairs, origin: "Bradley-Terry")))
    let rows = Dictionary(
      uniqueKeysWithValues: batch.packed.places.enumerated().map { ($1, $0) })
    batch.pairs = try batch.buffer.bestAndWorst().map { (rows[$0.best] ?? 0, rows[$0.worst] ?? 0) }
    return batch
  }

  /// Single responses of the reference with a label each, and the baseline from samples of the policy.
  private func labels(_ policy: Policy, step: Int) throws -> MethodBatch {
    let drawn = sampled(
      reference, count: settings.pairs, purpose: "truth/unpaired", step: step, seed: seed)
    var batch = filled(world.buffer(drawn))
    var streams = (0..<world.promptCount).map {
      RandomStream(seed: seed, purpose: "truth/labels", step: step, row: $0)
    }
    batch.labelled = batch.packed.places.enumerated().map { row, place in
      let chance = desirable[place.group][drawn[place.group][place.response]]
      return (row, Double(streams[place.group].uniform()) < chance)
    }
    let own = try policy.sample(count: settings.responses, step: step, seed: seed)
    let samples = filled(world.buffer(own))
    let now = policy.frozen.logprobs(samples.packed, of: samples.buffer).scalars
    let before = try samples.buffer.values(of: .referenceLogprobs, in: samples.packed)
    let ratios = zip(
      sequenceSums(now, lengths: samples.packed.lengths),
      sequenceSums(before, lengths: samples.packed.lengths)
    ).map { Float($0 - $1) }
    batch.baseline = ktoBaseline(logRatios: ratios)
    return batch
  }

  /// K responses of the reference to every prompt and their preference table.
  private func games(step: Int) throws -> MethodBatch {
    let drawn = sampled(
      reference, count: settings.responses, purpose: "truth/opponents", step: step, seed: seed)
    var batch = filled(world.buffer(drawn))
    for group in batch.buffer.groups.indices {
      let scores = batch.buffer.groups[group].responses.map { Double($0.score ?? 0) }
      batch.buffer.groups[group].preferenceLogits =
        Judgement(scores: scores, source: "rewards").preferenceLogits
    }
    if method == .sppo {
      batch.targets = batch.buffer.groups.flatMap { group in
        meanWinProbabilities(group.preferenceLogits ?? []).map { Float($0) }
      }
      return batch
    }
    let means = try batch.buffer.opponentMeans(includingSelf: false)
    guard method == .gpo else {
      batch.targets = means
      return batch
    }
    batch.targets = stride(from: 0, to: means.count, by: settings.responses).flatMap { start in
      let group = means[start..<start + settings.responses].map { Double($0) / beta }
      let greatest = group.max() ?? 0
      let sum = group.reduce(0) { $0 + exp($1 - greatest) }
      let logZ = greatest + log(sum / Double(group.count))
      return group.map { Float(beta * ($0 - logZ)) }
    }
    return batch
  }
}
