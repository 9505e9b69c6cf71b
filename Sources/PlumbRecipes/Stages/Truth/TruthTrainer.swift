import Foundation
import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbPreferences
import PlumbRollouts
import PlumbTensors

/// How far a training has come.
struct TruthCourse: Codable, Hashable {
  /// KL to and from the method's own optimum, and from π*, in nats.
  struct Point: Codable, Hashable {
    let step: Int
    /// `KL(π_opt ‖ π)`.
    let toPolicy: Double
    /// `KL(π ‖ π_opt)`; infinite where the optimum leaves responses out, and then stored as -1.
    let fromPolicy: Double
    /// `KL(π* ‖ π)`.
    let starToPolicy: Double
  }
  var points: [Point] = []

  var last: Point? { points.last }
}

/// Trains policies of an enumerated world and follows their distance from the optimum.
struct TruthTrainer {
  let method: TruthMethod
  let beta: Double
  /// Points of the course that are kept.
  var pointCount = 40
  /// Is told the step and the number of steps; may throw to stop.
  let report: (Int, Int) throws -> Void

  /// Trains with the expectation over the world in place of samples.
  func trained<Policy: WorldPolicy>(
    _ start: Policy, exact settings: TruthExactConfiguration
  ) throws -> (policy: Policy, course: TruthCourse) {
    let batches = ExactBatches(
      start, method: method, beta: beta, gaeLambda: settings.gaeLambda)
    let passes = method == .ppo ? settings.passes : 1
    return try run(
      start, steps: settings.steps, updates: settings.steps * passes, settings.optimizer,
      clip: settings.clip, optimum: optimum(start, opponents: nil)
    ) { policy, _ in
      Array(repeating: try batches.batch(for: policy), count: passes)
    }
  }

  /// Trains on samples.
  func trained<Policy: WorldPolicy>(
    _ start: Policy, sampled settings: TruthSampledConfiguration, seed: UInt64
  ) throws -> (policy: Policy, course: TruthCourse) {
    let batches = SampledBatches(
      start, method: method, beta: beta, settings: settings, seed: seed)
    let perRound = method == .ppo ? settings.passes * settings.minibatches : 1
    return try run(
      start, steps: settings.steps, updates: settings.steps * perRound, settings.optimizer,
      clip: settings.clip, optimum: optimum(start, opponents: settings.responses)
    ) { policy, step in
      try batches.batches(for: policy, step: step)
    }
  }

  /// The method's optimum and π*, [P][N] each.
  private func optimum(
    _ start: some WorldPolicy, opponents: Int?
  ) -> (own: [[Double]], star: [[Double]]) {
    let reference = start.logprobs()
    return (
      start.world.optimum(method, reference, beta: beta, opponents: opponents),
      start.world.star(reference, beta: beta)
    )
  }

  private func run<Policy: WorldPolicy>(
    _ start: Policy, steps: Int, updates: Int, _ settings: OptimizerConfiguration, clip: Double,
    optimum: (own: [[Double]], star: [[Double]]),
    batches: (Policy, Int) throws -> [MethodBatch]
  ) throws -> (policy: Policy, course: TruthCourse) {
    var policy = start
    var optimizer = AdamW(settings.adamW, for: policy.parameters)
    var gradients = GradientBlock(for: policy.parameters)
    let rates = settings.learningRates(steps: updates)
    var course = TruthCourse()
    for step in 1..<(steps + 1) {
      for batch in try batches(policy, step) {
        gradients.reset()
        do {
          let loss = try batch.loss(method, policy, beta: Float(beta), clip: Float(clip))
          gradients.accumulate(loss)
        }
        optimizer.update(
          &policy.parameters, gradients: gradients,
          learningRate: rates.learningRate(at: optimizer.step))
      }
      if isKept(step, of: steps) {
        course.points.append(measured(policy.logprobs(), step: step, optimum))
      }
      try report(step, steps)
    }
    return (policy, course)
  }

  /// The last steps of equal parts of the training.
  private func isKept(_ step: Int, of steps: Int) -> Bool {
    step == steps || step * pointCount / steps > (step - 1) * pointCount / steps
  }

  private func measured(
    _ now: [[Double]], step: Int, _ optimum: (own: [[Double]], star: [[Double]])
  ) -> TruthCourse.Point {
    let from = meanDivergence(now, optimum.own)
    return TruthCourse.Point(
      step: step, toPolicy: meanDivergence(optimum.own, now),
      fromPolicy: from.isFinite ? from : -1, starToPolicy: meanDivergence(optimum.star, now))
  }
}

extension TruthTrainer {
  /// PPO by Plumb's own trainer of language models, with the score as reward of the last token and the
  /// KL as reward of every token.
  func trainedByPPOTrainer(
    _ start: LanguagePolicy, settings: TruthSampledConfiguration, seed: UInt64
  ) throws -> (policy: LanguagePolicy, course: TruthCourse) {
    let world = start.world
    var configuration = PPOConfiguration()
    configuration.updates = settings.steps
    configuration.promptsPerUpdate = world.promptCount
    configuration.responsesPerPrompt = settings.responses
    configuration.epochs = settings.passes
    configuration.minibatches = settings.minibatches
    configuration.klCoefficient = beta
    configuration.clip = settings.clip
    configuration.gaeLambda = settings.gaeLambda
    configuration.whitenAdvantages = settings.whitenAdvantages
    configuration.valueClip = 0
    configuration.valueCoefficient = 0.5
    configuration.optimizer = settings.optimizer
    // A shared value head reads no reward model; the trainer asks for one in any case.
    let reward = try RewardModel(
      configuration: start.model.configuration, head: .linear, seed: seed)
    var trainer = try PPOTrainer(
      configuration, policy: start.model, reward: reward, seed: seed)
    let known = optimum(start, opponents: nil)
    let reference = start.frozen.model
    var course = TruthCourse()
    for step in 1..<(settings.steps + 1) {
      let policy = LanguagePolicy(world: world, model: trainer.policy)
      var buffer = world.buffer(
        try policy.sample(count: settings.responses, step: step, seed: seed))
      _ = try trainer.improve(on: &buffer, reference: reference, update: step)
      if isKept(step, of: settings.steps) {
        let now = LanguagePolicy(world: world, model: trainer.policy).logprobs()
        course.points.append(measured(now, step: step, known))
      }
      try report(step, settings.steps)
    }
    return (LanguagePolicy(world: world, model: trainer.separatePolicy), course)
  }
}

extension LanguagePolicy {
  /// A random model, brought close to the world's reference by cross-entropy on all responses.
  static func fitted(
    _ world: EnumeratedWorld, _ configuration: TruthLanguageModelConfiguration, seed: UInt64
  ) -> LanguagePolicy {
    var policy = LanguagePolicy(
      world: world,
      model: randomModel(
        world, hiddenSize: configuration.hiddenSize, layers: configuration.layers, seed: seed))
    var settings = OptimizerConfiguration()
    settings.learningRate = 5e-3
    var optimizer = AdamW(settings.adamW, for: policy.parameters)
    var gradients = GradientBlock(for: policy.parameters)
    let rates = settings.learningRates(steps: configuration.fittingSteps)
    let buffer = world.everything
    let packed = buffer.batch()
    let weights = zip(world.reference.joined(), packed.lengths).flatMap { logprob, length in
      Array(repeating: Float(exp(logprob) / Double(world.promptCount)), count: length)
    }
    for _ in 0..<configuration.fittingSteps {
      gradients.reset()
      do {
        let logprobs = policy.logprobs(packed, of: buffer)
        gradients.accumulate(
          expectation([logprobs], weights: weights) { sft(logprobs: $0[0]) }.scalar)
      }
      optimizer.update(
        &policy.parameters, gradients: gradients,
        learningRate: rates.learningRate(at: optimizer.step))
    }
    return policy
  }
}
