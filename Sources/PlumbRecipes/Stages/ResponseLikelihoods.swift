import PlumbData
import PlumbModels
import PlumbTensors

/// What a language model finds likely of the two responses of each pair, chosen first.
struct ResponseLikelihoods {
  /// Log-probabilities in nats, summed over the response's tokens with the end of its turn.
  let sums: [(chosen: Double, rejected: Double)]
  /// The same divided by the number of those tokens.
  let means: [(chosen: Double, rejected: Double)]

  /// Reads every pair once, without a graph.
  ///
  /// - Parameters:
  ///   - pairs: groups of two responses, encoded as the model generates them.
  ///   - tokenBudget: tokens computed at once.
  ///   - progress: told how many pairs are done.
  init(
    _ pairs: [TokenGroup], under model: CausalLM, tokenBudget: Int,
    progress: (Int) throws -> Void = { _ in }
  ) rethrows {
    var frozen = model
    frozen.parameters.isFrozen = true
    var sums: [Double] = []
    var counts: [Int] = []
    var done = 0
    for run in BatchPlan.filled(
      Array(pairs.indices), costs: pairs.map(\.tokenCount), budget: tokenBudget)
    {
      let batch = PackedBatch(run.map { pairs[$0] })
      var rest = batch.logprobs(frozen).scalars[...]
      for count in batch.targetCounts {
        sums.append(rest.prefix(count).reduce(0) { $0 + Double($1) })
        counts.append(count)
        rest = rest.dropFirst(count)
      }
      done += run.count
      try progress(done)
    }
    let summed = sums
    let tokens = counts
    func paired(_ value: (Int) -> Double) -> [(chosen: Double, rejected: Double)] {
      pairs.indices.map { (value(2 * $0), value(2 * $0 + 1)) }
    }
    self.sums = paired { summed[$0] }
    means = paired { summed[$0] / Double(max(1, tokens[$0])) }
  }
}
