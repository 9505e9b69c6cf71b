import Foundation
import PlumbRollouts
import PlumbTestSupport
import Testing

struct AdvantagesTests {
  /// The real tokens of a padded column of the reference, row by row.
  static func rows(_ golden: Golden, _ name: String) throws -> [[Float]] {
    let values = try golden.floats(name)
    let width = golden.extents(name)[1]
    return try golden.integers("lengths").enumerated().map { row, length in
      Array(values[row * width..<row * width + length])
    }
  }

  static func expectClose(
    _ found: [[Float]], _ expected: [[Float]], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(found.map(\.count) == expected.map(\.count), sourceLocation: sourceLocation)
    PlumbTestSupport.expectClose(
      found.flatMap { $0 }, expected.flatMap { $0 }, sourceLocation: sourceLocation)
  }

  @Test func goldenRewardsAdvantagesReturnsAndWhitening() throws {
    let golden = try Golden("ppo")
    let rewards = tokenRewards(
      logprobs: try Self.rows(golden, "logprobs"),
      referenceLogprobs: try Self.rows(golden, "ref_logprobs"),
      scores: try golden.floats("scores"), klCoefficient: 0.05)
    Self.expectClose(rewards, try Self.rows(golden, "token_rewards"))
    let (advantages, returns) = generalizedAdvantages(
      rewards: rewards, values: try Self.rows(golden, "values"), gamma: 0.99, lambda: 0.95)
    Self.expectClose(advantages, try Self.rows(golden, "advantages"))
    Self.expectClose(returns, try Self.rows(golden, "returns"))
    Self.expectClose(
      whitened(advantages, keepingMean: false), try Self.rows(golden, "whitened_advantages"))
  }

  @Test func rewardsByHand() {
    let rewards = tokenRewards(
      logprobs: [[-1, -2], [-3]], referenceLogprobs: [[-2, -2], [-1]], scores: [5, 7],
      klCoefficient: 0.5)
    #expect(rewards == [[-0.5, 5], [8]])
    let squared = tokenRewards(
      logprobs: [[-1, -2], [-3]], referenceLogprobs: [[-2, -2], [-1]], scores: [5, 7],
      klCoefficient: 0.5, estimator: .k2)
    #expect(squared == [[-0.25, 5], [6]])
  }

  /// One reward at the end: with λ = 1 the advantage is the return less the value, with λ = 0 the
  /// one-step error.
  @Test func advantagesByHand() {
    let (rewards, values): ([[Float]], [[Float]]) = ([[0, 0, 8]], [[1, 2, 4]])
    let monteCarlo = generalizedAdvantages(rewards: rewards, values: values, gamma: 0.5, lambda: 1)
    #expect(monteCarlo.advantages == [[1, 2, 4]])
    #expect(monteCarlo.returns == [[2, 4, 8]])
    let oneStep = generalizedAdvantages(rewards: rewards, values: values, gamma: 1, lambda: 0)
    #expect(oneStep.advantages == [[1, 2, 4]])
    #expect(oneStep.returns == [[2, 4, 8]])
    let half = generalizedAdvantages(rewards: rewards, values: values, gamma: 1, lambda: 0.5)
    #expect(half.advantages == [[3, 4, 4]])
  }

  @Test func rowsDoNotTouchEachOther() {
    let (rewards, values): ([[Float]], [[Float]]) = (
      [[1, 2], [3], [4, 5, 6]], [[0, 1], [2], [3, 4, 5]]
    )
    let together = generalizedAdvantages(rewards: rewards, values: values, gamma: 0.9, lambda: 0.8)
    for row in rewards.indices {
      let alone = generalizedAdvantages(
        rewards: [rewards[row]], values: [values[row]], gamma: 0.9, lambda: 0.8)
      #expect(alone.advantages[0] == together.advantages[row])
      #expect(alone.returns[0] == together.returns[row])
    }
  }

  @Test func whiteningTakesOutTheMeanOrKeepsIt() {
    let rows: [[Float]] = [[1, 2], [3, 4, 10]]
    for keeping in [false, true] {
      let values = whitened(rows, keepingMean: keeping).flatMap { $0 }
      let mean = values.reduce(0, +) / 5
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4
      PlumbTestSupport.expectClose(mean, keeping ? 4 : 0, absolute: 1e-6)
      PlumbTestSupport.expectClose(variance, 1)
    }
  }

  @Test func whiteningWithoutVariance() {
    #expect(whitened([[3, 3], [3]], keepingMean: false) == [[0, 0], [0]])
    #expect(whitened([[3, 3], [3]], keepingMean: true) == [[3, 3], [3]])
    #expect(whitened([[7]], keepingMean: false) == [[0]])
    #expect(whitened([[], [7]], keepingMean: true) == [[], [7]])
  }

  @Test func explainedVarianceByHand() {
    #expect(explainedVariance(values: [[1, 2], [3]], returns: [[1, 2], [3]]) == 1)
    #expect(explainedVariance(values: [[5, 5], [5]], returns: [[1, 2], [3]]) == 0)
    #expect(explainedVariance(values: [[3, 2], [1]], returns: [[1, 2], [3]]) == -3)
    #expect(explainedVariance(values: [[3, 2]], returns: [[1, 1]]) == 0)
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) {
      _ = tokenRewards(logprobs: [], referenceLogprobs: [], scores: [], klCoefficient: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = tokenRewards(logprobs: [[]], referenceLogprobs: [[]], scores: [1], klCoefficient: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = tokenRewards(logprobs: [[1]], referenceLogprobs: [[1]], scores: [], klCoefficient: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = generalizedAdvantages(rewards: [[1, 2]], values: [[1]], gamma: 1, lambda: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = generalizedAdvantages(rewards: [[1]], values: [[1]], gamma: 1.1, lambda: 1)
    }
    await #expect(processExitsWith: .failure) { _ = whitened([[]], keepingMean: true) }
  }
}
