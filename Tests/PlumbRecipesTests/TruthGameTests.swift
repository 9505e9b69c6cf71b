import Foundation
import PlumbEvaluation
import Testing

@testable import PlumbRecipes

/// Self-play by GPO and SPPO against multiplicative weights, the winner, and rewards in circles.
@Suite struct TruthGameTests {
  private let rps = TruthGame.cycle("rps", strengths: [1, 1, 1], start: [0.6, 0.2, 0.2])

  private let even = TruthGame.cycle(
    "even", strengths: [1, 1, 1], start: [1.0 / 3, 1.0 / 3, 1.0 / 3])

  /// `π_{t+1} ∝ π_t exp(η A π_t)`, in double precision and without any loss.
  private func multiplicativeWeights(
    _ game: MatrixGame, _ start: [Double], step: Double, rounds: Int
  ) -> (average: [Double], last: [Double]) {
    var logits = start.map { log($0) }
    var sum = start.map { _ in 0.0 }
    var policy = start
    for _ in 0..<rounds {
      policy = logNormalised(logits).map(exp)
      sum = zip(sum, policy).map { $0 + $1 }
      logits = zip(logits, game.scores(against: policy)).map { $0 + step * $1 }
    }
    return (sum.map { $0 / Double(rounds) }, policy)
  }

  @Test(arguments: GameUpdate.allCases) func exactPlayIsMultiplicativeWeights(update: GameUpdate) {
    let game = TruthGame.random(size: 5, strength: 1, seed: 2)
    let play = GamePlay(game: game, update: update, rounds: 400)
    let expected = multiplicativeWeights(
      game.payoffs(update), game.start, step: play.stepSize, rounds: 400)
    let course = play.run()
    for (found, truth) in zip(course.average + course.last, expected.average + expected.last) {
      #expect(abs(found - truth) < 1e-5)
    }
  }

  @Test(arguments: GameUpdate.allCases) func averagesReachTheWinnerWithinTheBound(
    update: GameUpdate
  ) {
    let games =
      [rps, .cycle("weighted", strengths: [0.3, 0.6, 1], start: [0.5, 0.25, 0.25])]
      + [5, 8].map { .random(size: $0, strength: 1, seed: 4) }
      + [.mixture(size: 7, cyclicShare: 0.5, strength: 1, seed: 4)]
    for game in games {
      for rounds in [100, 1000, 8000] {
        let course = GamePlay(game: game, update: update, rounds: rounds).run()
        let gap = game.payoffs(update).dualityGap(course.average)
        #expect(gap <= course.guarantee + 1e-6, "\(game.name) \(rounds): \(gap)")
        #expect(course.points.last?.average == gap)
        if rounds == 8000 { #expect(gap <= 0.025, "\(game.name): \(gap)") }
      }
    }
  }

  /// `2ρ √(2D/T)` with D = log 3 for a uniform start over three, and ρ = 1 or σ(1) − ½.
  @Test(arguments: [(GameUpdate.gpo, 1.0), (.sppo, 1 / (1 + exp(-1.0)) - 0.5)])
  func thePromiseIsThatOfTheTheorem(update: GameUpdate, largest: Double) {
    let play = GamePlay(game: even, update: update, rounds: 200)
    #expect(abs(play.guarantee - 2 * largest * (2 * log(3.0) / 200).squareRoot()) < 1e-12)
    #expect(play.run().guarantee == play.guarantee)
  }

  /// Steps of any size wind outwards in a circle: the last policy of plain play goes nowhere; with an
  /// anchor it goes to the middle.
  @Test func theLastPolicyNeedsAnAnchor() {
    let plain = GamePlay(game: rps, update: .gpo, rounds: 4000).run()
    #expect(rps.scores.dualityGap(plain.last) > 0.1)
    let anchored = GamePlay(game: rps, update: .gpo, rounds: 8000, anchor: 0.05).run()
    #expect(rps.scores.dualityGap(anchored.last) < 1e-3, "\(anchored.last)")
  }

  @Test(
    "Complaint 2, trl#7255: sampled play reaches the Nash equilibrium",
    arguments: GameUpdate.allCases)
  func sampledPlayReachesTheWinner(update: GameUpdate) {
    let play = GamePlay(game: rps, update: update, rounds: 6000, samples: 32, seed: 9)
    let course = play.run()
    #expect(rps.payoffs(update).dualityGap(course.average) < 0.03)
    #expect(play.run() == course)
    #expect(
      GamePlay(game: rps, update: update, rounds: 50, samples: 32, seed: 8).run().last
        != GamePlay(game: rps, update: update, rounds: 50, samples: 32, seed: 9).run().last)
  }

  /// Two responses that differ: the better one moves up by the step times what it gains from the other.
  ///
  /// That one moves down as far. Neither its own zero nor its own half shrinks the step.
  @Test(arguments: GameUpdate.allCases) func twoSamplesMoveByWhatOneGains(update: GameUpdate) {
    var moved = 0
    for seed in 0..<20 {
      let play = GamePlay(
        game: even, update: update, rounds: 2, samples: 2, seed: UInt64(seed))
      let last = play.run().last.map { log($0) }
      let spread = (last.max() ?? 0) - (last.min() ?? 0)
      guard spread > 1e-6 else { continue }
      moved += 1
      #expect(abs(spread - 2 * play.stepSize * play.bound) < 1e-5, "\(seed): \(spread)")
    }
    #expect(moved > 5)
  }

  @Test func rewardsStayExploitableInACircle() throws {
    let play = RewardPlay(game: rps, beta: 0.05)
    let wins = rps.scores.winGame
    let optimum = play.optimum(play.rewards(data: rps.start))
    // Rewards (0, −0.379, 0.379): nearly all probability on the third, which the second beats.
    #expect(optimum[2] > 0.99 && abs(wins.dualityGap(optimum) - 0.4601) < 2e-3)
    var settings = TruthSampledConfiguration()
    settings.steps = 300
    let ppo = try play.ppo(play.rewards(data: rps.start), settings: settings, seed: 1) { _, _ in }
    #expect(wins.dualityGap(ppo.policy) >= 0.4, "\(ppo.policy)")
    // Equal questions to all pairs give equal rewards: PPO stays where it is.
    let even = play.optimum(play.rewards(data: [1.0 / 3, 1.0 / 3, 1.0 / 3]))
    for (a, b) in zip(even, rps.start) { #expect(abs(a - b) < 1e-6) }
    let refitted = play.refitted(rounds: 12, floor: 0.01)
    #expect(refitted.allSatisfy { wins.dualityGap($0) >= 0.2 })
  }

  /// Each round's favourite is the response that beats the last one's: around the circle, against its arrows.
  @Test func newRewardsMoveTheFavouriteAround() {
    let refitted = RewardPlay(game: rps, beta: 0.05).refitted(rounds: 6, floor: 0.01)
    let favourites = refitted.map { policy in policy.indices.max { policy[$0] < policy[$1] } }
    #expect(favourites == [2, 1, 0, 2, 1, 0])
  }

  @Test func mixturesAreOrdersAtOneEndAndCirclesAtTheOther() {
    let order = TruthGame.mixture(size: 5, cyclicShare: 0, strength: 1, seed: 1)
    #expect(order.scores.vonNeumannWinner == [1, 0, 0, 0, 0])
    let circle = TruthGame.mixture(size: 5, cyclicShare: 1, strength: 1, seed: 1)
    for share in circle.scores.vonNeumannWinner { #expect(abs(share - 0.2) < 1e-9) }
    #expect(circle.scores.payoffs.joined().map { abs($0) }.max() == 1)
  }
}
