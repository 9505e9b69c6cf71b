import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

struct GeneralPreferenceTests {
  @Test(arguments: [false, true], [false, true])
  func goldenScoresLossesAndGradients(l2: Bool, gated: Bool) throws {
    let golden = try Golden("gpm")
    let prefix = "l2_\(l2 ? 1 : 0).gate_\(gated ? 1 : 0)."
    let chosen = try golden.variable("chosen_embedding")
    let rejected = try golden.variable("rejected_embedding")
    let gate = try golden.variable("gate_logits")
    let scores = skewSymmetricScore(
      chosen: chosen, rejected: rejected, gate: gated ? gate : nil, l2Normalized: l2)
    let objective = generalPreference(scores: scores, tau: 0.1)
    expectClose(scores.scalars, try golden.floats(prefix + "score"))
    expectClose((scores / 0.1).sigmoid().scalars, try golden.floats(prefix + "probability"))
    expectClose([objective.loss.item], try golden.floats(prefix + "loss"))
    let gradients = Gradients(of: objective.loss)
    let expected = [
      ("grad.chosen", chosen), ("grad.rejected", rejected), ("grad.gate_logits", gate),
    ]
    for (name, variable) in expected.prefix(gated ? 3 : 2) {
      expectClose(
        gradients[variable]?.scalars ?? [], try golden.floats(prefix + name), absolute: 1e-5,
        relative: 1e-4, prefix + name)
    }
    #expect(gated || gradients[gate] == nil)
  }

  @Test func goldenTableOfAPool() throws {
    let golden = try Golden("gpm")
    let table = skewSymmetricTable(embeddings: try golden.tensor("pool_embeddings"))
    expectClose(table.flatMap { $0.map { Float($0) } }, try golden.floats("pool_scores"))
    for i in table.indices {
      for j in table.indices { #expect(table[i][j] == -table[j][i]) }
    }
  }

  /// Unit vectors a third of a turn apart: each beats the next by sin 120°, round and round.
  @Test func twoNumbersHoldACycle() {
    let angles = [0, 1, 2].map { Float($0) * 2 * .pi / 3 }
    let vectors = Tensor(angles.flatMap { [cos($0), sin($0)] }, shape: [3, 2])
    let scores = skewSymmetricScore(chosen: vectors, rejected: vectors.rows(at: [1, 2, 0]))
    let edge = Float(0.75).squareRoot()
    expectClose(scores.scalars, [edge, edge, edge])
    let table = skewSymmetricTable(embeddings: vectors).map { $0.map { Float($0) } }
    expectClose(table.flatMap { $0 }, [0, edge, -edge, -edge, 0, edge, edge, -edge, 0])
  }

  /// With `v = [r, c]` the model is Bradley-Terry: `s = c (r_i − r_j)` (arXiv 2410.02197, §4.1).
  @Test func bradleyTerryIsASpecialCase() {
    let chosen = Tensor([1.5, 0.5, -1, 0.5], shape: [2, 2])
    let rejected = Tensor([0.5, 0.5, 2, 0.5], shape: [2, 2])
    let scores = skewSymmetricScore(chosen: chosen, rejected: rejected)
    expectClose(scores.scalars, [0.5, -1.5])
    let objective = generalPreference(scores: scores, tau: 0.5)
    let reference = bradleyTerry(chosen: Tensor([1.5, -1]), rejected: Tensor([0.5, 2]))
    expectClose(objective.loss.item, reference.loss.item)
    #expect(objective.statistics["accuracy"] == 0.5)
  }

  @Test func swappingChangesTheSignExactly() {
    let a = Tensor([0.1, -0.7, 0.33, 1.9], shape: [1, 4])
    let b = Tensor([-2.3, 0.4, 0.01, 0.6], shape: [1, 4])
    let gate = Tensor([0.3, -0.9], shape: [1, 2])
    withEvery("l2", in: [false, true]) { l2 in
      let forward = skewSymmetricScore(chosen: a, rejected: b, gate: gate, l2Normalized: l2)
      let backward = skewSymmetricScore(chosen: b, rejected: a, gate: gate, l2Normalized: l2)
      #expect(forward.item == -backward.item)
      #expect(skewSymmetricScore(chosen: a, rejected: a, gate: gate, l2Normalized: l2).item == 0)
    }
  }

  @Test func gateOfEqualLogitsIsTheMeanOfTheBlocks() {
    let a = Tensor([1, 0, 0, 1], shape: [1, 4])
    let b = Tensor([0, 3, 1, 0], shape: [1, 4])
    // Blocks score 3 and −1.
    #expect(skewSymmetricScore(chosen: a, rejected: b).item == 2)
    let gate = Tensor([7, 7], shape: [1, 2])
    expectClose(skewSymmetricScore(chosen: a, rejected: b, gate: gate).item, 1)
    expectClose(
      skewSymmetricTable(embeddings: concatenated([a, b]), gate: gate)[0][1], 1)
  }

  @Test func normalizedScoresAreAtMostOne() {
    let a = Tensor([30, 0], shape: [1, 2])
    let b = Tensor([0, 40], shape: [1, 2])
    expectClose(skewSymmetricScore(chosen: a, rejected: b, l2Normalized: true).item, 1)
    expectClose(
      skewSymmetricTable(embeddings: concatenated([a, b]), l2Normalized: true)[0][1], 1)
  }

  @Test func tauDividesScoreAndMargin() {
    let objective = generalPreference(
      scores: Tensor([0.1 * logOf3 + 0.05]), tau: 0.1, margins: [0.05])
    expectClose(objective.loss.item, surpriseOfThreeQuarters)
  }

  @Test func gradientsMatchFiniteDifferences() {
    let a = Tensor([0.1, -0.7, 0.33, 0.9, 0.5, 0.2, -0.4, 0.8], shape: [2, 4])
    let b = Tensor([-0.3, 0.4, 0.91, 0.6, 0.7, -0.2, 0.6, -0.5], shape: [2, 4])
    let gate = Tensor([0.3, -0.9, 0.1, 0.4], shape: [2, 2])
    withEvery("l2", in: [false, true]) { l2 in
      checkGradients(of: [a, b, gate]) {
        generalPreference(
          scores: skewSymmetricScore(
            chosen: $0[0], rejected: $0[1], gate: $0[2], l2Normalized: l2),
          tau: 0.5, margins: [0.1, 0], weights: [1, 2], labels: [1, 0.3], labelSmoothing: 0.1
        ).loss
      }
    }
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) {
      let odd = Tensor([1, 2, 3], shape: [1, 3])
      _ = skewSymmetricScore(chosen: odd, rejected: odd)
    }
    await #expect(processExitsWith: .failure) {
      _ = skewSymmetricScore(
        chosen: Tensor([1, 2], shape: [1, 2]), rejected: Tensor([1, 2, 3, 4], shape: [1, 4]))
    }
    await #expect(processExitsWith: .failure) {
      let pair = Tensor([1, 2, 3, 4], shape: [1, 4])
      _ = skewSymmetricScore(
        chosen: pair, rejected: pair, gate: Tensor([1, 2, 3, 4], shape: [1, 4]))
    }
    await #expect(processExitsWith: .failure) {
      _ = skewSymmetricTable(embeddings: Tensor([1, 2, 3], shape: [1, 3]))
    }
    await #expect(processExitsWith: .failure) { _ = generalPreference(scores: Tensor([])) }
    await #expect(processExitsWith: .failure) { _ = generalPreference(scores: Tensor([1]), tau: 0) }
  }
}
