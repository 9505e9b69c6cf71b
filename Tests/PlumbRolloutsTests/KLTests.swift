import Foundation
import PlumbRollouts
import PlumbTestSupport
import Testing

struct KLTests {
  struct File: Decodable {
    struct Controller: Decodable {
      struct Step: Decodable {
        let kl: Double
        let coefficient: Double
      }
      let initial, target, horizon: Double
      let batch: Int
      let steps: [Step]
    }
    let adaptive_kl: Controller
  }

  @Test(arguments: KLEstimator.allCases) func goldenEstimates(_ estimator: KLEstimator) throws {
    let golden = try Golden("ppo")
    let policy = try AdvantagesTests.rows(golden, "logprobs")
    let reference = try AdvantagesTests.rows(golden, "ref_logprobs")
    let estimates = zip(policy, reference).map { rows in
      zip(rows.0, rows.1).map { estimator($0 - $1) }
    }
    AdvantagesTests.expectClose(
      estimates, try AdvantagesTests.rows(golden, "kl.\(estimator.rawValue)"))
  }

  /// Over the whole vocabulary the expectation of `k1` and of `k3` is the KL itself.
  @Test func estimatorsAreUnbiased() {
    let policy = [0.7, 0.2, 0.1]
    let reference = [0.5, 0.25, 0.25]
    let kl = zip(policy, reference).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
    for estimator in [KLEstimator.k1, .k3] {
      let mean = zip(policy, reference).reduce(0) {
        $0 + $1.0 * Double(estimator(Float(log($1.0 / $1.1))))
      }
      expectClose(mean, kl, absolute: 1e-6)
    }
    expectClose(KLEstimator.k2(0.6), 0.18)
    // exp(−d) − 1 + d in single precision would give 0 or 6e-8 here.
    expectClose(KLEstimator.k3(1e-3), 0.5e-6, absolute: 1e-9, relative: 0)
  }

  @Test func summaryPerSequenceAndPerToken() {
    let summary = KLSummary(
      logprobs: [[-1, -1, -1], [-2]], referenceLogprobs: [[-2, -3, -1], [-1]])
    #expect(summary.perSequence == 1)
    #expect(summary.perToken == 0.5)
  }

  @Test func goldenController() throws {
    let reference = try Golden.json("ppo", as: File.self).adaptive_kl
    var controller = AdaptiveKLController(
      initial: reference.initial, target: reference.target, horizon: reference.horizon)
    for step in reference.steps {
      controller.update(kl: step.kl, episodes: reference.batch)
      expectClose(controller.coefficient, step.coefficient, absolute: 1e-15, relative: 1e-13)
      // What a checkpoint keeps goes on where it was.
      let data = try JSONEncoder().encode(controller)
      controller = try JSONDecoder().decode(AdaptiveKLController.self, from: data)
    }
  }

  @Test func controllerIgnoresWhatIsNoNumber() {
    var controller = AdaptiveKLController(initial: 0.3)
    controller.update(kl: .nan, episodes: 64)
    controller.update(kl: .infinity, episodes: 64)
    #expect(controller.coefficient == 0.3)
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = AdaptiveKLController(target: 0) }
    await #expect(processExitsWith: .failure) {
      _ = KLSummary(logprobs: [[1]], referenceLogprobs: [[1, 2]])
    }
    await #expect(processExitsWith: .failure) {
      _ = KLSummary(logprobs: [], referenceLogprobs: [])
    }
  }
}
