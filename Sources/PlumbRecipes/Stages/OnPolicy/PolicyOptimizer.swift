import Foundation
import PlumbModels
import PlumbOptimizers
import PlumbTensors

/// A policy with the optimizer that moves it: all that an on-line learner without a value model changes.
struct PolicyOptimizer {
  /// The policy as it is now.
  private(set) var policy: CausalLM
  private var learner: BlockLearner

  /// Starts from a policy.
  ///
  /// - Parameter steps: optimizer steps of the whole training, over which the learning rate runs.
  init(_ policy: CausalLM, settings: OptimizerConfiguration, steps: Int) {
    self.policy = policy
    self.policy.checkpointsLayers = settings.gradientCheckpointing
    learner = BlockLearner(policy.parameters.trainable, settings: settings, steps: steps)
  }

  /// One optimizer step.
  ///
  /// - Parameters:
  ///   - place: in the schedule of the learning rate; the number of steps taken where nil.
  ///   - accumulate: adds up the gradient of one batch; what it makes of the policy must be gone when
  ///     it returns, or the write would copy the weights.
  /// - Returns: its statistics with `grad_norm` (before clipping), `learning_rate` and `skipped_steps`, 1
  ///   where the step is left out because a gradient was not finite.
  mutating func step(
    at place: Int? = nil, _ accumulate: (CausalLM, inout GradientBlock) throws -> [String: Double]
  ) rethrows -> [String: Double] {
    learner.reset()
    var statistics = try accumulate(policy, &learner.gradients)
    statistics["learning_rate"] = Double(learner.learningRate(at: place))
    let update = policy.parameters.withTrainable { learner.move(&$0, at: place) }
    statistics["grad_norm"] = update.gradientNorm
    statistics["skipped_steps"] = update.isSkipped ? 1 : 0
    return statistics
  }

  /// Writes everything that a step changes into a folder.
  func save(to folder: URL) throws {
    try policy.parameters.trainable.write(to: folder.appending(path: "parameters.safetensors"))
    try learner.save(to: folder.appending(path: "optimizer.safetensors"))
  }

  /// Goes on from what `save` wrote.
  mutating func load(from folder: URL) throws {
    try policy.parameters.withTrainable {
      try $0.read(from: folder.appending(path: "parameters.safetensors"))
    }
    try learner.load(
      from: folder.appending(path: "optimizer.safetensors"), for: policy.parameters.trainable)
  }
}
