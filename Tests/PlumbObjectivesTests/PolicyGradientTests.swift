import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

struct PolicyGradientTests {
  @Test func plainPolicyGradientByHand() {
    let logprobs = Tensor.variable([-1, -2, -0.5], shape: [3])
    let objective = reinforce(logprobs: logprobs, advantages: [1, -2, 4])
    // −(1·−1 + −2·−2 + 4·−0.5)/3.
    expectClose(objective.loss.item, -1.0 / 3)
    expectClose(gradient(objective.loss, logprobs), [-1.0 / 3, 2.0 / 3, -4.0 / 3])
    expectClose(objective.statistics["policy/logprob_avg"] ?? 0, -3.5 / 3)
    let weighted = reinforce(
      logprobs: logprobs, advantages: [1, -2, 4], weights: [0.5, 0.25, 0.125])
    expectClose(gradient(weighted.loss, logprobs), [-0.5, 0.5, -0.5])
  }

  @Test func estimatorsByHand() {
    let logprobs = Tensor.variable([-1, -2], shape: [2])
    let reference: [Float] = [-1.5, -1]
    // d = 0.5 and −1.
    let values: [(KLLossEstimator, Float)] = [
      (.k1, -0.25), (.k2, (0.125 + 0.5) / 2), (.k3, (exp(-0.5) - 0.5 + exp(1) - 2) / 2),
    ]
    for (estimator, value) in values {
      for choice in KLGradient.allCases {
        let objective = klLoss(
          logprobs: logprobs, referenceLogprobs: reference, estimator: estimator, gradient: choice)
        expectClose(objective.loss.item, value, "\(estimator), \(choice)")
        expectClose(objective.statistics["kl"] ?? -1, Double(value), "\(estimator)")
      }
      // Unbiased: d/N, whatever the value.
      let unbiased = klLoss(
        logprobs: logprobs, referenceLogprobs: reference, estimator: estimator)
      expectClose(gradient(unbiased.loss, logprobs), [0.25, -0.5])
    }
    let own = klLoss(
      logprobs: logprobs, referenceLogprobs: reference, estimator: .k3, gradient: .automatic)
    // (1 − e^{−d})/N.
    expectClose(gradient(own.loss, logprobs), [(1 - exp(-0.5)) / 2, (1 - exp(1)) / 2])
  }

  /// Over all tokens of a small vocabulary: the unbiased gradient is that of KL(π ‖ π_ref); k1's own is
  /// 0, and k3's own that of KL(π_ref ‖ π).
  @Test func expectationsOfTheGradients() {
    let logits: [Float] = [0.3, -1.2, 0.9, 0.1]
    let reference: [Float] = [-0.4, 0.2, 0.5, -0.9]
    func normalised(_ logits: [Float]) -> [Double] {
      let sum = logits.reduce(0.0) { $0 + exp(Double($1)) }
      return logits.map { exp(Double($0)) / sum }
    }
    let (p, q) = (normalised(logits), normalised(reference))
    func forward(_ logits: [Float]) -> Double {
      zip(normalised(logits), q).reduce(0.0) { $0 + $1.0 * log($1.0 / $1.1) }
    }
    func backward(_ logits: [Float]) -> Double {
      zip(normalised(logits), q).reduce(0.0) { $0 + $1.1 * log($1.1 / $1.0) }
    }
    func numeric(_ value: ([Float]) -> Double) -> [Float] {
      logits.indices.map { index in
        var (up, down) = (logits, logits)
        up[index] += 1e-2
        down[index] -= 1e-2
        return Float((value(up) - value(down)) / Double(up[index] - down[index]))
      }
    }
    /// The expectation over tokens drawn from π: every token with its probability as weight.
    func expected(_ estimator: KLLossEstimator, _ choice: KLGradient) -> [Float] {
      let variable = Tensor.variable(logits, shape: [1, 4])
      let logprobs = logSoftmax(variable).reshaped([4])
      let loss = klLoss(
        logprobs: logprobs, referenceLogprobs: q.map { Float(log($0)) }, estimator: estimator,
        gradient: choice, weights: p.map { Float($0) }
      ).loss
      return gradient(loss, variable)
    }
    for estimator in KLLossEstimator.allCases {
      expectClose(expected(estimator, .unbiased), numeric(forward), absolute: 1e-4)
    }
    expectClose(expected(.k1, .automatic), [0, 0, 0, 0], absolute: 1e-6)
    expectClose(expected(.k2, .automatic), numeric(forward), absolute: 1e-4)
    expectClose(expected(.k3, .automatic), numeric(backward), absolute: 1e-4)
    #expect(!isClose(numeric(forward), numeric(backward), absolute: 1e-2))
  }

  @Test func finiteDifferences() {
    let inputs = [Tensor([-1, -2, -0.5, -0.1])]
    for estimator in KLLossEstimator.allCases {
      checkGradients(of: inputs) {
        klLoss(
          logprobs: $0[0], referenceLogprobs: [-1.3, -1.2, -0.6, -2], estimator: estimator,
          gradient: .automatic, weights: [0.1, 0.4, 0.2, 0.3]
        ).loss
      }
    }
    checkGradients(of: inputs) {
      reinforce(logprobs: $0[0], advantages: [1, -2, 0.5, 3]).loss
    }
    // Ratios 1.35, 0.45, 1.1, 1.5: away from the kinks at 0.8, 1.2 and 3.
    checkGradients(of: inputs) {
      ppoPolicy(
        logprobs: $0[0], oldLogprobs: [-1.3, -1.2, -0.6, -0.5], advantages: [1, -2, 3, -0.5],
        dualClip: 3, weights: [0.1, 0.4, 0.2, 0.3]
      ).loss
    }
  }

  @Test func anImpossibleTokenStaysFinite() {
    let logprobs = Tensor.variable([-300, -1], shape: [2])
    for choice in KLGradient.allCases {
      let objective = klLoss(
        logprobs: logprobs, referenceLogprobs: [0, -1], estimator: .k3, gradient: choice)
      #expect(objective.loss.item.isFinite)
      let isFinite = gradient(objective.loss, logprobs).allSatisfy { $0.isFinite }
      #expect(isFinite)
    }
  }

  /// With A < 0 and ρ = 5, the pessimistic term is 5·|A|; the dual clip holds it at 3·|A|.
  @Test func dualClipBoundsWhatABadTokenCosts() {
    let logprobs = Tensor.variable([log(5), log(5), log(2)], shape: [3])
    let open = ppoPolicy(
      logprobs: logprobs, oldLogprobs: [0, 0, 0], advantages: [-2, 1, -1], clip: 0.2)
    expectClose(open.loss.item, (10 - 1.2 + 2) / 3)
    let bounded = ppoPolicy(
      logprobs: logprobs, oldLogprobs: [0, 0, 0], advantages: [-2, 1, -1], clip: 0.2, dualClip: 3)
    expectClose(bounded.loss.item, (6 - 1.2 + 2) / 3)
    expectClose(gradient(bounded.loss, logprobs), [0, 0, 2.0 / 3])
  }

  @Test func clippedSharesTellTheSides() {
    let ratios: [Float] = [1.5, 0.5, 1.5, 0.5, 1]
    let objective = ppoPolicy(
      logprobs: Tensor(ratios.map { log($0) }), oldLogprobs: [0, 0, 0, 0, 0],
      advantages: [1, 1, -1, -1, 1])
    #expect(objective.statistics["policy/clipfrac_high_avg"] == 0.2)
    #expect(objective.statistics["policy/clipfrac_low_avg"] == 0.2)
    #expect(objective.statistics["policy/clipfrac_avg"] == 0.4)
  }

  @Test func weightsTakeThePlaceOfTheMean() {
    let (new, old): ([Float], [Float]) = ([-1, -2, -0.5], [-1.3, -1.8, -0.4])
    let mean = ppoPolicy(logprobs: Tensor(new), oldLogprobs: old, advantages: [1, -2, 4])
    let weighted = ppoPolicy(
      logprobs: Tensor(new), oldLogprobs: old, advantages: [1, -2, 4],
      weights: [1.0 / 3, 1.0 / 3, 1.0 / 3])
    expectClose(mean.loss.item, weighted.loss.item)
    let masked = ppoPolicy(
      logprobs: Tensor(new), oldLogprobs: old, advantages: [1, .nan, 4],
      mask: [true, false, true], weights: [0.5, .nan, 0.5])
    let rest = ppoPolicy(
      logprobs: Tensor([-1, -0.5]), oldLogprobs: [-1.3, -0.4], advantages: [1, 4])
    expectClose(masked.loss.item, rest.loss.item)
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) {
      _ = reinforce(logprobs: Tensor([1]), advantages: [1, 2])
    }
    await #expect(processExitsWith: .failure) {
      _ = klLoss(logprobs: Tensor([1, 2]), referenceLogprobs: [1])
    }
    await #expect(processExitsWith: .failure) {
      _ = klLoss(logprobs: Tensor([1, 2]), referenceLogprobs: [1, 2], weights: [1])
    }
    await #expect(processExitsWith: .failure) {
      _ = reinforce(logprobs: Tensor([1]), advantages: [1], weights: [1], batchCount: 3)
    }
    await #expect(processExitsWith: .failure) {
      _ = ppoPolicy(logprobs: Tensor([1]), oldLogprobs: [1], advantages: [1], dualClip: 1)
    }
  }
}
