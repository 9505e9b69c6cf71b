import Foundation
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbObjectives

/// The list of losses that recipes choose from.
struct PairLossTests {
  /// The options that the golden cases were made with, and the names of their losses there.
  static let golden: [(loss: PairLoss, options: PairLossOptions, name: String)] = [
    (.sigmoid, PairLossOptions(), "sigmoid.smoothing_0.0"),
    (.cdpo, PairLossOptions(labelSmoothing: 0.2), "sigmoid.smoothing_0.2"),
    (.robust, PairLossOptions(labelSmoothing: 0.2), "robust.smoothing_0.2"),
    (.ipo, PairLossOptions(), "ipo.smoothing_0.0"),
    (.hinge, PairLossOptions(), "hinge.smoothing_0.0"),
    (.exo, PairLossOptions(labelSmoothing: 0.001), "exo_pair.smoothing_0.001"),
    (.nca, PairLossOptions(), "nca_pair.smoothing_0.0"),
    (.sppoHard, PairLossOptions(), "sppo_hard.smoothing_0.0"),
    (.apoZero, PairLossOptions(), "apo_zero.smoothing_0.0"),
    (.apoDown, PairLossOptions(), "apo_down.smoothing_0.0"),
    (.discoPOP, PairLossOptions(tau: 0.05), "discopop.smoothing_0.0"),
    (.aot, PairLossOptions(), "aot.smoothing_0.0"),
    (.aotUnpaired, PairLossOptions(), "aot_pair.smoothing_0.0"),
    (.simPO, PairLossOptions(beta: 2, margin: 1), "simpo"),
    (.orpo, PairLossOptions(lambda: 0.1), "orpo"),
  ]

  /// The golden pairs, with gradients.
  static func rows() throws -> PairRows {
    let golden = try Golden("preference_losses")
    return PairRows(
      chosen: try golden.variable("chosen_logps"), rejected: try golden.variable("rejected_logps"),
      chosenLengths: try golden.integers("chosen_lengths"),
      rejectedLengths: try golden.integers("rejected_lengths"),
      reference: (
        try golden.floats("ref_chosen_logps"), try golden.floats("ref_rejected_logps")
      ))
  }

  @Test func everyNameIsTheLossOfTheGoldenFile() throws {
    let file = try Golden("preference_losses")
    for (loss, options, name) in Self.golden {
      let rows = try Self.rows()
      let objective = loss.objective(rows, options)
      let expected = mean(try file.floats("\(name).losses"))
      expectClose(Double(objective.loss.item), expected, absolute: 1e-5, relative: 1e-5, name)
      guard file.names.contains("\(name).grad.chosen") else { continue }
      let reference = try file.floats("\(name).grad.chosen")
      let size = reference.map { abs($0) }.max() ?? 0
      expectClose(
        gradient(objective.loss, rows.chosen), reference, absolute: 1e-5 * size, relative: 1e-3,
        name)
    }
    #expect(Set(Self.golden.map(\.loss)) == Set(PairLoss.allCases).subtracting([.cpo]))
  }

  /// The log-probabilities of the golden pairs, in Double.
  private struct GoldenPairs {
    let chosen: [Double]
    let rejected: [Double]
    let reference: (chosen: [Double], rejected: [Double])

    init() throws {
      let golden = try Golden("preference_losses")
      func values(_ name: String) throws -> [Double] { try golden.floats(name).map { Double($0) } }
      (chosen, rejected) = (try values("chosen_logps"), try values("rejected_logps"))
      reference = (try values("ref_chosen_logps"), try values("ref_rejected_logps"))
    }
  }

  private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  private static func average(_ values: [Double]) -> Double {
    values.reduce(0, +) / Double(values.count)
  }

  /// Equation 3 of arXiv 2401.08417 with the smoothing of TRL's `CPOTrainer.cpo_loss`, beta 0.1.
  @Test(arguments: [0, 0.2]) func cpoIsItsFormula(_ smoothing: Double) throws {
    let (pairs, beta) = (try GoldenPairs(), 0.1)
    let margins = zip(pairs.chosen, pairs.rejected).map { beta * ($0 - $1) }
    let losses = margins.map {
      -(1 - smoothing) * log(Self.sigmoid($0)) - smoothing * log(Self.sigmoid(-$0))
    }
    // d/dx of it is ε − σ(−x), times β over the number of pairs.
    let slopes = margins.map {
      beta * (smoothing - Self.sigmoid(-$0)) / Double(margins.count)
    }
    let rows = try Self.rows()
    let objective = PairLoss.cpo.objective(
      rows, PairLossOptions(labelSmoothing: Float(smoothing)))
    expectClose(Double(objective.loss.item), Self.average(losses), absolute: 1e-5)
    expectClose(
      gradient(objective.loss, rows.chosen).map { Double($0) }, slopes, absolute: 1e-7,
      relative: 1e-4)
    expectClose(
      gradient(objective.loss, rows.rejected).map { Double($0) }, slopes.map { -$0 },
      absolute: 1e-7, relative: 1e-4)
    for (name, logps) in [("chosen", pairs.chosen), ("rejected", pairs.rejected)] {
      expectClose(
        objective.statistics["rewards/\(name)"] ?? .nan, beta * Self.average(logps),
        absolute: 1e-5, name)
    }
  }

  /// Log-ratios divided by the lengths, as TRL divides them for its `ipo` and `sigmoid_norm`:
  /// `−log σ(βh)` and `(h − 1/(2β))²` with beta 0.1.
  @Test func perTokenRatiosAreMeansOverTheTokens() throws {
    let (pairs, rows, beta) = (try GoldenPairs(), try Self.rows(), 0.1)
    func perToken(_ policy: [Double], _ reference: [Double], _ lengths: [Int]) -> [Double] {
      policy.indices.map { (policy[$0] - reference[$0]) / Double(lengths[$0]) }
    }
    let ratios = (
      chosen: perToken(pairs.chosen, pairs.reference.chosen, rows.chosenLengths),
      rejected: perToken(pairs.rejected, pairs.reference.rejected, rows.rejectedLengths)
    )
    let margins = zip(ratios.chosen, ratios.rejected).map { $0 - $1 }
    let expected: [(loss: PairLoss, losses: [Double])] = [
      (.sigmoid, margins.map { -log(Self.sigmoid(beta * $0)) }),
      (.ipo, margins.map { ($0 - 1 / (2 * beta)) * ($0 - 1 / (2 * beta)) }),
    ]
    for (loss, losses) in expected {
      let objective = loss.objective(rows, PairLossOptions(), isPerToken: true)
      expectClose(
        Double(objective.loss.item), Self.average(losses), absolute: 1e-4, relative: 1e-5,
        loss.rawValue)
    }
  }

  @Test func whatIsReadIsWhatChangesTheLoss() throws {
    let base = PairLossOptions(beta: 0.3, labelSmoothing: 0.1, margin: 0.4, lambda: 0.5, tau: 0.2)
    for loss in PairLoss.allCases {
      #expect(loss.needs.isSubset(of: loss.reads), "\(loss)")
      let before = loss.objective(try Self.rows(), base).loss.item
      for option in PairLoss.Option.allCases {
        var changed = base
        switch option {
        case .beta: changed.beta = 0.5
        case .labelSmoothing: changed.labelSmoothing = 0.3
        case .margin: changed.margin = 0.9
        case .lambda: changed.lambda = 0.9
        case .tau: changed.tau = 0.7
        }
        let after = loss.objective(try Self.rows(), changed).loss.item
        #expect((after != before) == loss.reads.contains(option), "\(loss), \(option)")
      }
      var rows = try Self.rows()
      rows.reference.chosen = rows.reference.chosen.enumerated().map { $1 + Float($0) }
      let moved = loss.objective(rows, base).loss.item
      #expect((moved != before) == loss.usesReference, "\(loss)")
    }
  }

  /// Without a reference none is asked for.
  @Test func referenceFreeLossesNeedNoReference() throws {
    for loss in PairLoss.allCases where !loss.usesReference {
      var rows = try Self.rows()
      rows.reference = ([], [])
      let value = loss.objective(rows, PairLossOptions(margin: 1, lambda: 0.1)).loss.item
      #expect(value.isFinite, "\(loss)")
    }
  }

  @Test func partsOfABatchAddUp() throws {
    let options = PairLossOptions(labelSmoothing: 0.1, margin: 0.4, lambda: 0.5, tau: 0.2)
    func part(_ range: Range<Int>) throws -> PairRows {
      let all = try Self.rows()
      return PairRows(
        chosen: all.chosen.elements(at: Array(range)),
        rejected: all.rejected.elements(at: Array(range)),
        chosenLengths: Array(all.chosenLengths[range]),
        rejectedLengths: Array(all.rejectedLengths[range]),
        reference: (Array(all.reference.chosen[range]), Array(all.reference.rejected[range])))
    }
    for loss in PairLoss.allCases where !loss.comparesWholeBatch {
      for isPerToken in [false, true] {
        let whole = loss.objective(try part(0..<12), options, isPerToken: isPerToken).loss.item
        let parts = try [0..<5, 5..<6, 6..<12].map {
          loss.objective(try part($0), options, isPerToken: isPerToken, batchCount: 12).loss.item
        }
        expectClose(parts.reduce(0, +), whole, absolute: 1e-5, relative: 1e-5, loss.rawValue)
      }
    }
  }

  @Test func severalLossesAreTheirWeightedSum() throws {
    let options = PairLossOptions(tau: 0.05)
    let rows = try Self.rows()
    let values = [PairLoss.ipo, .nca, .discoPOP].map {
      Double($0.objective(rows, options).loss.item)
    }
    let sum = pairObjective([(.ipo, 1), (.nca, 0.5), (.discoPOP, 2)], rows, options)
    expectClose(
      Double(sum.loss.item), values[0] + 0.5 * values[1] + 2 * values[2], absolute: 1e-3,
      relative: 1e-5)
    for (name, value) in zip(["ipo", "nca", "discopop"], values) {
      expectClose(sum.statistics["loss/\(name)"] ?? .nan, value, relative: 1e-5)
    }
    // One loss with weight 1 is that loss, with no further names.
    let one = pairObjective([(.ipo, 1)], rows, options)
    #expect(one.loss.item == Float(values[0]) && one.statistics["loss/ipo"] == nil)
    let half = pairObjective([(.ipo, 0.5)], rows, options)
    expectClose(Double(half.loss.item), values[0] / 2, relative: 1e-5)
  }

  @Test func newGradientsMatchFiniteDifferences() {
    let inputs = [Tensor([-1.1, -2.4, -0.7]), Tensor([-2.5, -3.2, -4])]
    func rows(_ inputs: [Tensor]) -> PairRows {
      PairRows(
        chosen: inputs[0], rejected: inputs[1], chosenLengths: [1, 2, 3],
        rejectedLengths: [2, 2, 3], reference: ([-1, -2, -1.5], [-2, -3.5, -3]))
    }
    let options = PairLossOptions(
      beta: 0.5, labelSmoothing: 0.1, margin: 0.3, lambda: 0.5, tau: 0.5)
    for loss in PairLoss.allCases {
      withEvery("loss", in: [loss.rawValue]) { _ in
        checkGradients(of: inputs) { loss.objective(rows($0), options, isPerToken: true).loss }
      }
    }
    checkGradients(of: inputs) {
      pairObjective([(.cpo, 1), (.nca, 0.7)], rows($0), options).loss
    }
    checkGradients(of: [inputs[0]]) {
      baseAnchor(policy: $0[0], reference: [-1, -3, -0.5], batchCount: 4).loss
    }
  }

  @Test func theAnchorIsTheMeanDistance() {
    let policy = Tensor.variable([-3, -5, -2], shape: [3])
    let objective = baseAnchor(policy: policy, reference: [-1, -6, -2])
    expectClose(objective.loss.item, 1)
    expectClose(objective.statistics["anchor/log_ratio"] ?? 0, -1.0 / 3)
    expectClose(objective.statistics["anchor/distance"] ?? 0, 1)
    // Nothing pulls where nothing has moved.
    expectClose(gradient(objective.loss, policy), [-1.0 / 3, 1.0 / 3, 0])
  }

  /// Equations 7 and 8 of arXiv 2402.01306 with the weights 1.5 and 0.5, as TRL's KTOTrainer.
  ///
  /// `w_D (1 − σ(β(r − z)))` and `w_U (1 − σ(β(z − r)))`. The baseline comes from the chosen log-ratios raised by 3. Batches of one kind are ordinary.
  @Test func ktoOfOneKindAndWithWeightsIsItsFormula() throws {
    let (pairs, beta) = (try GoldenPairs(), 0.1)
    let chosen = zip(pairs.chosen, pairs.reference.chosen).map { $0 - $1 }
    let rejected = zip(pairs.rejected, pairs.reference.rejected).map { $0 - $1 }
    let raised = max(0, Self.average(chosen.map { $0 + 3 }))
    let found = ktoBaseline(logRatios: chosen.map { Float($0 + 3) })
    expectClose(Double(found), raised, absolute: 1e-4)
    // Without a baseline it is TRL's `apo_zero_unpaired`, there with the same weights.
    for baseline in [raised, 0] {
      let desirable = chosen.map { 1.5 * (1 - Self.sigmoid(beta * ($0 - baseline))) }
      let undesirable = rejected.map { 0.5 * (1 - Self.sigmoid(beta * (baseline - $0))) }
      for (hasChosen, hasRejected) in [(true, true), (true, false), (false, true)] {
        func rows<Value>(_ first: [Value], _ second: [Value]) -> [Value] {
          (hasChosen ? first : []) + (hasRejected ? second : [])
        }
        func floats(_ values: [Double]) -> [Float] { values.map { Float($0) } }
        let objective = kto(
          policy: Tensor(floats(rows(pairs.chosen, pairs.rejected))),
          reference: floats(rows(pairs.reference.chosen, pairs.reference.rejected)),
          desirable: rows(chosen.map { _ in true }, rejected.map { _ in false }),
          baseline: Float(baseline), beta: Float(beta), desirableWeight: 1.5,
          undesirableWeight: 0.5)
        expectClose(
          Double(objective.loss.item), Self.average(rows(desirable, undesirable)), absolute: 1e-5,
          "baseline \(baseline), chosen \(hasChosen), rejected \(hasRejected)")
      }
    }
  }

  @Test func partsOfABatchTrapWhereTheWholeIsCompared() async {
    await #expect(processExitsWith: .failure) {
      let rows = PairRows(
        chosen: Tensor([-1]), rejected: Tensor([-2]), chosenLengths: [1], rejectedLengths: [1],
        reference: ([-1], [-2]))
      _ = PairLoss.aot.objective(rows, PairLossOptions(), batchCount: 2)
    }
    await #expect(processExitsWith: .failure) {
      let rows = PairRows(
        chosen: Tensor([-1]), rejected: Tensor([-2]), chosenLengths: [1], rejectedLengths: [1])
      _ = PairLoss.sigmoid.objective(rows, PairLossOptions())
    }
    await #expect(processExitsWith: .failure) {
      _ = baseAnchor(policy: Tensor([-1]), reference: [])
    }
  }
}
