import Foundation
import PlumbCheckpoints
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

/// `golden/gpm`: scores, loss and gradients for every combination of normalisation and gate.
@Suite struct GeneralPreferenceGoldenTests {
  let expected: SafetensorsFile

  init() throws {
    expected = try SafetensorsFile(contentsOf: Fixtures.url("golden/gpm.safetensors"))
  }

  private func variable(_ name: String) throws -> Tensor {
    let shape = try #require(expected.shape(of: name))
    return .variable(try expected.floats(named: name), shape: Shape(shape))
  }

  @Test(arguments: [false, true], [false, true])
  func scoresLossAndGradients(normalises: Bool, isGated: Bool) throws {
    let (chosen, rejected) = (
      try variable("chosen_embedding"), try variable("rejected_embedding")
    )
    let gateLogits = try variable("gate_logits")
    let scores = skewScores(
      normalises ? chosen.l2Normalized() : chosen,
      normalises ? rejected.l2Normalized() : rejected,
      gates: isGated ? softmax(gateLogits) : nil)
    let loss = -(scores / 0.1).logSigmoid().mean()
    let gradients = Gradients(of: loss)

    let name = "l2_\(normalises ? 1 : 0).gate_\(isGated ? 1 : 0)."
    expectClose(scores.scalars, try expected.floats(named: name + "score"), absolute: 1e-5)
    expectClose(
      (scores / 0.1).sigmoid().scalars, try expected.floats(named: name + "probability"),
      absolute: 1e-5)
    expectClose([loss.item], try expected.floats(named: name + "loss"), absolute: 1e-5)
    var checked = [("grad.chosen", chosen), ("grad.rejected", rejected)]
    if isGated { checked.append(("grad.gate_logits", gateLogits)) }
    for (gradient, variable) in checked {
      let reference = try expected.floats(named: name + gradient)
      let found = try #require(gradients[variable])
      expectClose(found.scalars, reference, absolute: 1e-5, relative: 1e-3, name + gradient)
    }
  }

  @Test func tableOfSevenResponses() throws {
    let values = try expected.floats(named: "pool_embeddings")
    let embeddings = PreferenceEmbeddings(
      responses: (0..<7).map { Array(values[$0 * 8..<($0 + 1) * 8]) })
    let table = embeddings.preferenceLogits(tau: 0.1)
    let reference = try expected.floats(named: "pool_scores").map { Double($0) / 0.1 }
    expectClose(table.flatMap { $0 }, reference, absolute: 1e-4, relative: 1e-5)
    for i in 0..<7 {
      #expect(table[i][i] == 0)
      for j in 0..<7 { #expect(table[i][j] == -table[j][i]) }
    }
  }
}
