import Foundation
public import PlumbModels
public import PlumbPreferences
public import PlumbTensors

extension RolloutBuffer {
  /// Replaces the behaviour log-probs by those of the training forward pass.
  ///
  /// The ratio that PPO clips is then exactly 1 at the first update: the decode path with its cache
  /// rounds differently from the packed forward pass (by less than 1e-4). The weights must still be
  /// those that sampled.
  /// - Parameters:
  ///   - policy: the policy that is about to be trained.
  ///   - batches: the packing to compute in; use the one that training uses, since the rounding of matrix products may
  ///     depend on the number of rows. Whole groups within 4096 tokens if nil.
  public mutating func recomputeLogprobs(
    policy: CausalLM, batches: [[ResponsePlace]]? = nil
  ) {
    fill(.behaviourLogprobs, model: policy, batches: batches)
  }

  /// Fills the log-probs of the frozen reference policy.
  public mutating func fillReferenceLogprobs(
    model: CausalLM, batches: [[ResponsePlace]]? = nil
  ) {
    fill(.referenceLogprobs, model: model, batches: batches)
  }

  /// Fills the values of the states before each token, from a critic's head.
  public mutating func fillValues(
    critic: RewardModel, batches: [[ResponsePlace]]? = nil
  ) {
    var critic = critic
    critic.parameters = critic.parameters.frozen
    for places in batches ?? self.batches(tokenBudget: 4096) {
      let batch = batch(places)
      let values = critic.outputs(tokens: batch.tokens, layout: batch.layout, rows: batch.rows)
      set(.values, to: values.scalars, in: batch)
    }
  }

  private mutating func fill(
    _ field: RolloutField, model: CausalLM, batches: [[ResponsePlace]]?
  ) {
    var model = model
    model.parameters = model.parameters.frozen
    for places in batches ?? self.batches(tokenBudget: 4096) {
      let batch = batch(places)
      let logprobs = batch.logprobs(model: model, temperature: logprobTemperature).logprobs
      set(field, to: logprobs.scalars, in: batch)
    }
  }

  /// Checks that log-probs under the unchanged policy are those recorded, so that every ratio is 1.
  ///
  /// - Parameters:
  ///   - logprobs: of the first minibatch before its update, [M].
  ///   - batch: the minibatch.
  ///   - tolerance: of `|exp(new - recorded) - 1|`.
  /// - Throws: `RolloutError.ratioNotOne` with the worst token, or `.missing`.
  public func requireUnitRatio(
    _ logprobs: [Float], in batch: RolloutBatch, tolerance: Float = 1e-5
  ) throws(RolloutError) {
    let recorded = try values(of: .behaviourLogprobs, in: batch)
    precondition(
      logprobs.count == recorded.count,
      "requireUnitRatio: expected \(recorded.count) log-probs, found \(logprobs.count)")
    var worst: (index: Int, deviation: Float)?
    for (index, (new, old)) in zip(logprobs, recorded).enumerated() {
      let deviation = abs(exp(new - old) - 1)
      // A NaN must not pass for a small number.
      if !(deviation <= worst?.deviation ?? tolerance) { worst = (index, deviation) }
    }
    guard let worst else { return }
    var response = 0
    var token = worst.index
    while token >= batch.lengths[response] {
      token -= batch.lengths[response]
      response += 1
    }
    throw .ratioNotOne(
      response: response, token: token, recorded: recorded[worst.index],
      recomputed: logprobs[worst.index], tolerance: tolerance)
  }
}

extension RolloutBatch {
  /// Log-probs of all response tokens under a model, with their graph unless it is frozen.
  ///
  /// - Returns: log-probs [M]; entropies of the predictions [M] where asked for, in nats.
  public func logprobs(
    model: CausalLM, temperature: Float = 1, withEntropy: Bool = false
  ) -> (logprobs: Tensor, entropies: [Float]) {
    let hidden = model.decoder.hiddenStates(
      tokens: tokens, layout: layout, parameters: model.parameters)
    return tokenLogprobs(
      hidden: hidden, weight: model.decoder.outputWeight(in: model.parameters), rows: rows,
      targets: targets, temperature: temperature, withEntropy: withEntropy)
  }

  /// Sums of token log-probs by response, [R].
  public func sequenceLogprobs(_ logprobs: Tensor) -> Tensor {
    logprobs.segmentSum(lengths: lengths)
  }
}
