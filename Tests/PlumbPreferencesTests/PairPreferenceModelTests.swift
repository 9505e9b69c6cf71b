import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct PairPreferenceModelTests {
  /// The sequence is prompt, first, opening, second; the head reads its last token.
  @Test func logitsAreTheHeadAtTheEndOfTheWholeSequence() throws {
    let model = try Tiny.pairModel()
    let found = try model.logOddsInBothOrders(pairs: Tiny.pairs)
    let head = try #require(model.parameters.layout.id(named: "pair_head.weight"))
    for (pair, found) in zip(Tiny.pairs, found) {
      func logit(_ first: [Int32], _ second: [Int32]) -> Double {
        let tokens = pair.prompt + first + [18, 9] + second
        let hidden = model.decoder.hiddenStates(
          tokens: tokens, layout: PackedLayout(lengths: [tokens.count]),
          parameters: model.parameters)
        let row = linear(hidden.rows(at: [tokens.count - 1]), weight: model.parameters[head])
        return Double(row.item)
      }
      let (a, b) = (pair.responses[0], pair.responses[1])
      expectClose(found.asGiven, logit(a, b), absolute: 1e-4)
      expectClose(found.swapped, -logit(b, a), absolute: 1e-4)
      #expect(abs(found.asGiven - found.swapped) > 1e-3, "a random model favours a place")
    }
  }

  @Test func bothOrdersAreAntisymmetricAndASingleOneIsNot() throws {
    let swapped = Tiny.pairs.map {
      PreferenceGroup(prompt: $0.prompt, chosen: $0.responses[1], rejected: $0.responses[0])
    }
    var model = try Tiny.pairModel()
    let both = try model.logOdds(pairs: Tiny.pairs)
    expectClose(try model.logOdds(pairs: swapped), both.map { -$0 }, absolute: 1e-5)
    let separate = try model.logOddsInBothOrders(pairs: Tiny.pairs)
    expectClose(both, separate.map { ($0.asGiven + $0.swapped) / 2 }, absolute: 1e-5)
    model.orders = .single
    expectClose(
      try model.logOdds(pairs: Tiny.pairs), separate.map(\.asGiven), absolute: 1e-5)
    let other = try model.logOdds(pairs: swapped)
    #expect(zip(other, separate).allSatisfy { abs($0 + $1.asGiven) > 1e-3 })
  }

  /// What is added after an end-of-text, or left out before it, changes nothing.
  @Test func responsesAreReadUpToTheirEndOfText() throws {
    let model = try Tiny.pairModel()
    let whole = try model.logOdds(
      pairs: [PreferenceGroup(prompt: [3], chosen: [6, 7, 0], rejected: [8, 0])])
    let ragged = try model.logOdds(
      pairs: [PreferenceGroup(prompt: [3], chosen: [6, 7], rejected: [8, 0, 9, 9])])
    #expect(whole == ragged)
  }

  @Test("Complaint 18, reward-bench#137: log-odds do not depend on the batch")
  func logOddsDoNotDependOnTheBatch() throws {
    let model = try Tiny.pairModel()
    let together = try model.logOdds(pairs: Tiny.pairs)
    let apart = try model.logOdds(pairs: Tiny.pairs, tokenBudget: 1)
    expectClose(together, apart, absolute: 1e-5)
  }

  @Test func tableAsksEveryPairOnceInEachOrder() throws {
    let model = try Tiny.pairModel()
    let responses: [[Int32]] = [[6, 0], [7, 8, 0], [6, 0], [9, 0]]
    let group = PreferenceGroup(prompt: [3, 4], responses: responses)
    let (tables, passes) = try ForwardMeter.measure {
      try model.preferenceLogits(groups: [group])
    }
    let table = tables[0]
    for i in 0..<4 {
      for j in 0..<4 {
        #expect(table[i][j] == -table[j][i])
        guard i != j, responses[i] != responses[j] else {
          #expect(table[i][j] == 0)
          continue
        }
        let pair = PreferenceGroup(
          prompt: [3, 4], chosen: responses[i], rejected: responses[j])
        expectClose(table[i][j], try model.logOdds(pairs: [pair])[0], absolute: 1e-5)
      }
    }
    // Six pairs less the one of equal responses, in two orders.
    #expect(passes.sequences == 10)
  }

  @Test(arguments: [2, 3, 8]) func costsGrowLinearlyOrQuadratically(count: Int) throws {
    let responses = (0..<count).map { [Int32(1 + $0), 5, 0] }
    let group = PreferenceGroup(prompt: [3, 4], responses: responses)
    let rewards = try ForwardMeter.measure {
      try Tiny.rewardModel().scores(groups: [group])
    }.passes
    #expect(rewards.sequences == count)
    #expect(rewards.tokens == 2 + 3 * count)
    let embeddings = try ForwardMeter.measure {
      try Tiny.generalPreferenceModel().embeddings(groups: [group])
    }.passes
    #expect(embeddings.sequences == count)
    var model = try Tiny.pairModel()
    #expect(
      try ForwardMeter.measure { try model.preferenceLogits(groups: [group]) }.passes.sequences
        == count * (count - 1))
    model.orders = .single
    #expect(
      try ForwardMeter.measure { try model.preferenceLogits(groups: [group]) }.passes.sequences
        == count * (count - 1) / 2)
  }

  @Test(arguments: PairPreferenceModel.Orders.allCases)
  func roundTrip(orders: PairPreferenceModel.Orders) throws {
    var model = try Tiny.pairModel()
    model.orders = orders
    try withTemporaryDirectory { folder in
      try model.write(to: folder)
      guard case .pair(let read) = try loadPreferenceModel(directory: folder) else {
        Issue.record("expected a pair model")
        return
      }
      #expect(read.orders == orders)
      #expect(read.opening == model.opening)
      #expect(try read.logOdds(pairs: Tiny.pairs) == model.logOdds(pairs: Tiny.pairs))
      #expect(throws: PreferenceError.self) { try RewardModel(directory: folder) }
    }
  }

  @Test func otherThanTwoResponsesIsRefused() throws {
    let model = try Tiny.pairModel()
    for responses in [[[6, 0]], [[6, 0], [7, 0], [8, 0]]] as [[[Int32]]] {
      #expect(throws: PreferenceError.pairNeeded(row: 1, found: responses.count)) {
        try model.logOdds(
          pairs: [Tiny.pairs[0], PreferenceGroup(prompt: [3], responses: responses)])
      }
    }
  }

  @Test func aPairThatDoesNotFitNamesItsRow() throws {
    let model = try Tiny.pairModel()
    let long = [Int32](repeating: 5, count: 12) + [0]
    let pair = PreferenceGroup(prompt: [3], chosen: long, rejected: [4] + long)
    #expect(model.tokenCount(of: pair) == 1 + 13 + 2 + 14)
    #expect(throws: PreferenceError.sequenceTooLong(row: 1, tokens: 30, limit: 24)) {
      try model.logOdds(pairs: [Tiny.pairs[0], pair])
    }
    #expect(PreferenceModel.pair(model).longestSequence(of: pair) == 30)
    let reward = PreferenceModel.reward(try Tiny.rewardModel())
    #expect(reward.longestSequence(of: pair) == 15)
  }

  @Test func anOpeningOutsideTheVocabularyIsRefused() {
    #expect(throws: PreferenceError.self) {
      try PairPreferenceModel(configuration: Tiny.configuration(), opening: [23], seed: 0)
    }
  }

  /// The cut keeps the end marks and gives the shorter response what it has.
  @Test(arguments: [10, 12, 14, 17, 20, 30])
  func cutPairsFit(limit: Int) throws {
    let model = try Tiny.pairModel()
    let prompt = (1...9).map(Int32.init)
    let pair = PreferenceGroup(
      prompt: prompt, chosen: [10, 11, 12, 13, 14, 15, 1, 0], rejected: [16, 17, 1, 0])
    let (fitted, wasCut) = try #require(model.fit(pair, limit: limit, keepingLast: 2))
    #expect(wasCut == (limit < 23))
    // An odd token may be left over.
    #expect((min(limit, 23) - 1...min(limit, 23)).contains(model.tokenCount(of: fitted)))
    for response in fitted.responses { #expect(response.suffix(2) == [1, 0]) }
    #expect(prompt.suffix(fitted.prompt.count) == fitted.prompt[...])
    #expect(fitted.responses[1].count == 4 || limit < 14)
  }

  @Test func pairsThatCannotBeToldApartAreLeftOut() throws {
    let model = try Tiny.pairModel()
    let same: [Int32] = [5, 5, 5, 5, 5, 5]
    let pair = PreferenceGroup(prompt: [3], chosen: same + [7, 0], rejected: same + [8, 0])
    #expect(model.fit(pair, limit: 10, keepingLast: 1) == nil)
    #expect(model.fit(pair, limit: 5, keepingLast: 1) == nil)
  }

  @Test func orderBiasByHand() {
    // Consistent, flipped to the first place, flipped to the second, and a tie in one order.
    let bias = OrderBias([(2, 1), (3, -1), (-1, 2), (0, 1)])
    #expect(bias.pairs == 4)
    expectClose(bias.flips, (0 + 1 + 1 + 0.5) / 4, absolute: 1e-12)
    // z(first, second) + z(second, first), halved: 0.5, 2, -1.5, -0.5.
    expectClose(bias.firstPlaceLogit, 0.125, absolute: 1e-12)
    expectClose(bias.meanMagnitude, 1.125, absolute: 1e-12)
    expectClose(bias.flipsToFirst, 1 / 2.5, absolute: 1e-12)
  }
}
