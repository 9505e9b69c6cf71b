import Foundation
import Testing

@testable import PlumbRecipes

/// Optima of objectives over four responses, against SciPy 1.17's direct minimisation of the population's
/// objective over a softmax.
@Suite struct TruthOptimumTests {
  private let reference = [0.4, 0.3, 0.2, 0.1].map { log($0) }
  private let rewards = [-0.6, 0.1, 0.5, 1.1]
  private let beta = 0.5

  private func isNear(_ logprobs: [Double], _ expected: [Double], _ tolerance: Double) -> Bool {
    logprobs.count == expected.count
      && zip(logprobs, expected).allSatisfy { abs(exp($0) - $1) <= tolerance }
  }

  private var world: EnumeratedWorld {
    EnumeratedWorld(banditRewards: [rewards], reference: [reference.map(exp)])
  }

  @Test func starAndItsDivergencesByHand() {
    let star = KnownOptimum.tilted(reference, by: rewards.map { $0 / beta })
    #expect(isNear(star, [0.0623249769, 0.1895551832, 0.281241879, 0.4668779609], 1e-9))
    #expect(abs(divergence(star, reference) - 0.6123921691) < 1e-9)
    #expect(abs(divergence(reference, star) - 0.6591022882) < 1e-9)
    #expect(divergence(star, star) == 0)
  }

  @Test func logZAtZeroIsLeastSquares() {
    let mean = zip(reference, rewards).reduce(0) { $0 + exp($1.0) * $1.1 }
    let found = KnownOptimum.leastSquares(reference, target: rewards.map { ($0 - mean) / beta })
    #expect(isNear(found, [0.109501979, 0.2682212888, 0.3142233771, 0.3080533551], 1e-7))
    let sppo = world.optimum(.sppo, [reference], beta: beta)[0]
    #expect(isNear(sppo, [0.2985110237, 0.3054843852, 0.2427324855, 0.1532721056], 1e-7))
  }

  @Test func theK3LossEndsAtTheOtherDivergence() {
    let found = KnownOptimum.reverseKL(reference, rewards: rewards, beta: beta)
    #expect(isNear(found, [0.1121746277, 0.1385125369, 0.1464269520, 0.6028858834], 1e-6))
  }

  @Test func ipoEndsAtItsWinChances() {
    let found = world.optimum(.ipo, [reference], beta: beta)[0]
    #expect(isNear(found, [0.2956571788, 0.3050591285, 0.243828838, 0.1554548552], 1e-7))
  }

  @Test func ktoTruncatesWhatLoses() {
    let chances = world.winChances([reference])[0]
    #expect(
      isNear(
        chances.map { log($0) }, [0.3649381737, 0.524431719, 0.6151447096, 0.7366627288], 1e-9))
    let found = KnownOptimum.kto([reference], desirable: [chances], beta: beta)[0]
    #expect(found[0] == -.infinity)
    #expect(
      isNear(found, [0, 0.1138736492, 0.4416351907, 0.4444911601], 1e-5), "\(found.map(exp))")
  }

  @Test func ktoLabelsPutItsOptimumAtStar() {
    let star = KnownOptimum.tilted(reference, by: rewards.map { $0 / beta })
    let labels = KnownOptimum.ktoLabels(
      reference, optimum: star, baseline: divergence(star, reference), beta: beta)
    #expect(
      isNear(
        labels.map { log($0) }, [0.5226667018, 0.5688628381, 0.6434240724, 1], 1e-9))
    let found = KnownOptimum.kto([reference], desirable: [labels], beta: beta)[0]
    #expect(isNear(found, star.map(exp), 1e-6))
  }

  /// Two responses and contradictory labels: all probability goes to the majority's (KTO paper, on contradictory
  /// preferences), where DPO keeps the reference's favourite.
  @Test func ktoGivesTheMajorityEverything() {
    let pair = [0.9, 0.1].map { log($0) }
    #expect(isNear(KnownOptimum.kto([pair], desirable: [[0.4, 0.6]], beta: 0.5)[0], [0, 1], 0))
    let dpo = KnownOptimum.tilted(pair, by: [0, log(0.6 / 0.4) / 0.5])
    #expect(exp(dpo[0]) > 0.5)
  }

  @Test func worldsListEveryPathOnce() {
    let world = EnumeratedWorld(
      prompts: 3, letters: 2, longest: 3, ends: true, referenceSpread: 0.5, rewardSpread: 0.5,
      seed: 1)
    // 1 + 2 + 4 that end by themselves, 8 that are cut; states 1 + 2 + 4.
    #expect(world.responses.count == 15 && world.stateCount == 7)
    #expect(Set(world.responses.map(\.tokens)).count == 15)
    #expect(world.responses.count { $0.stops } == 7)
    for row in world.reference { #expect(abs(row.reduce(0) { $0 + exp($1) } - 1) < 1e-12) }
    for (row, rewards) in zip(world.reference, world.rewards) {
      let mean = zip(row, rewards).reduce(0) { $0 + exp($1.0) * $1.1 }
      let square = zip(row, rewards).reduce(0) { $0 + exp($1.0) * $1.1 * $1.1 }
      #expect(abs(mean) < 1e-9 && abs(square - 0.25) < 1e-9)
    }
    #expect(world.number(of: [0, 2]) != nil && world.number(of: [2, 0]) == nil)
    #expect(Set((0..<3).map { world.promptTokens($0) }).count == 3)
    let other = EnumeratedWorld(
      prompts: 3, letters: 2, longest: 3, ends: true, referenceSpread: 0.5, rewardSpread: 0.5,
      seed: 2)
    #expect(other.rewards != world.rewards)
  }

  /// The states 0 and 0 0 of prompt 0 are rows of equal tokens, but for the end in front of them.
  @Test func aLanguageModelTellsRepeatedLettersApart() {
    let world = EnumeratedWorld(
      prompts: 2, letters: 2, longest: 2, ends: true, referenceSpread: 1, rewardSpread: 0.5,
      seed: 1)
    #expect(world.promptTokens(1) == [2, 1])
    var configuration = TruthLanguageModelConfiguration()
    configuration.hiddenSize = 16
    let chances = LanguagePolicy.fitted(world, configuration, seed: 1).logprobs()[0].map { exp($0) }
    let chance = { (tokens: [Int32]) in world.number(of: tokens).map { chances[$0] } ?? 0 }
    let first = [chance([0, 2]), chance([0, 0]), chance([0, 1])]
    let atStart = chance([2])
    let afterZero = first[0] / first.reduce(0, +)
    #expect(abs(atStart - afterZero) > 0.01, "\(atStart), \(afterZero)")
    let reference = world.reference[0].map { exp($0) }
    let expected = world.number(of: [2]).map { reference[$0] } ?? 0
    #expect(abs(atStart - expected) < 0.01, "\(atStart), \(expected)")
  }

  @Test func promptsAreDigitsOfEqualLength() {
    let world = EnumeratedWorld(
      prompts: 5, letters: 2, longest: 1, ends: false, referenceSpread: 0, rewardSpread: 1, seed: 1)
    #expect(
      (0..<5).map { world.promptTokens($0) } == [
        [0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0],
      ])
  }
}
