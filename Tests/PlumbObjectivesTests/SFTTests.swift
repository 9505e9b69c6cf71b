import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

struct SFTTests {
  @Test func meanIsOverTokens() {
    let logprobs = Tensor.variable([log(0.5), log(0.25), log(0.125), log(0.5)], shape: [4])
    let objective = sft(logprobs: logprobs)
    expectClose(objective.loss.item, 7 * logOf2 / 4)
    expectClose(objective.statistics["nll"] ?? -1, 7 * Double(logOf2) / 4, relative: 1e-6)
    #expect(gradient(objective.loss, logprobs) == [-0.25, -0.25, -0.25, -0.25])
  }

  @Test func partsOfABatchAddUpToTheTokenMean() {
    let parts: [[Float]] = [[-1], [-2, -3, -6]]
    let shares = parts.map { sft(logprobs: Tensor($0), batchCount: 4) }
    expectClose(shares[0].loss.item + shares[1].loss.item, 3)
    var mean = StatisticsMean()
    shares.forEach { mean.add($0) }
    expectClose(mean.means["nll"] ?? -1, 3)
    #expect(StatisticsMean().means.isEmpty)
  }

  @Test func gradientsMatchFiniteDifferences() {
    checkGradients(of: [Tensor([-0.3, -0.5, -1])]) { sft(logprobs: $0[0], batchCount: 5).loss }
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = sft(logprobs: Tensor([])) }
    await #expect(processExitsWith: .failure) { _ = sft(logprobs: Tensor([-1], shape: [1, 1])) }
    await #expect(processExitsWith: .failure) {
      _ = Objective(loss: Tensor([1, 2]), statistics: [:], count: 2)
    }
  }
}
