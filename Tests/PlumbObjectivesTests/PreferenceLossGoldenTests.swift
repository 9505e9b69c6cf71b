import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbObjectives

/// TRL's own losses on the same log-probabilities.
struct PreferenceLossGoldenTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let losses: @Sendable (PairLogprobs) -> Tensor
    let objective: @Sendable (PairLogprobs) -> Objective
    var testDescription: String { name }
  }

  static let beta: Float = 0.1

  static let cases: [Case] = [
    Case(
      name: "sigmoid.smoothing_0.0", losses: { dpoLosses($0, beta: beta, labelSmoothing: 0) },
      objective: { dpo($0, beta: beta) }),
    Case(
      name: "sigmoid.smoothing_0.2", losses: { dpoLosses($0, beta: beta, labelSmoothing: 0.2) },
      objective: { dpo($0, beta: beta, labelSmoothing: 0.2) }),
    Case(
      name: "robust.smoothing_0.2", losses: { robustLosses($0, beta: beta, labelSmoothing: 0.2) },
      objective: { robustDPO($0, beta: beta, labelSmoothing: 0.2) }),
    Case(
      name: "ipo.smoothing_0.0", losses: { ipoLosses($0, beta: beta) },
      objective: { ipo($0, beta: beta) }),
    Case(
      name: "hinge.smoothing_0.0", losses: { hingeLosses($0, beta: beta) },
      objective: { hinge($0, beta: beta) }),
    Case(
      name: "exo_pair.smoothing_0.001",
      losses: { exoPairLosses($0, beta: beta, labelSmoothing: 0.001) },
      objective: { exoPair($0, beta: beta) }),
    Case(
      name: "nca_pair.smoothing_0.0", losses: { ncaPairLosses($0, beta: beta) },
      objective: { ncaPair($0, beta: beta) }),
    Case(
      name: "sppo_hard.smoothing_0.0", losses: { sppoHardLosses($0, beta: beta) },
      objective: { sppoHard($0, beta: beta) }),
    Case(
      name: "apo_zero.smoothing_0.0", losses: { apoZeroLosses($0, beta: beta) },
      objective: { apoZero($0, beta: beta) }),
    Case(
      name: "apo_down.smoothing_0.0", losses: { apoDownLosses($0, beta: beta) },
      objective: { apoDown($0, beta: beta) }),
    Case(
      name: "discopop.smoothing_0.0", losses: { discoPOPLosses($0, beta: beta, tau: 0.05) },
      objective: { discoPOP($0, beta: beta) }),
    Case(
      name: "aot.smoothing_0.0", losses: { aotLosses($0, beta: beta, labelSmoothing: 0) },
      objective: { aot($0, beta: beta) }),
    Case(
      name: "aot_pair.smoothing_0.0",
      losses: { aotPairLosses($0, beta: beta, labelSmoothing: 0) },
      objective: { aotPair($0, beta: beta) }),
  ]

  @Test(arguments: cases) func lossesRewardsAndGradients(_ test: Case) throws {
    let golden = try Golden("preference_losses")
    let pairs = PairLogprobs(
      policyChosen: try golden.variable("chosen_logps"),
      policyRejected: try golden.variable("rejected_logps"),
      referenceChosen: try golden.floats("ref_chosen_logps"),
      referenceRejected: try golden.floats("ref_rejected_logps"))
    let expected = try golden.floats(test.name + ".losses")
    expectClose(test.losses(pairs).scalars, expected, absolute: 1e-5, relative: 1e-5)

    let objective = test.objective(pairs)
    expectClose(Double(objective.loss.item), mean(expected), absolute: 1e-5, relative: 1e-5)
    let gradients = Gradients(of: objective.loss)
    for (name, variable) in [
      ("chosen", pairs.policyChosen), ("rejected", pairs.policyRejected),
    ] {
      let reference = try golden.floats(test.name + ".grad.\(name)")
      // Gradients that matter are relative to the largest of the column.
      let size = reference.map { abs($0) }.max() ?? 0
      expectClose(
        gradients[variable]?.scalars ?? [], reference, absolute: 1e-5 * size, relative: 1e-3, name)
    }
    let chosen = try golden.floats(test.name + ".chosen_rewards")
    let rejected = try golden.floats(test.name + ".rejected_rewards")
    let wins = zip(chosen, rejected).count { $0 > $1 }
    let statistics = [
      "rewards/chosen": mean(chosen), "rewards/rejected": mean(rejected),
      "rewards/margins": mean(chosen) - mean(rejected),
      "rewards/accuracies": Double(wins) / Double(chosen.count),
      "logps/chosen": mean(try golden.floats("chosen_logps")),
      "logps/rejected": mean(try golden.floats("rejected_logps")),
    ]
    #expect(Set(objective.statistics.keys) == Set(statistics.keys))
    for (name, value) in statistics {
      expectClose(
        objective.statistics[name] ?? .nan, value, absolute: 1e-5, relative: 1e-5, name)
    }
  }

  @Test func everyLossOfTheFileIsTested() throws {
    let names = try Golden("preference_losses").names.filter {
      $0.contains(".smoothing_") && $0.hasSuffix(".losses")
    }
    #expect(Set(names) == Set(Self.cases.map { $0.name + ".losses" }))
  }

  @Test func referenceFreeLosses() throws {
    let golden = try Golden("preference_losses")
    let means = TokenMeans(
      try golden.tensor("chosen_logps"), try golden.tensor("rejected_logps"),
      try golden.integers("chosen_lengths"), try golden.integers("rejected_lengths"), "test")
    expectClose(
      simPOLosses(means, beta: 2, gamma: 1).scalars, try golden.floats("simpo.losses"))
    expectClose(orpoLosses(means, lambda: 0.1).scalars, try golden.floats("orpo.losses"))
  }

  @Test func ktoLossesAndBaseline() throws {
    let golden = try Golden("preference_losses")
    let chosen = try golden.tensor("chosen_logps")
    let reference = try golden.floats("ref_chosen_logps")
    let baseline = ktoBaseline(logRatios: zip(chosen.scalars, reference).map { $0 - $1 })
    expectClose([baseline], try golden.floats("kto.kl"))
    let losses = ktoLosses(
      policy: concatenated([chosen, try golden.tensor("rejected_logps")]),
      reference: reference + (try golden.floats("ref_rejected_logps")),
      desirable: (0..<24).map { $0 < 12 }, baseline: baseline, beta: Self.beta, desirableWeight: 1,
      undesirableWeight: 1)
    expectClose(losses.scalars, try golden.floats("kto.losses"))
  }

  @Test func mergedReferencesAndLosses() throws {
    let golden = try Golden("preference_losses")
    let weights: [Float] = [1.0 / 3, 2.0 / 3]
    let chosen = [
      try golden.floats("ref_chosen_logps"), try golden.floats("mrpo.ref2_chosen_logps"),
    ]
    let rejected = [
      try golden.floats("ref_rejected_logps"), try golden.floats("mrpo.ref2_rejected_logps"),
    ]
    let mergedChosen = mergedReference(chosen, weights: weights)
    let mergedRejected = mergedReference(rejected, weights: weights)
    expectClose(mergedChosen, try golden.floats("mrpo.merged_chosen"))
    expectClose(mergedRejected, try golden.floats("mrpo.merged_rejected"))
    let policyChosen = try golden.tensor("chosen_logps")
    let policyRejected = try golden.tensor("rejected_logps")
    let expected = try golden.floats("mrpo.losses")
    let pairs = PairLogprobs(
      policyChosen: policyChosen, policyRejected: policyRejected, referenceChosen: mergedChosen,
      referenceRejected: mergedRejected)
    expectClose(dpoLosses(pairs, beta: Self.beta, labelSmoothing: 0).scalars, expected)
    let objective = mrpo(
      policyChosen: policyChosen, policyRejected: policyRejected, chosenReferences: chosen,
      rejectedReferences: rejected, weights: weights, beta: Self.beta)
    expectClose(Double(objective.loss.item), mean(expected))
  }
}
