import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

/// Values worked out by hand from the papers' formulas, finite differences, and traps.
struct PreferenceLossTests {
  /// Pairs whose log-ratios are the given numbers, against a reference that is not 0.
  static func pairs(_ chosen: [Float], _ rejected: [Float]) -> PairLogprobs {
    pairs(Tensor(chosen.map { $0 - 2 }), Tensor(rejected.map { $0 - 3 }))
  }

  static func pairs(_ chosen: Tensor, _ rejected: Tensor) -> PairLogprobs {
    PairLogprobs(
      policyChosen: chosen, policyRejected: rejected,
      referenceChosen: [Float](repeating: -2, count: chosen.count),
      referenceRejected: [Float](repeating: -3, count: rejected.count))
  }

  @Test func dpoStartsAtTheLogOfTwoAndPullsByHalfBeta() {
    let chosen = Tensor.variable([-2], shape: [1])
    let rejected = Tensor.variable([-3], shape: [1])
    let objective = dpo(
      policyChosen: chosen, policyRejected: rejected, referenceChosen: [-2],
      referenceRejected: [-3], beta: 0.1)
    expectClose(objective.loss.item, logOf2)
    expectClose(gradient(objective.loss, chosen), [-0.05])
    expectClose(gradient(objective.loss, rejected), [0.05])
    // As TRL: a tie is not a win.
    #expect(objective.statistics["rewards/accuracies"] == 0)
  }

  @Test func dpoIsBradleyTerryOfImplicitRewards() {
    let objective = dpo(Self.pairs([10 * logOf3], [0]), beta: 0.1)
    expectClose(objective.loss.item, surpriseOfThreeQuarters)
    expectClose(objective.statistics["rewards/margins"] ?? -1, Double(logOf3))
    expectClose(objective.statistics["rewards/chosen"] ?? -1, Double(logOf3))
    #expect(objective.statistics["rewards/accuracies"] == 1)
    let smoothed = dpo(Self.pairs([10 * logOf3], [0]), beta: 0.1, labelSmoothing: 0.25)
    // The label three to one meets odds of three to one: the entropy of ¾.
    expectClose(smoothed.loss.item, -(0.75 * log(Float(0.75)) + 0.25 * log(Float(0.25))))
  }

  @Test func robustMeansTheCleanLossUnderNoise() {
    // Averaged over labels flipped at rate ε, the robust loss is the plain loss.
    let (right, wrong) = (Self.pairs([4], [1]), Self.pairs([1], [4]))
    let noisy =
      0.7 * robustDPO(right, beta: 0.3, labelSmoothing: 0.3).loss.item
      + 0.3 * robustDPO(wrong, beta: 0.3, labelSmoothing: 0.3).loss.item
    // `wrong` swaps the log-ratios, so that its margin is the opposite.
    expectClose(noisy, dpo(right, beta: 0.3).loss.item)
  }

  @Test("Complaint 28, trl#2028: sigmoid, IPO and hinge by hand")
  func handMadeValues() {
    let zero = Self.pairs([0], [0])
    expectClose(ipo(Self.pairs([7], [2]), beta: 0.1).loss.item, 0, absolute: 1e-5)
    expectClose(ipo(zero, beta: 0.1).loss.item, 25)
    #expect(hinge(zero, beta: 0.1).loss.item == 1)
    #expect(hinge(Self.pairs([12], [1]), beta: 0.1).loss.item == 0)
    expectClose(hinge(Self.pairs([0], [5]), beta: 0.1).loss.item, 1.5)
    // σ(β·h) = 1 − ε: the two distributions agree and the KL is 0.
    expectClose(
      exoPair(Self.pairs([10 * logOf3], [0]), beta: 0.1, labelSmoothing: 0.25).loss.item, 0,
      absolute: 1e-6)
    expectClose(ncaPair(zero, beta: 0.1).loss.item, 2 * logOf2)
    expectClose(apoZero(zero, beta: 0.1).loss.item, 1)
    expectClose(apoZero(Self.pairs([10 * logOf3], [-10 * logOf3]), beta: 0.1).loss.item, 0.5)
    expectClose(apoDown(zero, beta: 0.1).loss.item, 1)
    expectClose(apoDown(Self.pairs([-10 * logOf3], [-20 * logOf3]), beta: 0.1).loss.item, 0.5)
    expectClose(discoPOP(zero, beta: 0.1).loss.item, 0.5 * logOf2 + 0.5)
    #expect(discoPOP(Self.pairs([-2000], [2000]), beta: 0.1).loss.item == 400)
    expectClose(sppoHard(Self.pairs([5], [-5]), beta: 0.1).loss.item, 0, absolute: 1e-5)
    expectClose(sppoHard(zero, beta: 0.1).loss.item, 50)
  }

  @Test func transportLooksAtTheBatchAsAWhole() {
    // The rejected column in another order: the same two distributions, the same loss.
    let first = aotPair(Self.pairs([3, 1], [0, 2]), beta: 1).loss.item
    let second = aotPair(Self.pairs([3, 1], [2, 0]), beta: 1).loss.item
    #expect(first == second)
    // Ranks 1−0 and 3−2.
    expectClose(first, -log(1 / (1 + exp(Float(-1)))))
    // Policy margins 2 and 0 (sorted 0, 2) against reference margins 1 and 1.
    let pairs = PairLogprobs(
      policyChosen: Tensor([2, 0]), policyRejected: Tensor([0, 0]), referenceChosen: [1, 1],
      referenceRejected: [0, 0])
    let expected = -(log(1 / (1 + exp(Float(1)))) + log(1 / (1 + exp(Float(-1))))) / 2
    expectClose(aot(pairs, beta: 1).loss.item, expected)
  }

  @Test func referenceFreeByHand() {
    // Mean log-probabilities log ¾ and log ½: odds 3 and 1.
    let (chosen, rejected) = (Tensor([2 * log(Float(0.75))]), Tensor([3 * log(Float(0.5))]))
    let odds = orpo(
      chosen: chosen, rejected: rejected, chosenLengths: [2], rejectedLengths: [3], lambda: 0.5)
    expectClose(odds.loss.item, surpriseOfThreeQuarters + 0.5 * surpriseOfThreeQuarters)
    let simple = simPO(
      chosen: Tensor([-2]), rejected: Tensor([-6]), chosenLengths: [2], rejectedLengths: [2],
      beta: 2, gamma: 4 - logOf3)
    expectClose(simple.loss.item, surpriseOfThreeQuarters)
    #expect(simple.statistics["rewards/margins"] == 4)
  }

  @Test func oddsOfALikelyResponseStayFinite() {
    let chosen = Tensor.variable([-1e-6], shape: [1])
    let objective = orpo(
      chosen: chosen, rejected: Tensor([-2]), chosenLengths: [1], rejectedLengths: [1], lambda: 1)
    // log odds ≈ 13.8155 + log(e² − 1); the loss is e^{−x} up to second order, and −l.
    let odds = 13.815511 + log(exp(Float(2)) - 1)
    expectClose(objective.loss.item, 1e-6 + exp(-odds), absolute: 1e-8)
    #expect(gradient(objective.loss, chosen).allSatisfy { $0.isFinite })
  }

  @Test func ktoIsOneHalfAtTheBaseline() {
    let objective = kto(
      policy: Tensor([1, 1, 3, 0]), reference: [0, 0, 0, 0],
      desirable: [true, false, true, false], baseline: 1, beta: 0.5 * logOf3, desirableWeight: 2)
    // σ(−½ log 3 · 2) = ¼ and σ(−½ log 3) = 1/(1 + √3).
    let last = 1 / (1 + Float(3).squareRoot())
    expectClose(objective.loss.item, (2 * 0.5 + 0.5 + 2 * 0.25 + last) / 4)
    #expect(objective.statistics["desirable"] == 0.5)
    #expect(objective.statistics["rewards/accuracies"] == 0.5)
    #expect(ktoBaseline(logRatios: [-3, 1]) == 0)
    #expect(ktoBaseline(logRatios: [3, 1]) == 2)
  }

  @Test func mergedReferenceIsTheHarmonicMean() {
    // 1 / (½/½ + ½/¼) = ⅓.
    let merged = mergedReference([[log(0.5), -7], [log(0.25), -7]], weights: [0.5, 0.5])
    expectClose(merged, [-logOf3, -7])
    // Probabilities far below the smallest float.
    expectClose(mergedReference([[-500], [-900]], weights: [0.5, 0.5]), [-900 + logOf2])
  }

  @Test func pairGradientsMatchFiniteDifferences() {
    let losses: [(String, @Sendable (PairLogprobs) -> Objective)] = [
      ("dpo", { dpo($0, beta: 0.5, labelSmoothing: 0.1) }),
      ("robust", { robustDPO($0, beta: 0.5, labelSmoothing: 0.1) }),
      ("ipo", { ipo($0, beta: 0.5) }),
      ("hinge", { hinge($0, beta: 0.5) }),
      ("exo", { exoPair($0, beta: 0.5, labelSmoothing: 0.1) }),
      ("nca", { ncaPair($0, beta: 0.5) }),
      ("sppo", { sppoHard($0, beta: 0.5) }),
      ("apoZero", { apoZero($0, beta: 0.5) }),
      ("apoDown", { apoDown($0, beta: 0.5) }),
      ("discoPOP", { discoPOP($0, beta: 0.5, tau: 0.5) }),
      ("aot", { aot($0, beta: 0.5, labelSmoothing: 0.1) }),
      ("aotPair", { aotPair($0, beta: 0.5, labelSmoothing: 0.1) }),
    ]
    let inputs = [Tensor([-1.1, -2.4, -0.7]), Tensor([-2.5, -3.2, -4])]
    for (name, loss) in losses {
      withEvery("loss", in: [name]) { _ in
        checkGradients(of: inputs) { loss(Self.pairs($0[0], $0[1])).loss }
      }
    }
  }

  @Test func otherGradientsMatchFiniteDifferences() {
    let inputs = [Tensor([-1.1, -2.4, -0.7]), Tensor([-2.5, -3.2, -4])]
    checkGradients(of: inputs) {
      simPO(
        chosen: $0[0], rejected: $0[1], chosenLengths: [1, 2, 3], rejectedLengths: [2, 2, 3],
        beta: 2, gamma: 0.5
      ).loss
    }
    checkGradients(of: inputs) {
      orpo(
        chosen: $0[0], rejected: $0[1], chosenLengths: [1, 2, 3], rejectedLengths: [2, 2, 3],
        lambda: 0.5
      ).loss
    }
    checkGradients(of: [inputs[0]]) {
      kto(
        policy: $0[0], reference: [-1, -2, -3], desirable: [true, false, true], baseline: 0.2,
        beta: 0.5, undesirableWeight: 0.7
      ).loss
    }
    checkGradients(of: inputs) {
      mrpo(
        policyChosen: $0[0], policyRejected: $0[1],
        chosenReferences: [[-1, -2, -3], [-3, -2, -1]],
        rejectedReferences: [[-2, -2, -2], [-4, -3, -2]], weights: [0.25, 0.75], beta: 0.5
      ).loss
    }
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = PreferenceLossTests.pairs([], []) }
    await #expect(processExitsWith: .failure) { _ = PreferenceLossTests.pairs([1, 2], [1]) }
    await #expect(processExitsWith: .failure) {
      _ = PairLogprobs(
        policyChosen: Tensor([1]), policyRejected: Tensor([1]), referenceChosen: [1, 2],
        referenceRejected: [1])
    }
    await #expect(processExitsWith: .failure) {
      _ = dpo(PreferenceLossTests.pairs([1], [1]), beta: 0)
    }
    await #expect(processExitsWith: .failure) {
      _ = robustDPO(PreferenceLossTests.pairs([1], [1]), beta: 1, labelSmoothing: 0.5)
    }
    await #expect(processExitsWith: .failure) {
      _ = exoPair(PreferenceLossTests.pairs([1], [1]), beta: 1, labelSmoothing: 0)
    }
    await #expect(processExitsWith: .failure) {
      _ = orpo(
        chosen: Tensor([-1]), rejected: Tensor([-1]), chosenLengths: [0], rejectedLengths: [1],
        lambda: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = kto(policy: Tensor([-1]), reference: [], desirable: [true], baseline: 0, beta: 1)
    }
    await #expect(processExitsWith: .failure) { _ = ktoBaseline(logRatios: []) }
    await #expect(processExitsWith: .failure) {
      _ = mergedReference([[1], [1]], weights: [0.5, 0.6])
    }
    await #expect(processExitsWith: .failure) {
      _ = mergedReference([[1], [1, 2]], weights: [0.5, 0.5])
    }
  }
}
