import Foundation
import PlumbObjectives
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// `clip`, `clip_higher`, `dual_clip` and `value_clip` as a stage hands them to its losses.
///
/// Ratios, advantages and values are set by hand, so that what a token costs can be read off; the losses on
/// their own are in `PPOTests`.
@Suite struct ClipOptionTests {
  /// One ratio for all tokens; one half of them has the advantage 1, the other -1.
  struct Case: CustomTestStringConvertible, Sendable {
    let ratio: Double
    var clip = 0.2
    var higher = 0.0
    var dual = 0.0
    /// The mean cost.
    let loss: Double
    /// The shares of tokens below and above the range whose gradient is cut off.
    var low = 0.0
    var high = 0.0

    var testDescription: String { "ratio \(ratio), \(clip), \(higher), \(dual)" }

    func set(_ settings: inout PolicyGradientSettings) {
      (settings.clip, settings.clipHigher, settings.dualClip) = (clip, higher, dual)
    }

    func expect(_ metrics: [String: Double], loss key: String) throws {
      for (name, expected) in [
        (key, loss), ("policy/clipfrac_low_avg", low), ("policy/clipfrac_high_avg", high),
        ("policy/clipfrac_avg", low + high), ("val/ratio", ratio),
      ] { expectClose(try #require(metrics[name], "\(name)"), expected, absolute: 1e-4, name) }
    }
  }

  static let cases = [
    // max(-2, -1.2) and max(2, 1.2): the second is not clipped, whatever it costs.
    Case(ratio: 2, loss: 0.4, high: 0.5),
    Case(ratio: 2, clip: 0.4, loss: 0.3, high: 0.5),
    Case(ratio: 2, higher: 0.5, loss: 0.25, high: 0.5),
    // The range ends above the ratio.
    Case(ratio: 2, higher: 1.5, loss: 0),
    // The second costs 1.5 at most.
    Case(ratio: 2, dual: 1.5, loss: 0.15, high: 0.5),
    Case(ratio: 2, higher: 0.5, dual: 1.75, loss: 0.125, high: 0.5),
    // max(-0.5, -0.8) and max(0.5, 0.8): neither the upper end nor the bound is reached.
    Case(ratio: 0.5, higher: 0.3, dual: 1.5, loss: 0.15, low: 0.5),
    Case(ratio: 0.5, clip: 0.4, loss: 0.05, low: 0.5),
  ]

  /// The statistics of one step of PPO on a round of 8 responses of 6 tokens.
  ///
  /// - Parameter change: to a response that has log-probabilities, values of 0, returns of 0 and advantages of 1
  ///   or -1.
  private func step(
    _ change: (inout PPOConfiguration) -> Void, response: (inout Rollout) -> Void
  ) throws -> [String: Double] {
    let world = try TrainerWorld()
    let configuration = world.ppo(.shared, change)
    var actor = ActorCritic(policy: world.policy)
    var learners = PPOLearners(actor, configuration: configuration)
    var buffer = try world.rollouts(world.policy)
    let places = buffer.places
    _ = actor.fill(&buffer, batches: [places])
    for place in places {
      var own = buffer[place]
      try #require(own.tokens.count == 6)
      own.advantages = [Float](repeating: place.group % 2 == 0 ? 1 : -1, count: 6)
      own.returns = [Float](repeating: 0, count: 6)
      response(&own)
      buffer[place] = own
    }
    let minibatch = Minibatch(places, of: buffer, tokenBudget: 0)
    return try learners.step(
      &actor, buffer: buffer, minibatch: minibatch, options: PPOLearners.StepOptions())
  }

  @Test(arguments: cases) func theRatioOfPPOIsClippedAsSet(_ test: Case) throws {
    let shift = Float(log(test.ratio))
    let metrics = try step {
      test.set(&$0.settings)
    } response: {
      $0.behaviourLogprobs = $0.behaviourLogprobs.map { $0 - shift }
    }
    try test.expect(metrics, loss: "loss/policy_avg")
  }

  /// The same of each token, of a whole response and of its mean per token.
  @Test(arguments: RatioLevel.allCases, cases)
  func theRatioWithoutACriticIsClippedAsSet(_ level: RatioLevel, _ test: Case) throws {
    var configuration = PolicyGradientConfiguration<GRPO>()
    configuration.klIn = .reward
    configuration.ratioLevel = level
    test.set(&configuration.settings)
    // The ratio of a response of two tokens is the product of theirs.
    let shift = Float(log(test.ratio)) / (level == .sequence ? 2 : 1)
    let old: [Float] = [-1, -2, -0.5, -1.5]
    var mean = MinibatchMean()
    let loss = PolicyGradientLoss(configuration, tokens: 4, responses: 2).loss(
      logprobs: Tensor(old.map { $0 + shift }), lengths: [2, 2], old: old, reference: old,
      advantages: [1, -1], into: &mean)
    expectClose(Double(loss.item), test.loss, absolute: 1e-4)
    try test.expect(mean.means, loss: "loss/policy_avg")
  }

  /// Values are 0 and were -1, returns are 1: clipped to -1 + c, which is further off where c is below 1.
  @Test(arguments: [(0.0, 0.5, 0.0), (0.2, 1.62, 1.0), (0.5, 1.125, 1.0), (2.0, 0.5, 0.0)])
  func valuesAreClippedAsSet(clip: Double, loss: Double, share: Double) throws {
    let metrics = try step {
      $0.valueClip = clip
    } response: {
      $0.values = $0.values.map { $0 - 1 }
      $0.returns = $0.returns.map { $0 + 1 }
    }
    expectClose(try #require(metrics["loss/value_avg"]), loss, absolute: 1e-4)
    expectClose(try #require(metrics["val/clipfrac_avg"]), share, absolute: 1e-9)
  }
}
