import Foundation

/// The Bradley-Terry rewards with the greatest likelihood of given win probabilities.
///
/// What the best reward model can know of a game when its pairs come from a given distribution: for
/// cycles it depends on how often each pair is asked.
///
/// Minorise-maximise (Hunter 2004, "MM algorithms for generalized Bradley-Terry models", eq. 3).
/// - Parameters:
///   - wins: [N][N], the probability that the row beats the column, above 0 for some response against every other.
///   - weights: [N], the distribution that both responses of a pair are drawn from, above 0.
/// - Returns: [N] rewards with mean 0 under the weights, and the largest difference between the expected number of wins
///   of a response and that of the model, which is 0 at the optimum.
public func bradleyTerryFit(
  wins: [[Double]], weights: [Double]
) -> (rewards: [Double], residual: Double) {
  let count = weights.count
  precondition(
    wins.count == count && wins.allSatisfy { $0.count == count } && weights.allSatisfy { $0 > 0 },
    "bradleyTerryFit: expected a square table and as many weights above 0, found \(wins.count) rows"
  )
  let pairs = (0..<count).map { i in
    (0..<count).map { i == $0 ? 0 : weights[i] * weights[$0] }
  }
  let total = (0..<count).map { i in
    zip(pairs[i], wins[i]).reduce(0) { $0 + $1.0 * $1.1 }
  }
  var strengths = [Double](repeating: 1, count: count)
  var residual = Double.infinity
  for _ in 0..<100_000 where residual > 1e-13 {
    let expected = (0..<count).map { i in
      (0..<count).reduce(0) { $0 + pairs[i][$1] / (strengths[i] + strengths[$1]) }
    }
    residual = (0..<count).reduce(0) {
      max($0, abs(total[$1] - strengths[$1] * expected[$1]))
    }
    strengths = zip(total, expected).map { $1 > 0 ? $0 / $1 : 1 }
    let scale = strengths.reduce(0, +) / Double(count)
    strengths = strengths.map { $0 / scale }
  }
  let rewards = strengths.map { log($0) }
  let mean = zip(weights, rewards).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
  return (rewards.map { $0 - mean }, residual)
}
