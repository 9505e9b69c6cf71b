import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

/// One step on pairs: against a plain computation, and however it is cut.
@Suite struct PairStepTests {
  let policy = TinyPairs.policy(seed: 1)
  let reference = TinyPairs.policy(seed: 2)

  /// Sequence by sequence, without packing, prompt sharing or micro-batches.
  private func plain(_ pairs: [PolicyPair], _ loss: PairLoss, isPerToken: Bool) throws -> Objective
  {
    let rows = PairRows(
      chosen: Tensor(try pairs.map { try TinyPairs.sum($0.prompt, $0.chosen, policy) }),
      rejected: Tensor(try pairs.map { try TinyPairs.sum($0.prompt, $0.rejected, policy) }),
      chosenLengths: pairs.map(\.chosen.count), rejectedLengths: pairs.map(\.rejected.count),
      reference: (pairs.map(\.reference.chosen), pairs.map(\.reference.rejected)))
    return loss.objective(
      rows, TinyPairs.settings(loss).options, isPerToken: isPerToken)
  }

  @Test(arguments: PairLoss.allCases) func theLossIsThatOfSequencesOneByOne(_ loss: PairLoss) throws
  {
    let pairs = try TinyPairs.pairs(7, reference: reference)
    for isPerToken in [false, true] {
      let expected = try plain(pairs, loss, isPerToken: isPerToken)
      let step = PairStep(
        settings: TinyPairs.settings(loss, isPerToken: isPerToken), microBatchTokens: 40)
      let found = TinyPairs.gradient(step, pairs, policy).statistics
      expectClose(
        found["loss"] ?? .nan, Double(expected.loss.item), absolute: 1e-4, relative: 1e-4)
      for (name, value) in expected.statistics {
        expectClose(found[name] ?? .nan, value, absolute: 1e-4, relative: 1e-4, name)
      }
      let held = step.evaluate(pairs, model: policy)
      expectClose(
        held["loss"] ?? .nan, Double(expected.loss.item), absolute: 1e-4, relative: 1e-4)
      #expect(found["lengths/chosen"] == 32.0 / 7 && held["lengths/chosen"] == 32.0 / 7)
    }
  }

  /// The equivalence class of micro-batches (trl#583): all at once, some, one pair at a time.
  @Test(
    "Complaint 11, trl#583: accumulation does not change losses on pairs",
    arguments: PairLoss.allCases)
  func accumulationDoesNotChangeTheGradient(_ loss: PairLoss) throws {
    let pairs = try TinyPairs.pairs(9, reference: reference, withBase: true)
    let settings = TinyPairs.settings(loss, sft: 0.3, anchor: 0.7)
    let whole = TinyPairs.gradient(
      PairStep(settings: settings, microBatchTokens: 100_000), pairs, policy)
    #expect(whole.values.contains { $0 != 0 })
    for budget in [60, 1] {
      let cut = TinyPairs.gradient(
        PairStep(settings: settings, microBatchTokens: budget), pairs, policy)
      let found = relativeDifferences(cut.values, whole.values)
      EquivalenceLog.note("micro-batches, one step", found, "\(loss), \(budget) tokens at once")
      #expect(found.largest < 1e-4 && found.mean < 1e-5, "\(loss), \(budget): \(found)")
      #expect(Set(cut.statistics.keys) == Set(whole.statistics.keys))
      for (name, value) in whole.statistics {
        expectClose(cut.statistics[name] ?? .nan, value, absolute: 1e-4, relative: 1e-4, name)
      }
    }
  }

  /// The equivalence class of prompt sharing: a prompt computed once for all its responses, or for each.
  @Test(arguments: [PairLoss.sigmoid, .aot, .simPO]) func promptSharingDoesNotChangeTheGradient(
    _ loss: PairLoss
  ) throws {
    let pairs = try TinyPairs.pairs(9, reference: reference, withBase: true)
    let settings = TinyPairs.settings(loss, sft: 0.3, anchor: 0.7)
    let shared = TinyPairs.gradient(
      PairStep(settings: settings, microBatchTokens: 60), pairs, policy)
    let apart = TinyPairs.gradient(
      PairStep(settings: settings, microBatchTokens: 60, sharesPrompts: false), pairs, policy)
    #expect(shared.values != apart.values, "another computation, rounded otherwise")
    let found = relativeDifferences(apart.values, shared.values)
    EquivalenceLog.note("share_prompts, one step", found, "\(loss)")
    #expect(found.largest < 1e-4 && found.mean < 1e-5, "\(found)")
    for (name, value) in shared.statistics {
      expectClose(apart.statistics[name] ?? .nan, value, absolute: 1e-4, relative: 1e-4, name)
    }
  }

  /// The whole step against finite differences in some weights of the model.
  @Test func theGradientOfTheWeightsMatchesFiniteDifferences() throws {
    let pairs = try TinyPairs.pairs(5, reference: reference, withBase: true)
    let step = PairStep(
      settings: TinyPairs.settings(.aotUnpaired, sft: 0.3, anchor: 0.7), microBatchTokens: 30)
    var gradients = GradientBlock(for: policy.parameters)
    _ = step.accumulate(pairs, model: policy, gradients: &gradients)
    let entry = try #require(policy.parameters.layout.entries.first { $0.name.contains("q_proj") })
    let id = try #require(policy.parameters.layout.id(named: entry.name))
    let analytic = gradients[id].scalars
    for place in [0, 17, 101] {
      func loss(at offset: Float) -> Double {
        var moved = policy
        var values = moved.parameters.values(of: id)
        values[place] += offset
        moved.parameters.assign(values, to: id)
        return step.evaluate(pairs, model: moved)["loss"] ?? .nan
      }
      let h: Float = 0x1p-6
      let numeric = (loss(at: h) - loss(at: -h)) / (2 * Double(h))
      expectClose(Double(analytic[place]), numeric, absolute: 5e-3, relative: 5e-2, "\(place)")
    }
  }

  @Test func theTermsAddUp() throws {
    let pairs = try TinyPairs.pairs(6, reference: reference, withBase: true)
    let bare = TinyPairs.gradient(
      PairStep(settings: TinyPairs.settings(.nca), microBatchTokens: 50),
      try TinyPairs.pairs(6, reference: reference), policy
    ).statistics
    let full = TinyPairs.gradient(
      PairStep(settings: TinyPairs.settings(.nca, sft: 0.5, anchor: 2), microBatchTokens: 50),
      pairs, policy
    ).statistics
    let nll = try #require(full["nll_loss"])
    let distance = try #require(full["anchor/distance"])
    expectClose(
      try #require(full["loss"]), try #require(bare["loss"]) + 0.5 * nll + 2 * distance,
      absolute: 1e-4)
    #expect(bare["nll_loss"] == nil && bare["anchor/distance"] == nil)
    // Token means and response means, worked out one by one.
    let sums = try pairs.map { Double(try TinyPairs.sum($0.prompt, $0.chosen, policy)) }
    let tokens = pairs.reduce(0) { $0 + $1.chosen.count }
    expectClose(nll, -sums.reduce(0, +) / Double(tokens), absolute: 1e-4)
    let gaps = try pairs.map { pair in
      Double(abs(try TinyPairs.sum(pair.prompt, pair.base, policy) - pair.reference.base))
    }
    expectClose(distance, gaps.reduce(0, +) / 6, absolute: 1e-4)
    let held = PairStep(
      settings: TinyPairs.settings(.nca, sft: 0.5, anchor: 2), microBatchTokens: 50
    ).evaluate(pairs, model: policy)
    expectClose(try #require(held["loss"]), try #require(full["loss"]), absolute: 1e-4)
  }

  /// Accuracy where the chosen answer is the shorter one, and where it is the longer one.
  @Test func accuracyIsAlsoToldByLength() throws {
    let pairs = try TinyPairs.pairs(30, reference: reference)
    let step = PairStep(settings: TinyPairs.settings(.sigmoid), microBatchTokens: 100)
    let found = step.evaluate(pairs, model: policy)
    func accuracy(_ isMeant: (PolicyPair) -> Bool) throws -> Double {
      let part = pairs.filter(isMeant)
      let wins = try part.count { pair in
        let chosen = try TinyPairs.sum(pair.prompt, pair.chosen, policy) - pair.reference.chosen
        return chosen
          > (try TinyPairs.sum(pair.prompt, pair.rejected, policy)) - pair.reference.rejected
      }
      return Double(wins) / Double(part.count)
    }
    let shorter = try accuracy { $0.chosen.count < $0.rejected.count }
    let longer = try accuracy { $0.chosen.count > $0.rejected.count }
    expectClose(found["rewards/accuracies_shorter"] ?? .nan, shorter)
    expectClose(found["rewards/accuracies_longer"] ?? .nan, longer)
    expectClose(found["rewards/accuracies"] ?? .nan, try accuracy { _ in true })
    #expect(shorter != longer, "a split that shows nothing tests nothing")
    let equal = pairs.filter { $0.chosen.count == $0.rejected.count }
    try #require(!equal.isEmpty)
    let none = step.evaluate(equal, model: policy)
    #expect(none["rewards/accuracies_shorter"] == nil && none["rewards/accuracies"] != nil)
  }

  /// A temperature divides the logits of the policy, as it did while sampling.
  @Test func theTemperatureIsThatOfSampling() throws {
    let pairs = try TinyPairs.pairs(4, reference: reference)
    var step = PairStep(settings: TinyPairs.settings(.sigmoid), microBatchTokens: 100)
    let plain = TinyPairs.gradient(step, pairs, policy).statistics["logps/chosen"]
    step.temperature = 2
    let warm = try #require(TinyPairs.gradient(step, pairs, policy).statistics["logps/chosen"])
    let expected = pairs.map { pair in
      let tokens = pair.prompt + pair.chosen
      let layout = PackedLayout(groups: [(tokens.count, [])])
      let rows = Array(pair.prompt.count - 1..<tokens.count - 1)
      let found = policy.logprobs(
        tokens: tokens, layout: layout, rows: rows, targets: pair.chosen, temperature: 2)
      return found.logprobs.scalars.reduce(0.0) { $0 + Double($1) }
    }
    expectClose(warm, expected.reduce(0, +) / 4, absolute: 1e-4)
    #expect(warm != plain)
  }
}

/// When the watch on chosen answers speaks.
@Suite struct ChosenWatchTests {
  /// The steps at which it speaks.
  private func spoken(_ values: [Double], usesReference: Bool = true, earlier: Int = 0) -> [Int] {
    var watch = ChosenWatch(
      steps: values.count, usesReference: usesReference, earlier: Array(values.prefix(earlier)))
    return values.indices.dropFirst(earlier).filter { watch.add(values[$0]) != nil }
  }

  /// trl#800, #2371 and others: DPO lowers chosen log-probabilities, and nobody says so.
  @Test("Complaint 14, trl#800: falling log-probabilities are told, once")
  func fallingChosenLogProbabilitiesAreToldOnce() {
    let falling = (0..<40).map { -0.1 * Double($0) }
    // Four steps are a tenth; the fourth tenth is the third fall in a row.
    #expect(spoken(falling) == [15])
    #expect(spoken(falling.map { -$0 }).isEmpty, "rising")
    #expect(spoken(falling.map { 100 + $0 }).isEmpty, "above the start")
    #expect(
      spoken(falling.map { 100 + $0 }, usesReference: false) == [15],
      "no reference: below the first")
    let wave = (0..<40).map { [0.0, -1, -2, -1][$0 / 4 % 4] }
    #expect(spoken(wave).isEmpty, "up and down")
    var message = ""
    var watch = ChosenWatch(steps: 40, usesReference: true)
    for value in falling { message += watch.add(value) ?? "" }
    for word in ["sft_weight", "nca", "beta", "last 12 steps"] { #expect(message.contains(word)) }
  }

  @Test func aContinuedRunSpeaksWhereTheOtherWould() {
    let late = (0..<40).map { $0 < 20 ? 0.0 : -0.1 * Double($0 - 19) }
    let straight = spoken(late)
    #expect(straight.count == 1)
    for earlier in [1, 7, 22, straight[0]] {
      #expect(spoken(late, earlier: earlier) == straight, "continued after \(earlier)")
    }
    #expect(spoken(late, earlier: straight[0] + 1).isEmpty, "told before the stop")
    var watch = ChosenWatch(steps: 5, usesReference: true)
    let broken = [-1, .nan, -2, -3, -.infinity, -4].compactMap { watch.add($0) }
    #expect(broken.count == 1, "values that are no numbers count for nothing")
  }
}
