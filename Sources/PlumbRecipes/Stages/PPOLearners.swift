import Foundation
import PlumbObjectives
import PlumbOptimizers
import PlumbPreferences
import PlumbRollouts
import PlumbTensors

/// Gradients and optimizer of the policy, and those of a value model of its own.
struct PPOLearners {
  private let configuration: PPOConfiguration
  private let rates: LearningRates
  private var policy: Learner
  private var value: Learner?

  /// What moves one parameter block.
  private struct Learner {
    var optimizer: AdamW
    var gradients: GradientBlock

    init(_ parameters: ParameterBlock, configuration: PPOConfiguration) {
      optimizer = AdamW(configuration.optimizer.adamW, for: parameters)
      gradients = GradientBlock(for: parameters)
    }
  }

  init(_ actor: ActorCritic, configuration: PPOConfiguration) {
    self.configuration = configuration
    policy = Learner(actor.parameters.trainable, configuration: configuration)
    value = actor.critic.map { Learner($0.parameters, configuration: configuration) }
    rates = configuration.optimizer.learningRates(
      steps: configuration.updates * configuration.epochs * configuration.minibatches)
  }

  /// One minibatch: the two losses, and one optimizer step of each block.
  ///
  /// - Parameter isFirst: whether the policy is still the one that filled the buffer: every ratio
  ///   must then be 1.
  mutating func step(
    _ actor: inout ActorCritic, buffer: RolloutBuffer, places: [ResponsePlace], isFirst: Bool
  ) throws -> [String: Double] {
    policy.gradients.reset()
    value?.gradients.reset()
    let statistics = try accumulate(actor, buffer: buffer, places: places, isFirst: isFirst)
    return statistics.merging(move(&actor)) { first, _ in first }
  }

  /// Runs forward and backward; every graph is gone when it returns, or writing the weights would
  /// copy them.
  private mutating func accumulate(
    _ actor: ActorCritic, buffer: RolloutBuffer, places: [ResponsePlace], isFirst: Bool
  ) throws -> [String: Double] {
    let batch = buffer.batch(places)
    guard let critic = actor.critic else {
      let (logprobs, values, _) = actor.forward(batch, temperature: buffer.logprobTemperature)
      if isFirst { try buffer.requireUnitRatio(logprobs.scalars, in: batch) }
      let policyLoss = try policyObjective(logprobs, buffer, batch)
      let valueLoss = try valueObjective(values, buffer, batch)
      policy.gradients.accumulate(
        policyLoss.loss + valueLoss.loss * Float(configuration.valueCoefficient))
      return policyLoss.logged("loss/policy_avg")
        .merging(valueLoss.logged("loss/value_avg")) { first, _ in first }
    }
    // One graph after the other: the memory of the larger one is enough.
    var statistics: [String: Double] = [:]
    do {
      let logprobs = batch.logprobs(
        model: actor.policy, temperature: buffer.logprobTemperature
      ).logprobs
      if isFirst { try buffer.requireUnitRatio(logprobs.scalars, in: batch) }
      let objective = try policyObjective(logprobs, buffer, batch)
      policy.gradients.accumulate(objective.loss)
      statistics = objective.logged("loss/policy_avg")
    }
    let objective = try valueObjective(actor.values(critic, batch), buffer, batch)
    value?.gradients.accumulate(objective.loss * Float(configuration.valueCoefficient))
    return statistics.merging(objective.logged("loss/value_avg")) { first, _ in first }
  }

  private func policyObjective(
    _ logprobs: Tensor, _ buffer: RolloutBuffer, _ batch: RolloutBatch
  ) throws -> Objective {
    ppoPolicy(
      logprobs: logprobs, oldLogprobs: try buffer.values(of: .behaviourLogprobs, in: batch),
      advantages: try buffer.values(of: .advantages, in: batch), clip: Float(configuration.clip))
  }

  private func valueObjective(
    _ values: Tensor, _ buffer: RolloutBuffer, _ batch: RolloutBatch
  ) throws -> Objective {
    ppoValue(
      values: values, oldValues: try buffer.values(of: .values, in: batch),
      returns: try buffer.values(of: .returns, in: batch),
      clip: configuration.valueClip > 0 ? Float(configuration.valueClip) : nil)
  }

  /// The optimizer steps; gives `grad_norm` and `val/grad_norm` (before clipping), `learning_rate`
  /// and `skipped_steps`, 1 if a gradient was not finite.
  private mutating func move(_ actor: inout ActorCritic) -> [String: Double] {
    let rate = rates.learningRate(at: policy.optimizer.step)
    let update = actor.parameters.withTrainable {
      policy.optimizer.update(&$0, gradients: policy.gradients, learningRate: rate)
    }
    var statistics = [
      "grad_norm": update.gradientNorm, "learning_rate": Double(rate),
      "skipped_steps": update.isSkipped ? 1 : 0,
    ]
    if var critic = actor.critic, var learner = value {
      // Held once each, so that the update writes in place.
      actor.critic = nil
      value = nil
      let update = learner.optimizer.update(
        &critic.parameters, gradients: learner.gradients,
        learningRate: rates.learningRate(at: learner.optimizer.step))
      actor.critic = critic
      value = learner
      statistics["val/grad_norm"] = update.gradientNorm
      if update.isSkipped { statistics["skipped_steps"] = 1 }
    }
    return statistics
  }

  /// Writes the moments of the optimizers into a folder.
  func save(to folder: URL) throws {
    try policy.optimizer.write(to: folder.appending(path: "optimizer.safetensors"))
    try value?.optimizer.write(to: folder.appending(path: "value-optimizer.safetensors"))
  }

  /// Reads what `save` wrote.
  mutating func load(from folder: URL, for actor: ActorCritic) throws {
    policy.optimizer = try AdamW(
      contentsOf: folder.appending(path: "optimizer.safetensors"),
      configuration: policy.optimizer.configuration, for: actor.parameters.trainable)
    guard let critic = actor.critic, let optimizer = value?.optimizer else { return }
    value?.optimizer = try AdamW(
      contentsOf: folder.appending(path: "value-optimizer.safetensors"),
      configuration: optimizer.configuration, for: critic.parameters)
  }
}

extension Objective {
  /// The statistics, and the loss under a name.
  fileprivate func logged(_ name: String) -> [String: Double] {
    statistics.merging([name: Double(loss.item)]) { $1 }
  }
}
