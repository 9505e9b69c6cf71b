import Foundation

/// A symmetric zero-sum game between two policies over the same N responses.
///
/// `payoffs[i][j]` is what the row's response gains against the column's, and the column's the opposite:
/// preference scores `s(i ≻ j)`, or win probabilities less a half. A mixed strategy is a policy.
public struct MatrixGame: Hashable, Sendable {
  /// [N][N], skew-symmetric.
  public let payoffs: [[Double]]

  /// A game from what lies above the diagonal of a table.
  ///
  /// - Parameter table: [N][N] finite numbers, N at least 1; the rest follows by skew symmetry.
  public init(_ table: [[Double]]) {
    precondition(
      !table.isEmpty && table.allSatisfy { $0.count == table.count },
      "MatrixGame: expected a square table, found rows of \(table.map(\.count))")
    precondition(
      table.allSatisfy { $0.allSatisfy(\.isFinite) }, "MatrixGame: expected finite payoffs")
    payoffs = table.indices.map { i in
      table.indices.map { j in i < j ? table[i][j] : i > j ? -table[j][i] : 0 }
    }
  }

  /// Number of responses, N.
  public var count: Int { payoffs.count }

  /// The game of win probabilities, `σ(s) − ½`, where the payoffs are log-odds.
  public var winGame: MatrixGame {
    MatrixGame(payoffs.map { $0.map { 1 / (1 + exp(-$0)) - 0.5 } })
  }

  /// What each response gains against a policy, [N].
  public func scores(against policy: [Double]) -> [Double] {
    precondition(
      policy.count == count,
      "MatrixGame: expected \(count) probabilities, found \(policy.count)")
    return payoffs.map { row in zip(row, policy).reduce(0) { $0 + $1.0 * $1.1 } }
  }

  /// What the first policy gains against the second.
  public func payoff(_ first: [Double], against second: [Double]) -> Double {
    zip(first, scores(against: second)).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// `max_π' payoff(π' against π) − min_π' payoff(π against π')`: 0 for a von Neumann winner.
  ///
  /// Twice the gain of the best response, since the game is symmetric; in units of the payoffs. For win
  /// probabilities, 1 says that some response always wins.
  public func dualityGap(_ policy: [Double]) -> Double {
    2 * (scores(against: policy).max() ?? 0)
  }
}
