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

  /// `CPOTrainer.cpo_loss` of TRL 0.24 on the golden pairs, beta 0.1.
  @Test func cpoIsTRLs() throws {
    for (smoothing, losses, gradients) in [
      (
        Float(0),
        [
          1.721352, 0.606636, 0.043694, 0.281631, 0.081013, 1.527821, 1.145071, 0.423485, 0.404958,
          0.965974, 0.25271, 0.240474,
        ],
        [-0.00684313, -0.00379015, -0.00035627, -0.0020454]
      ),
      (
        Float(0.2),
        [
          1.416485, 0.64288, 0.665419, 0.506239, 0.575486, 1.271183, 0.992661, 0.551492, 0.543892,
          0.868584, 0.50201, 0.500974,
        ],
        [-0.00517647, -0.00212348, 0.00131039, -0.00037873]
      ),
    ] {
      let rows = try Self.rows()
      let objective = PairLoss.cpo.objective(
        rows, PairLossOptions(labelSmoothing: smoothing))
      let expected = losses.reduce(0, +) / 12
      expectClose(Double(objective.loss.item), expected, absolute: 1e-5)
      expectClose(
        gradient(objective.loss, rows.chosen).prefix(4).map { Double($0) }, gradients,
        absolute: 1e-7, relative: 1e-4)
      expectClose(objective.statistics["rewards/chosen"] ?? 0, -2.48403287, absolute: 1e-5)
      expectClose(objective.statistics["rewards/rejected"] ?? 0, -3.04340267, absolute: 1e-5)
    }
  }

  /// TRL 0.24 divides log-probabilities by lengths for its `ipo`; the sigmoid values are the formula in
  /// PyTorch (TRL's later `sigmoid_norm`).
  @Test func perTokenRatiosAreTRLs() throws {
    let expected: [(PairLoss, [Double])] = [
      (
        .sigmoid,
        [
          0.681611, 0.698287, 0.650012, 0.528227, 0.643144, 0.733408, 0.718913, 0.685315, 0.645438,
          0.726711, 0.70612, 0.625319,
        ]
      ),
      (
        .ipo,
        [
          22.73309, 26.03583, 16.95668, 1.89016, 15.78956, 33.51993, 30.34737, 23.45218, 16.17578,
          32.03993, 27.64432, 12.9172,
        ]
      ),
    ]
    for (loss, losses) in expected {
      let objective = loss.objective(try Self.rows(), PairLossOptions(), isPerToken: true)
      expectClose(
        Double(objective.loss.item), losses.reduce(0, +) / 12, absolute: 1e-4, relative: 1e-5,
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

  /// TRL 0.24 on the golden pairs, with the weights 1.5 and 0.5.
  ///
  /// The baseline comes from the chosen log-ratios raised by 3. Batches of one kind are ordinary.
  @Test func ktoOfOneKindAndWithWeightsIsTRLs() throws {
    let golden = try Golden("preference_losses")
    let chosen = try golden.floats("chosen_logps")
    let rejected = try golden.floats("rejected_logps")
    let references = (
      try golden.floats("ref_chosen_logps"), try golden.floats("ref_rejected_logps")
    )
    let baseline = ktoBaseline(logRatios: zip(chosen, references.0).map { $0 - $1 + 3 })
    expectClose(baseline, 7.338009, absolute: 1e-4)
    func loss(_ hasChosen: Bool, _ hasRejected: Bool, baseline: Float, _ weights: (Float, Float))
      -> Double
    {
      let objective = kto(
        policy: Tensor((hasChosen ? chosen : []) + (hasRejected ? rejected : [])),
        reference: (hasChosen ? references.0 : []) + (hasRejected ? references.1 : []),
        desirable: (hasChosen ? chosen.map { _ in true } : [])
          + (hasRejected ? rejected.map { _ in false } : []), baseline: baseline, beta: 0.1,
        desirableWeight: weights.0, undesirableWeight: weights.1)
      return Double(objective.loss.item)
    }
    let weights: (Float, Float) = (1.5, 0.5)
    expectClose(loss(true, true, baseline: baseline, weights), 0.498261094, absolute: 1e-5)
    expectClose(loss(true, false, baseline: baseline, weights), 0.837501705, absolute: 1e-5)
    expectClose(loss(false, true, baseline: baseline, weights), 0.159020498, absolute: 1e-5)
    // Without a baseline it is TRL's `apo_zero_unpaired` (there with the same weights).
    expectClose(loss(true, true, baseline: 0, weights), 0.42327556, absolute: 1e-5)
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
