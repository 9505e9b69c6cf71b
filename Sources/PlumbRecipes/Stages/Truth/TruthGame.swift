import Foundation
import PlumbEvaluation
import PlumbTensors

/// A preference game of responses, and the policy that training starts from.
struct TruthGame: Sendable {
  /// Unique in a stage; for names of figures.
  let name: String
  /// Log-odds that the row is preferred to the column.
  let scores: MatrixGame
  /// The reference policy, which also is the distribution of the reward model's pairs.
  let start: [Double]

  /// The game that an update plays: GPO in log-odds, SPPO in win probabilities less a half.
  func payoffs(_ update: GameUpdate) -> MatrixGame {
    update == .sppo ? scores.winGame : scores
  }

  /// A circle: every response beats the next one, by `strengths` log-odds.
  ///
  /// With three responses the winner plays the one that beats i as often as i's other edge is strong:
  /// for strengths (a, b, c) of 0 over 1, 1 over 2, 2 over 0 it is (b, c, a) / (a + b + c).
  static func cycle(_ name: String, strengths: [Double], start: [Double]) -> TruthGame {
    let count = strengths.count
    var table = [[Double]](repeating: [Double](repeating: 0, count: count), count: count)
    for (i, strength) in strengths.enumerated() {
      table[i][(i + 1) % count] = strength
      table[(i + 1) % count][i] = -strength
    }
    return TruthGame(name: name, scores: MatrixGame(table), start: start)
  }

  /// Independent normal log-odds, scaled so that the largest is `strength`.
  static func random(size: Int, strength: Double, seed: UInt64) -> TruthGame {
    var stream = RandomStream(seed: seed, purpose: "truth/game", row: size)
    let table = (0..<size).map { _ in (0..<size).map { _ in Double(stream.normal()) } }
    return TruthGame(
      name: "random-\(size)", scores: scaled(table, to: strength),
      start: randomStart(size, seed: seed))
  }

  /// A share of a circle in which every response beats the half of the others that follow it, and the
  /// rest of an order from best to worst.
  static func mixture(size: Int, cyclicShare: Double, strength: Double, seed: UInt64) -> TruthGame {
    let table = (0..<size).map { i in
      (0..<size).map { j -> Double in
        let ahead = (j - i + size) % size
        let circle = ahead == 0 || 2 * ahead == size ? 0 : 2 * ahead < size ? 1.0 : -1.0
        return cyclicShare * circle + (1 - cyclicShare) * Double(j - i) / Double(size - 1)
      }
    }
    return TruthGame(
      name: "mixture-\(Int((cyclicShare * 100).rounded()))", scores: scaled(table, to: strength),
      start: randomStart(size, seed: seed))
  }

  private static func scaled(_ table: [[Double]], to strength: Double) -> MatrixGame {
    let game = MatrixGame(table)
    let greatest = game.payoffs.joined().map { abs($0) }.max() ?? 0
    return MatrixGame(
      game.payoffs.map { $0.map { greatest > 0 ? $0 * strength / greatest : 0 } })
  }

  private static func randomStart(_ size: Int, seed: UInt64) -> [Double] {
    var stream = RandomStream(seed: seed, purpose: "truth/start", row: size)
    return logNormalised((0..<size).map { _ in 0.5 * Double(stream.normal()) }).map(exp)
  }
}

/// The losses that play games.
enum GameUpdate: String, Codable, Sendable, CaseIterable {
  case gpo, sppo
}
