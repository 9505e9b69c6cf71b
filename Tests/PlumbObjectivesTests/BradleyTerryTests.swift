import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

struct BradleyTerryTests {
  @Test func oddsOfThreeToOneCostTheLogOfThreeQuarters() {
    let chosen = Tensor.variable([logOf3, 5], shape: [2])
    let rejected = Tensor.variable([0, 5], shape: [2])
    let objective = bradleyTerry(chosen: chosen, rejected: rejected)
    expectClose(objective.loss.item, (surpriseOfThreeQuarters + logOf2) / 2)
    // d/dr −log σ(d) = −σ(−d): a quarter for odds 3:1, a half for a tie; halved by the mean.
    expectClose(gradient(objective.loss, chosen), [-0.125, -0.25])
    expectClose(gradient(objective.loss, rejected), [0.125, 0.25])
    expectClose(objective.statistics["accuracy"] ?? -1, 0.75)
    expectClose(objective.statistics["margin"] ?? -1, Double(logOf3) / 2)
    expectClose(objective.statistics["nll"] ?? -1, Double(objective.loss.item))
    #expect(objective.count == 2)
  }

  @Test func marginIsTakenOffTheDifference() {
    let objective = bradleyTerry(
      chosen: Tensor([3]), rejected: Tensor([1]), margins: [2 - logOf3])
    expectClose(objective.loss.item, surpriseOfThreeQuarters)
    expectClose(objective.statistics["margin"] ?? -1, 2)
  }

  @Test func softLabelEqualToTheProbabilityHasNoGradient() {
    let chosen = Tensor.variable([logOf3], shape: [1])
    let objective = bradleyTerry(chosen: chosen, rejected: Tensor([0]), labels: [0.75])
    // The entropy of a coin that shows heads three times in four.
    expectClose(objective.loss.item, -(0.75 * log(Float(0.75)) + 0.25 * log(Float(0.25))))
    expectClose(gradient(objective.loss, chosen), [0], absolute: 1e-6)
  }

  @Test func smoothingIsTheSoftLabelOneMinusEpsilon() {
    let (chosen, rejected) = (Tensor([0.3, -1]), Tensor([-0.4, 2]))
    let smoothed = bradleyTerry(chosen: chosen, rejected: rejected, labelSmoothing: 0.1)
    let soft = bradleyTerry(chosen: chosen, rejected: rejected, labels: [0.9, 0.9])
    expectClose(smoothed.loss.item, soft.loss.item)
    let both = bradleyTerry(
      chosen: chosen, rejected: rejected, labels: [0.75, 0.75], labelSmoothing: 0.1)
    let expected = bradleyTerry(chosen: chosen, rejected: rejected, labels: [0.7, 0.7])
    expectClose(both.loss.item, expected.loss.item)
  }

  @Test func weightsScaleEachPairAndKeepTheDivisor() {
    let objective = bradleyTerry(
      chosen: Tensor([logOf3, 0]), rejected: Tensor([0, 0]), weights: [2, 0])
    expectClose(objective.loss.item, surpriseOfThreeQuarters)
  }

  @Test func centeringAddsTheSquaredSum() {
    let objective = bradleyTerry(chosen: Tensor([2]), rejected: Tensor([2]), centering: 0.01)
    expectClose(objective.loss.item, logOf2 + 0.16)
  }

  @Test func extremeRewardsStayFinite() {
    let chosen = Tensor.variable([-1e4, 1e4], shape: [2])
    let objective = bradleyTerry(chosen: chosen, rejected: Tensor([1e4, -1e4]))
    expectClose(objective.loss.item, 1e4)
    expectClose(gradient(objective.loss, chosen), [-0.5, 0])
  }

  @Test("Complaint 29, trlx#338: parts of a batch add up to the whole")
  func partsOfABatchAddUpToTheWhole() {
    let (chosen, rejected): ([Float], [Float]) = ([1, -0.5, 0.3], [0.2, 0.4, 0.1])
    let whole = bradleyTerry(chosen: Tensor(chosen), rejected: Tensor(rejected))
    var mean = StatisticsMean()
    var loss: Float = 0
    for part in [0..<1, 1..<3] {
      let objective = bradleyTerry(
        chosen: Tensor(Array(chosen[part])), rejected: Tensor(Array(rejected[part])), batchCount: 3)
      loss += objective.loss.item
      mean.add(objective)
    }
    expectClose(loss, whole.loss.item, absolute: 1e-6)
    for (name, value) in whole.statistics {
      expectClose(mean.means[name] ?? .nan, value, absolute: 1e-7, relative: 1e-6, name)
    }
    #expect(mean.means.count == whole.statistics.count)
  }

  @Test func gradientsMatchFiniteDifferences() {
    checkGradients(of: [Tensor([1.2, -0.3, 0.1]), Tensor([0.2, 0.5, 0.4])]) {
      bradleyTerry(
        chosen: $0[0], rejected: $0[1], margins: [0.1, -0.3, 0], weights: [1, 0.5, 2],
        labels: [1, 0.7, 0.2], labelSmoothing: 0.05, centering: 0.1
      ).loss
    }
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) {
      _ = bradleyTerry(chosen: Tensor([]), rejected: Tensor([]))
    }
    await #expect(processExitsWith: .failure) {
      _ = bradleyTerry(chosen: Tensor([1, 2]), rejected: Tensor([1]))
    }
    await #expect(processExitsWith: .failure) {
      _ = bradleyTerry(
        chosen: Tensor([1, 2], shape: [2, 1]), rejected: Tensor([1, 2], shape: [2, 1]))
    }
    await #expect(processExitsWith: .failure) {
      _ = bradleyTerry(chosen: Tensor([1]), rejected: Tensor([1]), margins: [0, 0])
    }
    await #expect(processExitsWith: .failure) {
      _ = bradleyTerry(chosen: Tensor([1]), rejected: Tensor([1]), weights: [])
    }
    await #expect(processExitsWith: .failure) {
      _ = bradleyTerry(chosen: Tensor([1]), rejected: Tensor([1]), labels: [1.5])
    }
    await #expect(processExitsWith: .failure) {
      _ = bradleyTerry(chosen: Tensor([1]), rejected: Tensor([1]), labelSmoothing: 0.5)
    }
  }
}
