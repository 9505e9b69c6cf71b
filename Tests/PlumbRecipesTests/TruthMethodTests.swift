import Foundation
import PlumbObjectives
import PlumbRollouts
import PlumbTensors
import Testing

@testable import PlumbRecipes

/// Every method ends at its optimum in worlds of a few responses, and wrong losses do not.
@Suite struct TruthMethodTests {
  private static let tokens = EnumeratedWorld(
    prompts: 2, letters: 2, longest: 3, ends: true, referenceSpread: 0.5, rewardSpread: 0.5, seed: 5
  )
  private static let bandit = EnumeratedWorld(
    prompts: 2, letters: 6, longest: 1, ends: false, referenceSpread: 0.7, rewardSpread: 0.5,
    seed: 6)
  private let beta = 0.5

  private func trainer(_ method: TruthMethod) -> TruthTrainer {
    TruthTrainer(method: method, beta: beta) { _, _ in }
  }

  private var exact: TruthExactConfiguration {
    var settings = TruthExactConfiguration()
    settings.steps = 500
    return settings
  }

  private var samples: TruthSampledConfiguration {
    var settings = TruthSampledConfiguration()
    settings.steps = 700
    settings.responses = 64
    settings.pairs = 256
    return settings
  }

  @Test(arguments: TruthMethod.allCases) func exactGradientsEndAtTheOptimum(
    method: TruthMethod
  ) throws {
    for world in [Self.bandit, Self.tokens] {
      let last = try #require(
        try trainer(method).trained(TabularPolicy(world), exact: exact).course.last)
      #expect(last.toPolicy <= 1e-4, "\(method), depth \(world.longest): \(last)")
      #expect(last.fromPolicy <= 1e-4, "\(method), depth \(world.longest): \(last)")
    }
  }

  @Test(arguments: TruthMethod.allCases) func samplesEndNearTheOptimum(method: TruthMethod) throws {
    let start = TabularPolicy(Self.tokens)
    var samples = samples
    // A label says less than a pair.
    if method == .kto || method == .ktoWins { samples.pairs = 1024 }
    let course = try trainer(method).trained(start, sampled: samples, seed: 3).course
    let last = try #require(course.last)
    #expect(last.toPolicy <= 1e-2, "\(method): \(last)")
    let again = try trainer(method).trained(start, sampled: samples, seed: 3).course
    #expect(again == course)
  }

  /// `∇(E r − β KL)` by central differences in double precision, for every estimator of it.
  @Test(arguments: [TruthMethod.ppo, .reinforce, .rloo, .grpo])
  func policyGradientsAreThoseOfTheObjective(method: TruthMethod) throws {
    let world = Self.tokens
    var policy = TabularPolicy(world)
    let moved = world.referenceLogits.enumerated().map { $1 + 0.3 * Float(sin(Double($0))) }
    policy.parameters.assign(moved, to: policy.logits)
    let batches = ExactBatches(
      TabularPolicy(world), method: method, beta: beta, gaeLambda: 0.7)
    var gradients = GradientBlock(for: policy.parameters)
    gradients.accumulate(
      try batches.batch(for: policy).loss(method, policy, beta: Float(beta), clip: 0.2))
    let found = gradients[policy.logits].scalars
    // A group of two with the response itself in the mean keeps half of the gradient.
    let share = method == .grpo ? 0.5 : 1
    let reference = world.reference
    func objective(_ logits: [Float]) -> Double {
      let now = world.logprobs(ofLogits: logits)
      return (0..<world.promptCount).reduce(0) { sum, prompt in
        let reward = zip(now[prompt], world.rewards[prompt]).reduce(0) { $0 + exp($1.0) * $1.1 }
        return sum + reward - beta * divergence(now[prompt], reference[prompt])
      } / Double(world.promptCount)
    }
    for place in stride(from: 0, to: moved.count, by: 3) {
      var (up, down) = (moved, moved)
      up[place] += 0x1p-6
      down[place] -= 0x1p-6
      let slope = (objective(up) - objective(down)) / 0x1p-5
      #expect(
        abs(Double(found[place]) + share * slope) < 2e-5,
        "\(method) \(place): \(found[place]), \(slope)")
    }
  }

  @Test func clippingChangesTheWayAndNotTheEnd() throws {
    var settings = exact
    settings.passes = 6
    settings.steps = 250
    settings.clip = 0.05
    let clipped = try trainer(.ppo).trained(TabularPolicy(Self.bandit), exact: settings).course
    settings.clip = 0.9
    let free = try trainer(.ppo).trained(TabularPolicy(Self.bandit), exact: settings).course
    #expect(clipped.points[3] != free.points[3])
    #expect(try #require(clipped.last).toPolicy <= 1e-4)
    #expect(try #require(free.last).toPolicy <= 1e-4)
  }

  /// The bounds must tell a right loss from one whose score or step is doubled, or divided by tau again.
  @Test(arguments: [TruthMethod.ppo, .dpo, .gpo, .rloo], [2.0, 1 / 0.7])
  func scaledScoresEndElsewhere(method: TruthMethod, factor: Double) throws {
    let world = Self.tokens
    let wrong = world.with(rewards: world.rewards.map { $0.map { $0 * factor } })
    let policy = try trainer(method).trained(TabularPolicy(wrong), exact: exact).policy
    let away = meanDivergence(world.star(world.reference, beta: beta), policy.logprobs())
    #expect(away > 2e-2, "\(method): \(away)")
  }

  /// A mean over K that counts the response itself shrinks GPO's step by (K − 1)/K.
  @Test func selfInTheMeanIsSeen() throws {
    var settings = samples
    settings.responses = 3
    let right = SampledBatches(
      TabularPolicy(Self.bandit), method: .gpoZero, beta: beta, settings: settings, seed: 1)
    let batch = try right.batches(for: TabularPolicy(Self.bandit), step: 1)[0]
    let including = try batch.buffer.opponentMeans(includingSelf: true)
    for (own, other) in zip(batch.targets, including) {
      #expect(abs(own * 2 / 3 - other) < 1e-6)
    }
    let world = Self.bandit
    let shrunk = world.with(rewards: world.rewards.map { $0.map { $0 * 2 / 3 } })
    let ends = shrunk.optimum(.gpoZero, world.reference, beta: beta)
    #expect(meanDivergence(world.optimum(.gpoZero, world.reference, beta: beta), ends) > 1e-2)
  }

  /// A turned sign would pay for leaving the reference.
  @Test func theKLIsAPenalty() throws {
    let world = Self.bandit
    var policy = TabularPolicy(world)
    let buffer = world.everything
    let packed = buffer.batch()
    let old = policy.frozen.logprobs(packed, of: buffer).scalars
    policy.parameters.assign(world.referenceLogits.map { $0 * 2 }, to: policy.logits)
    let now = policy.frozen.logprobs(packed, of: buffer).scalars
    let scores = world.rewards.joined().map { Float($0) }
    let rewards = tokenRewards(
      logprobs: ragged(now, lengths: packed.lengths),
      referenceLogprobs: ragged(old, lengths: packed.lengths),
      scores: scores, klCoefficient: Float(beta))
    // Where the policy gives more than the reference the reward is lower than the score, and the other way round.
    for (row, score) in scores.enumerated() where abs(now[row] - old[row]) > 1e-3 {
      #expect((rewards[row][0] < score) == (now[row] > old[row]))
    }
  }

  /// KTO on two responses, the one of the minority favoured by the reference.
  @Test func ktoGivesTheMajorityEverythingByTraining() throws {
    // Win chances around a half: the second response beats the first.
    let world = EnumeratedWorld(banditRewards: [[0, 0.4]], reference: [[0.9, 0.1]])
    let ends = try trainer(.ktoWins).trained(TabularPolicy(world), exact: exact).policy.logprobs()
    #expect(exp(ends[0][1]) > 0.999)
    let dpo = try trainer(.dpo).trained(TabularPolicy(world), exact: exact).policy.logprobs()
    #expect(exp(dpo[0][1]) < 0.5)
  }

  @Test func weighedRowsAreRowsThatOccurOften() throws {
    let values: [Float] = [0.3, -0.2, 0.9]
    let variable = Tensor.variable(values, shape: [3])
    let repeated = variable.elements(at: [0, 1, 1, 1, 2, 2])
    func loss(_ ratios: Tensor, _ scores: [Float]) -> Objective {
      gpo(logRatio: ratios, preferenceScores: scores, beta: 0.7)
    }
    let plain = loss(repeated, [1, 2, 2, 2, 3, 3]).loss
    let weighed = expectation([variable], weights: [1.0 / 6, 3.0 / 6, 2.0 / 6]) {
      loss($0[0], [1, 2, 3])
    }.scalar
    let (a, b) = (Gradients(of: plain)[variable], Gradients(of: weighed)[variable])
    for (x, y) in zip(try #require(a).scalars, try #require(b).scalars) {
      #expect(abs(x - y) < 1e-6)
    }
  }
}
