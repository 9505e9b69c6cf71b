import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

struct GPOTests {
  @Test(arguments: [(Float(0.1), "0.1"), (Float(1), "1.0")])
  func goldenLossesAndGradients(beta: Float, name: String) throws {
    let golden = try Golden("gpo")
    let scores = try golden.floats("s_hat")
    let ratio = Tensor.variable(try golden.floats("log_ratio"), shape: [15])
    let objective = gpo(logRatio: ratio, preferenceScores: scores, beta: beta)
    let losses = try golden.floats("gpo.beta_\(name).losses")
    expectClose(objective.loss.item, losses.reduce(0, +) / 15)
    expectClose(
      gradient(objective.loss, ratio), try golden.floats("gpo.beta_\(name).grad"),
      absolute: 1e-5, relative: 1e-5)
    for row in 0..<15 {
      let single = Tensor([ratio.scalars[row]])
      let alone = gpo(logRatio: single, preferenceScores: [scores[row]], beta: beta)
      expectClose(alone.loss.item, losses[row])
    }
  }

  @Test(arguments: [(Float(0.1), "0.1"), (Float(1), "1.0")])
  func goldenSPPOLosses(beta: Float, name: String) throws {
    let golden = try Golden("gpo")
    let ratios = try golden.floats("log_ratio")
    let probabilities = try golden.floats("p_hat")
    let losses = try golden.floats("sppo.beta_\(name).losses")
    for row in 0..<15 {
      let objective = sppo(
        logRatio: Tensor([ratios[row]]), winProbabilities: [probabilities[row]], beta: beta)
      expectClose(objective.loss.item, losses[row])
    }
    let whole = sppo(logRatio: Tensor(ratios), winProbabilities: probabilities, beta: beta)
    expectClose(whole.loss.item, losses.reduce(0, +) / 15)
  }

  @Test func goldenTablesAndTheirMeans() throws {
    let golden = try Golden("gpo")
    let embeddings = try golden.floats("embeddings")
    let logits = try golden.floats("preference_logits")
    for prompt in 0..<3 {
      let table = skewSymmetricTable(
        embeddings: Tensor(Array(embeddings[prompt * 40..<prompt * 40 + 40]), shape: [5, 8])
      ).map { row in row.map { $0 / 0.1 } }
      expectClose(
        table.flatMap { $0.map { Float($0) } }, Array(logits[prompt * 25..<prompt * 25 + 25]))
      let row = prompt * 5..<prompt * 5 + 5
      expectClose(
        meanPreferenceScores(table).map { Float($0) }, Array(try golden.floats("s_hat")[row]))
      expectClose(
        meanWinProbabilities(table).map { Float($0) }, Array(try golden.floats("p_hat")[row]))
    }
  }

  @Test func cycleAsksForNoChange() {
    let table: [[Double]] = [[0, 2, -2], [-2, 0, 2], [2, -2, 0]]
    let scores = meanPreferenceScores(table)
    #expect(scores == [0, 0, 0])
    expectClose(meanWinProbabilities(table), [0.5, 0.5, 0.5])
    let ratio = Tensor.variable([0, 0, 0], shape: [3])
    let objective = gpo(logRatio: ratio, preferenceScores: scores.map { Float($0) }, beta: 0.1)
    #expect(objective.loss.item == 0)
    #expect(gradient(objective.loss, ratio) == [0, 0, 0])
  }

  @Test func lossIsZeroAtTheMultiplicativeWeightsUpdate() {
    // π ∝ π_t exp(ŝ/β), up to the partition term that is left out.
    let objective = gpo(logRatio: Tensor([4, -4]), preferenceScores: [0.4, -0.4], beta: 0.1)
    expectClose(objective.loss.item, 0, absolute: 1e-9)
    let off = gpo(logRatio: Tensor([4, -1]), preferenceScores: [0.4, -0.4], beta: 0.1)
    expectClose(off.loss.item, 4.5)
    expectClose(off.statistics["gpo/error"] ?? -1, 1.5)
    expectClose(off.statistics["gpo/score"] ?? -1, 0, absolute: 1e-9)
  }

  @Test func lengthsAndBounds() {
    let halved = gpo(logRatio: Tensor([8]), preferenceScores: [2], beta: 1, lengths: [4])
    #expect(halved.loss.item == 0)
    let root = gpo(
      logRatio: Tensor([8]), preferenceScores: [4], beta: 1, lengths: [4], lengthExponent: 0.5)
    #expect(root.loss.item == 0)
    let bounded = gpo(
      logRatio: Tensor([0, 0]), preferenceScores: [1, -1], beta: 0.001, targetBound: 3)
    #expect(bounded.loss.item == 9)
    #expect(bounded.statistics["gpo/target"] == 0)
  }

  @Test func gradientsMatchFiniteDifferences() {
    checkGradients(of: [Tensor([0.3, -0.5, 1])]) {
      gpo(logRatio: $0[0], preferenceScores: [0.1, -0.4, 0.2], beta: 0.5, lengths: [1, 2, 3]).loss
    }
    checkGradients(of: [Tensor([0.3, -0.5, 1])]) {
      sppo(logRatio: $0[0], winProbabilities: [0.1, 0.4, 0.9], beta: 0.5).loss
    }
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) {
      _ = gpo(logRatio: Tensor([]), preferenceScores: [], beta: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = gpo(logRatio: Tensor([1]), preferenceScores: [1, 2], beta: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = gpo(logRatio: Tensor([1]), preferenceScores: [1], beta: 0)
    }
    await #expect(processExitsWith: .failure) {
      _ = gpo(logRatio: Tensor([1]), preferenceScores: [1], beta: 1, lengths: [0])
    }
    await #expect(processExitsWith: .failure) {
      _ = sppo(logRatio: Tensor([1]), winProbabilities: [2], beta: 1)
    }
    await #expect(processExitsWith: .failure) { _ = meanPreferenceScores([[0, 1]]) }
    await #expect(processExitsWith: .failure) { _ = meanWinProbabilities([]) }
  }
}
