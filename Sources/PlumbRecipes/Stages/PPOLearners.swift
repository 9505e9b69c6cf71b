import Foundation
import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbPreferences
import PlumbRollouts
import PlumbTensors

/// Gradients and optimizers of the policy, and of what estimates values beside it.
struct PPOLearners {
  private let configuration: PPOConfiguration
  private var policy: BlockLearner
  /// Of a value model or of a head of its own.
  private var value: BlockLearner?
  /// Of a head that trains with the trunk, while only values move.
  private var warmUp: WarmUp?

  /// A head that moves alone, and then gives its numbers to the one beside the trunk.
  private struct WarmUp {
    var head: ValueHead
    var learner: BlockLearner
  }

  init(_ actor: ActorCritic, configuration: PPOConfiguration) {
    self.configuration = configuration
    func learner(_ block: ParameterBlock, rounds: Int) -> BlockLearner {
      BlockLearner(
        block, settings: configuration.optimizer,
        steps: rounds * configuration.epochs * configuration.minibatches)
    }
    let rounds = configuration.updates
    let warmUps = min(configuration.valueWarmupUpdates, rounds)
    policy = learner(actor.parameters.trainable, rounds: rounds - warmUps)
    value = actor.valueBlock.map { learner($0, rounds: rounds) }
    if warmUps > 0, let head = actor.headAlone {
      warmUp = WarmUp(head: head, learner: learner(head.parameters, rounds: warmUps))
    }
  }

  /// How a step of the policy is taken.
  struct StepOptions {
    /// Weight of the divergence in the loss; 0 where it is in the rewards.
    var klCoefficient = 0.0
    /// Whether the policy is still the one that filled the buffer: every ratio must then be 1.
    var isFirst = false
  }

  /// One minibatch: the two losses, and one optimizer step of each block.
  ///
  /// - Returns: statistics; with `policy/guarded_steps` 1 nothing was moved, as the mean ratio left
  ///   its range.
  mutating func step(
    _ actor: inout ActorCritic, buffer: RolloutBuffer, minibatch: Minibatch, options: StepOptions
  ) throws -> [String: Double] {
    policy.reset()
    value?.reset()
    warmUp = nil
    var mean = MinibatchMean()
    for part in minibatch.parts {
      try accumulate(
        actor, buffer: buffer, places: part, minibatch: minibatch, options: options, into: &mean)
    }
    var statistics = mean.means
    if configuration.settings.ratioGuard.holdsBack(&statistics) { return statistics }
    return statistics.merging(move(&actor)) { first, _ in first }
  }

  /// Runs forward and backward on a part; every graph is gone when it returns, or writing the weights
  /// would copy them.
  private mutating func accumulate(
    _ actor: ActorCritic, buffer: RolloutBuffer, places: [ResponsePlace], minibatch: Minibatch,
    options: StepOptions, into mean: inout MinibatchMean
  ) throws {
    let batch = buffer.batch(places)
    var valueLoss: Tensor?
    do {
      let found = actor.predictions(
        batch, temperature: buffer.logprobTemperature,
        entropyGradient: configuration.entropyCoefficient > 0)
      if options.isFirst { try buffer.requireUnitRatio(found.logprobs.scalars, in: batch) }
      var loss = try policyLoss(
        found, buffer, batch, minibatch, options: options, into: &mean)
      if actor.critic == nil {
        let values = try self.valueLoss(
          actor.values(batch, hidden: found.hidden), buffer, batch, minibatch, into: &mean)
        // A head of its own has a graph of its own; another one shares the policy's.
        if value == nil { loss = loss + values } else { valueLoss = values }
      }
      policy.accumulate(loss)
    }
    // One graph after the other: the memory of the larger one is enough.
    if let critic = actor.critic {
      valueLoss = try self.valueLoss(
        actor.values(critic, batch), buffer, batch, minibatch, into: &mean)
    }
    if let valueLoss { value?.accumulate(valueLoss) }
  }

  /// The policy's part of the loss: the clipped ratio, the divergence, the entropy.
  private func policyLoss(
    _ found: ActorCritic.Predictions, _ buffer: RolloutBuffer, _ batch: RolloutBatch,
    _ minibatch: Minibatch, options: StepOptions, into mean: inout MinibatchMean
  ) throws -> Tensor {
    let objective = ppoPolicy(
      logprobs: found.logprobs, oldLogprobs: try buffer.values(of: .behaviourLogprobs, in: batch),
      advantages: try buffer.values(of: .advantages, in: batch), clip: Float(configuration.clip),
      clipHigher: configuration.clipHigher > 0 ? Float(configuration.clipHigher) : nil,
      dualClip: configuration.dualClip > 0 ? Float(configuration.dualClip) : nil,
      batchCount: minibatch.tokens)
    mean.add(objective, loss: "loss/policy_avg")
    var loss = objective.loss
    if configuration.klIn == .loss {
      let divergence = klLoss(
        logprobs: found.logprobs,
        referenceLogprobs: try buffer.values(of: .referenceLogprobs, in: batch),
        estimator: configuration.klEstimator.inLoss, gradient: configuration.klGradient,
        batchCount: minibatch.tokens)
      mean.add(loss: divergence.loss, as: "loss/kl_avg")
      loss = loss + divergence.loss * Float(options.klCoefficient)
    }
    if let entropies = found.entropyTensor {
      let bonus = entropies.sum() * (1 / Float(minibatch.tokens))
      mean.add(loss: bonus, as: "loss/entropy_avg")
      loss = loss - bonus * Float(configuration.entropyCoefficient)
    }
    return loss
  }

  private func valueLoss(
    _ values: Tensor, _ buffer: RolloutBuffer, _ batch: RolloutBatch, _ minibatch: Minibatch,
    into mean: inout MinibatchMean
  ) throws -> Tensor {
    let objective = ppoValue(
      values: values, oldValues: try buffer.values(of: .values, in: batch),
      returns: try buffer.values(of: .returns, in: batch),
      clip: configuration.valueClip > 0 ? Float(configuration.valueClip) : nil,
      batchCount: minibatch.tokens)
    mean.add(objective, loss: "loss/value_avg")
    return objective.loss * Float(configuration.valueCoefficient)
  }

  /// The optimizer steps; gives `grad_norm` and `val/grad_norm` (before clipping), `learning_rate`
  /// and `skipped_steps`, 1 if a gradient was not finite.
  private mutating func move(_ actor: inout ActorCritic) -> [String: Double] {
    let rate = policy.learningRate
    let update = actor.parameters.withTrainable { policy.move(&$0) }
    var statistics = [
      "grad_norm": update.gradientNorm, "learning_rate": Double(rate),
      "skipped_steps": update.isSkipped ? 1 : 0,
    ]
    if let update = moveValue(&actor) {
      statistics["val/grad_norm"] = update.gradientNorm
      if update.isSkipped { statistics["skipped_steps"] = 1 }
    }
    return statistics
  }

  private mutating func moveValue(_ actor: inout ActorCritic) -> BlockLearner.Update? {
    guard var learner = value else { return nil }
    // Held once while it is written.
    value = nil
    defer { value = learner }
    return actor.withValueBlock { learner.move(&$0) }
  }
}

// MARK: Rounds in which only values move

extension PPOLearners {
  /// One minibatch of the value loss alone; no number of the policy changes.
  mutating func warmUpStep(
    _ actor: inout ActorCritic, buffer: RolloutBuffer, minibatch: Minibatch
  ) throws -> [String: Double] {
    value?.reset()
    warmUp?.learner.reset()
    var mean = MinibatchMean()
    for part in minibatch.parts {
      let batch = buffer.batch(part)
      let values: Tensor
      if let critic = actor.critic {
        values = actor.values(critic, batch)
      } else {
        let frozen = actor.frozen
        let hidden = frozen.decoder.hiddenStates(
          tokens: batch.tokens, layout: batch.layout, parameters: frozen.parameters)
        values =
          warmUp?.head.values(hidden: hidden, rows: batch.rows)
          ?? actor.values(batch, hidden: hidden)
      }
      let loss = try valueLoss(values, buffer, batch, minibatch, into: &mean)
      value?.accumulate(loss)
      warmUp?.learner.accumulate(loss)
    }
    var statistics = mean.means
    let update: BlockLearner.Update?
    if var own = warmUp {
      warmUp = nil
      update = own.learner.move(&own.head.parameters)
      actor.assignHead(own.head)
      warmUp = own
    } else {
      update = moveValue(&actor)
    }
    statistics["val/grad_norm"] = update?.gradientNorm
    statistics["skipped_steps"] = update?.isSkipped == true ? 1 : 0
    return statistics
  }
}

// MARK: Checkpoints

extension PPOLearners {
  private static let names = (
    policy: "optimizer.safetensors", value: "value-optimizer.safetensors",
    warmUp: "warm-up-optimizer.safetensors"
  )

  /// Writes the moments of the optimizers into a folder.
  func save(to folder: URL) throws {
    try policy.save(to: folder.appending(path: Self.names.policy))
    try value?.save(to: folder.appending(path: Self.names.value))
    try warmUp?.learner.save(to: folder.appending(path: Self.names.warmUp))
  }

  /// Reads what `save` wrote.
  mutating func load(from folder: URL, for actor: ActorCritic) throws {
    try policy.load(
      from: folder.appending(path: Self.names.policy), for: actor.parameters.trainable)
    if let block = actor.valueBlock {
      try value?.load(from: folder.appending(path: Self.names.value), for: block)
    }
    let url = folder.appending(path: Self.names.warmUp)
    guard FileManager.default.fileExists(atPath: url.path), let head = actor.headAlone else {
      warmUp = nil
      return
    }
    // Its numbers alone: gradients belong to the block that they were made for.
    warmUp?.head.assign(weight: head.weights, bias: head.biases)
    try warmUp?.learner.load(from: url, for: head.parameters)
  }
}
