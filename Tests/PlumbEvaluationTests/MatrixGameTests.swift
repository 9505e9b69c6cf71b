import Foundation
import Testing

@testable import PlumbEvaluation

/// Von Neumann winners and Bradley-Terry fits against SciPy 1.17 (`linprog` with HiGHS, `minimize` with BFGS) and by hand.
@Suite struct MatrixGameTests {
  /// `sin(2 (i + 1)(j + 3))` above the diagonal.
  private func game(_ size: Int) -> MatrixGame {
    MatrixGame(
      (0..<size).map { i in (0..<size).map { sin(2 * Double(i + 1) * Double($0 + 3)) } })
  }

  private func isNear(_ a: [Double], _ b: [Double], _ tolerance: Double) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance }
  }

  @Test func winnersAreThoseOfSciPy() {
    let expected: [Int: [Double]] = [
      5: [0.254572675, 0, 0, 0.483522347, 0.261904977],
      8: [0, 0.026637288, 0, 0.288768993, 0, 0.269163765, 0.113112072, 0.302317881],
      11: [
        0, 0.024583319, 0, 0.231990726, 0, 0.207164509, 0.083820782, 0.28924649, 0.113027542,
        0.050166632, 0,
      ],
    ]
    for (size, winner) in expected {
      #expect(isNear(game(size).vonNeumannWinner, winner, 2e-9), "\(size)")
    }
    let wins = game(11).winGame.vonNeumannWinner
    #expect(
      isNear(
        wins,
        [
          0, 0.026147692, 0, 0.235249271, 0, 0.198234714, 0.083490654, 0.288151094, 0.117145708,
          0.051580868, 0,
        ], 2e-9))
  }

  /// Edges a, b, c of a circle are won by (b, c, a) / (a + b + c).
  @Test func weightedCirclesByHand() {
    let circle = MatrixGame([[0, 1, -3], [-1, 0, 2], [3, -2, 0]])
    #expect(isNear(circle.vonNeumannWinner, [2.0 / 6, 3.0 / 6, 1.0 / 6], 1e-12))
    #expect(circle.dualityGap([1, 0, 0]) == 6)
    #expect(abs(circle.dualityGap([2.0 / 6, 3.0 / 6, 1.0 / 6])) < 1e-12)
    // Someone who beats all others is the winner alone.
    #expect(
      isNear(
        MatrixGame([[0, -1, 2], [1, 0, 3], [-2, -3, 0]]).vonNeumannWinner, [0, 1, 0], 0))
    #expect(MatrixGame([[0]]).vonNeumannWinner == [1])
  }

  @Test func everyWinnerCarriesItsCertificate() {
    for size in 2...40 {
      let game = game(size)
      let winner = game.vonNeumannWinner
      #expect(abs(winner.reduce(0, +) - 1) < 1e-12 && winner.allSatisfy { $0 >= 0 })
      #expect(game.dualityGap(winner) <= 1e-9, "\(size): \(game.dualityGap(winner))")
    }
    // Ties everywhere: every policy wins.
    let even = MatrixGame([[0, 0, 0], [0, 0, 0], [0, 0, 0]])
    #expect(even.dualityGap(even.vonNeumannWinner) == 0)
  }

  @Test func payoffsAreSkewSymmetricWhateverIsGiven() {
    let game = MatrixGame([[5, 1, 2], [9, 5, 3], [9, 9, 5]])
    #expect(game.payoffs == [[0, 1, 2], [-1, 0, 3], [-2, -3, 0]])
    let policy = [0.2, 0.3, 0.5]
    #expect(abs(game.payoff(policy, against: policy)) < 1e-15)
    #expect(game.payoff([1, 0, 0], against: [0, 1, 0]) == 1)
    #expect(abs(game.winGame.payoffs[0][1] - (1 / (1 + exp(-1)) - 0.5)) < 1e-15)
  }

  @Test func theBradleyTerryFitOfACircleDependsOnThePairs() {
    let circle = MatrixGame([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    let wins = circle.winGame.payoffs.map { $0.map { $0 + 0.5 } }
    let even = bradleyTerryFit(wins: wins, weights: [1.0 / 3, 1.0 / 3, 1.0 / 3])
    #expect(isNear(even.rewards, [0, 0, 0], 1e-9))
    let uneven = bradleyTerryFit(wins: wins, weights: [0.6, 0.2, 0.2])
    #expect(isNear(uneven.rewards, [0, -0.3792608577, 0.3792608577], 1e-7))
    #expect(uneven.residual < 1e-9)
    let other = game(5).winGame.payoffs.map { $0.map { $0 + 0.5 } }
    let fit = bradleyTerryFit(wins: other, weights: [0.3, 0.25, 0.2, 0.15, 0.1])
    #expect(
      isNear(
        fit.rewards, [0.1373509763, -0.2098753483, -0.2857933712, 0.5210962457, -0.0974221843],
        1e-6), "\(fit.rewards)")
  }

  @Test func aBradleyTerryTableIsFittedExactly() {
    let rewards = [0.3, -0.5, 1.2, 0]
    let wins = rewards.map { own in rewards.map { 1 / (1 + exp($0 - own)) } }
    let fit = bradleyTerryFit(wins: wins, weights: [0.1, 0.2, 0.3, 0.4])
    let mean = 0.1 * 0.3 - 0.2 * 0.5 + 0.3 * 1.2
    #expect(isNear(fit.rewards, rewards.map { $0 - mean }, 1e-7))
  }

  /// t of 2 degrees of freedom at 95 % is 4.302653.
  @Test func studentsIntervalOfAMean() {
    let interval = Interval.studentMean([1, 2, 3])
    let half = 4.302652730 * (1.0 / 3).squareRoot()
    #expect(abs(interval.lower - (2 - half)) < 1e-5 && abs(interval.upper - (2 + half)) < 1e-5)
  }
}
