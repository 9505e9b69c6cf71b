import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

/// The loss of a model that reads both responses together.
struct PairPreferenceTests {
  /// Log-odds of ¾ and ¼, and a tie.
  @Test func theLossIsLogisticInTheLogOdds() {
    let logits = Tensor.variable([logOf3, -logOf3, 0], shape: [3])
    let objective = pairPreference(logits: logits)
    let sure = log(Float(4) / 3)
    let wrong = log(Float(4))
    expectClose(objective.loss.item, (sure + wrong + logOf2) / 3)
    expectClose(gradient(objective.loss, logits), [-0.25 / 3, -0.75 / 3, -0.5 / 3])
    #expect(objective.count == 3)
    expectClose(objective.statistics["accuracy"] ?? -1, 0.5)
    expectClose(objective.statistics["logit"] ?? -1, 0, absolute: 1e-7)
    expectClose(objective.statistics["nll"] ?? -1, Double(sure + wrong + logOf2) / 3)
  }

  /// A tenth of the labels the wrong way round: the gradient is σ(z) less 0.9, and `nll` stays as it was.
  @Test func smoothingIsInTheLossAlone() {
    let logits = Tensor.variable([logOf3, -logOf3], shape: [2])
    let objective = pairPreference(logits: logits, labelSmoothing: 0.1)
    let (sure, wrong): (Float, Float) = (log(Float(4) / 3), log(Float(4)))
    expectClose(objective.loss.item, (sure + wrong) / 2)
    expectClose(gradient(objective.loss, logits), [-0.075, -0.325])
    expectClose(objective.statistics["nll"] ?? -1, Double(sure + wrong) / 2)
    let single = pairPreference(logits: Tensor([logOf3]), labelSmoothing: 0.1)
    expectClose(single.loss.item, 0.9 * sure + 0.1 * wrong)
  }

  @Test func partsOfABatchAddUpToTheWhole() {
    let logits: [Float] = [1.2, -0.3, 0.1]
    let whole = pairPreference(logits: Tensor(logits), labelSmoothing: 0.1).loss.item
    let parts = [logits.prefix(1), logits.suffix(2)].map {
      pairPreference(logits: Tensor(Array($0)), labelSmoothing: 0.1, batchCount: 3).loss.item
    }
    expectClose(parts[0] + parts[1], whole)
  }

  @Test func gradientsMatchFiniteDifferences() {
    for smoothing: Float in [0, 0.1] {
      for count in [nil, 5] {
        checkGradients(of: [Tensor([1.2, -0.3, 0.1])]) {
          pairPreference(logits: $0[0], labelSmoothing: smoothing, batchCount: count).loss
        }
      }
    }
  }
}
