public import Foundation
import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbRollouts
import PlumbTensors

extension PolicyGradientTrainer {
  /// One minibatch: the loss over its parts, and one optimizer step.
  ///
  /// - Parameter isFirst: whether the policy is still the one that filled the buffer: every ratio must
  ///   then be 1.
  /// - Returns: statistics; with `policy/guarded_steps` 1 nothing was moved, as the mean ratio left
  ///   its range.
  mutating func step(
    _ buffer: RolloutBuffer, _ minibatch: Minibatch, isFirst: Bool
  ) throws -> [String: Double] {
    learner.reset()
    var mean = MinibatchMean()
    for part in minibatch.parts {
      try accumulate(buffer, part, minibatch, isFirst: isFirst, into: &mean)
    }
    var statistics = mean.means
    if configuration.settings.ratioGuard.holdsBack(&statistics) { return statistics }
    statistics["learning_rate"] = Double(learner.learningRate)
    let update = policy.parameters.withTrainable { learner.move(&$0) }
    statistics["grad_norm"] = update.gradientNorm
    statistics["skipped_steps"] = update.isSkipped ? 1 : 0
    return statistics
  }

  /// Runs forward and backward on a part; every graph is gone when it returns, or writing the weights
  /// would copy them.
  private mutating func accumulate(
    _ buffer: RolloutBuffer, _ places: [ResponsePlace], _ minibatch: Minibatch, isFirst: Bool,
    into mean: inout MinibatchMean
  ) throws {
    let batch = buffer.batch(places)
    let (logprobs, entropies) = predictions(batch, temperature: buffer.logprobTemperature)
    if isFirst { try buffer.requireUnitRatio(logprobs.scalars, in: batch) }
    let loss = PolicyGradientLoss(
      configuration, tokens: minibatch.tokens, responses: minibatch.responses
    ).loss(
      logprobs: logprobs, entropies: entropies, lengths: batch.lengths,
      old: try buffer.values(of: .behaviourLogprobs, in: batch),
      reference: try buffer.values(of: .referenceLogprobs, in: batch),
      advantages: batch.places.map { buffer[$0].advantages[0] }, into: &mean)
    learner.accumulate(loss)
  }

  /// Log-probabilities of the response tokens of a batch, [M], and entropies where the loss reads them.
  private func predictions(
    _ batch: RolloutBatch, temperature: Float
  ) -> (logprobs: Tensor, entropies: Tensor?) {
    guard configuration.entropyCoefficient > 0 else {
      return (batch.logprobs(model: policy, temperature: temperature).logprobs, nil)
    }
    return tokenLogprobsAndEntropies(
      hidden: policy.hiddenStates(tokens: batch.tokens, layout: batch.layout),
      weight: policy.decoder.outputWeight(in: policy.parameters), rows: batch.rows,
      targets: batch.targets, temperature: temperature)
  }
}

extension PolicyGradientTrainer: OnPolicyLearner {
  var trained: CausalLM { policy }

  /// Writes everything that a round changes into a folder.
  public func save(to folder: URL) throws {
    try policy.parameters.trainable.write(to: folder.appending(path: "parameters.safetensors"))
    try learner.save(to: folder.appending(path: "optimizer.safetensors"))
  }

  /// Goes on from what `save` wrote.
  public mutating func load(from folder: URL) throws {
    try policy.parameters.withTrainable {
      try $0.read(from: folder.appending(path: "parameters.safetensors"))
    }
    try learner.load(
      from: folder.appending(path: "optimizer.safetensors"), for: policy.parameters.trainable)
  }
}
