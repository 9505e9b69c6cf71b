import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

struct GameTargetTests {
  private let scores = [0.7, -0.2, 0.05, -0.55]

  /// NumPy: `m + log(exp(s/b - m).mean())`.
  @Test(arguments: [(1.0, 0.10901232233147651), (0.1, 5.615334886585217), (0.001, 698.61370563888)])
  func logPartitionIsTheLogOfTheMeanOfExponentials(beta: Double, expected: Double) {
    expectClose(logPartition(scores, beta: beta), expected, absolute: 1e-12, relative: 1e-12)
  }

  @Test func estimatedTargetsAreTheMultiplicativeWeightsStep() {
    let targets = gameTargets(scores, beta: 0.1, partition: .estimated)
    expectClose(targets, [1.3846651, -7.6153349, -5.1153349, -11.1153349], absolute: 1e-5)
    // The new probabilities of the K equally likely samples add up to 1: (1/K) Σ exp(target) = 1.
    let total = targets.reduce(0.0) { $0 + exp(Double($1)) } / 4
    expectClose(total, 1, absolute: 1e-5)
    expectClose(gameTargets(scores, beta: 0.1), [7, -2, 0.5, -5.5], absolute: 1e-5)
  }

  /// The traps of the published pipeline: a table added to its transpose asks for twice the step, one
  /// divided by K - 1 for K/(K - 1) of it, and a temperature applied again for 1/tau of it.
  @Test func targetsAreNeitherDoubledNorScaledAgain() {
    let tau = 0.1
    let raw = [[0, 0.3, -0.1], [-0.3, 0, 0.2], [0.1, -0.2, 0]]
    let table = raw.map { $0.map { $0 / tau } }
    let targets = gameTargets(meanPreferenceScores(table), beta: 2)
    // (3 - 1)/3/2, (-3 + 2)/3/2, (1 - 2)/3/2.
    expectClose(targets, [1.0 / 3, -1.0 / 6, -1.0 / 6], absolute: 1e-6)
  }

  @Test func zeroIsExactWhereNothingIsPreferred() {
    #expect(logPartition([0, 0, 0], beta: 0.01) == 0)
    #expect(gameTargets([0, 0, 0], beta: 0.01, partition: .estimated) == [0, 0, 0])
    // Otherwise the mean of exponentials exceeds the exponential of the mean.
    #expect(logPartition([1, -1], beta: 1) > 0)
  }

  @Test func boundsHoldOnBothSidesAfterThePartition() {
    #expect(gameTargets([1, -1], beta: 0.001, bound: 3) == [3, -3])
    let bounded = gameTargets([1, -1], beta: 0.1, partition: .estimated, bound: 5)
    expectClose(bounded, [Float(log(2.0)), -5], absolute: 1e-5)
  }

  /// SPPO is GPO's squared loss with another target, so both share a trainer.
  @Test func theSharedLossIsThatOfBothPapers() throws {
    let golden = try Golden("gpo")
    let ratios = try golden.floats("log_ratio")
    let wins = try golden.floats("p_hat")
    let means = try golden.floats("s_hat")
    for (beta, name) in [(0.1, "0.1"), (1.0, "1.0")] {
      for row in 0..<15 {
        let ratio = Tensor([ratios[row]])
        let sppo = gpo(logRatio: ratio, targets: gameTargets([Double(wins[row]) - 0.5], beta: beta))
        expectClose(sppo.loss.item, try golden.floats("sppo.beta_\(name).losses")[row])
        let gpo = gpo(logRatio: ratio, targets: gameTargets([Double(means[row])], beta: beta))
        expectClose(gpo.loss.item, try golden.floats("gpo.beta_\(name).losses")[row])
      }
    }
  }

  @Test func gradientsMatchFiniteDifferences() {
    let targets = gameTargets([0.3, -0.1, 0.2], beta: 0.5, partition: .estimated)
    checkGradients(of: [Tensor([0.3, -0.5, 1])]) {
      gpo(
        logRatio: $0[0], targets: targets, lengths: [1, 2, 3], lengthExponent: 0.5, batchCount: 5
      )
      .loss
    }
  }

  @Test func partsOfABatchAddUpToTheWhole() {
    let ratios: [Float] = [0.3, -0.5, 1, 0.1]
    let targets: [Float] = [0.1, 0.2, -0.4, 0]
    let whole = gpo(logRatio: Tensor(ratios), targets: targets).loss.item
    let parts = [0..<1, 1..<4].map { rows in
      gpo(logRatio: Tensor(Array(ratios[rows])), targets: Array(targets[rows]), batchCount: 4).loss
        .item
    }
    expectClose(parts.reduce(0, +), whole, absolute: 1e-6)
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = logPartition([], beta: 1) }
    await #expect(processExitsWith: .failure) { _ = logPartition([1], beta: 0) }
    await #expect(processExitsWith: .failure) { _ = gpo(logRatio: Tensor([1]), targets: [1, 2]) }
  }
}
