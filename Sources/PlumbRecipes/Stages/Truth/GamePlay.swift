import Foundation
import PlumbEvaluation
import PlumbObjectives
import PlumbPreferences
import PlumbRollouts
import PlumbTensors

/// Self-play of a table of logits by Plumb's GPO and SPPO losses.
///
/// Round t lowers the loss of its update at `π = π_t` by one step of the natural gradient: in a softmax
/// table the inverse Fisher matrix divides a response's gradient by its probability, up to a constant
/// on all logits (Kakade 2001). On the whole expectation that is multiplicative weights,
/// `π_{t+1} ∝ π_t exp(ŝ/β)`: the normalisation takes up the log Z that the losses leave out.
struct GamePlay {
  let game: TruthGame
  let update: GameUpdate
  /// Rounds, T.
  let rounds: Int
  /// Responses and opponents sampled in a round, K; 0 takes the expectation over both.
  var samples = 0
  /// Strength of a tie to the uniform policy, `s − τ log π`, with which the last policy converges; 0
  /// for none.
  var anchor = 0.0
  var seed: UInt64 = 0

  /// The largest payoff, ρ.
  var bound: Double {
    game.payoffs(update).payoffs.joined().map { abs($0) }.max() ?? 0
  }

  /// `√(2D/T)/ρ` with `D = max log 1/π_1`: the step size of the bound below, β is its inverse.
  ///
  /// With an anchor, as small as the last policy needs: τ / ρ².
  var stepSize: Double {
    anchor > 0
      ? min(0.5, anchor / (bound * bound)) : (2 * distance / Double(rounds)).squareRoot() / bound
  }

  /// `2ρ √(2D/T)`: no average of exact play has a larger duality gap.
  ///
  /// The regret of multiplicative weights is at most `D/(ηT) + ηρ²/2` a round against a fixed response
  /// (Freund and Schapire 1999, theorem 1 with Hoeffding's lemma), the gap twice that; cf. theorem 5.1 of
  /// arXiv 2410.02197.
  var guarantee: Double { 2 * bound * (2 * distance / Double(rounds)).squareRoot() }

  private var distance: Double { game.start.map { -log($0) }.max() ?? 0 }

  /// Plays all rounds.
  /// - Parameter report: is told the round; may throw to stop.
  func run(report: (Int) throws -> Void) rethrows -> GameCourse {
    let payoffs = game.payoffs(update)
    let beta = 1 / stepSize
    var logits = game.start.map { log($0) }
    var sum = [Double](repeating: 0, count: payoffs.count)
    var course = GameCourse(points: [], average: [], last: [], guarantee: guarantee)
    for round in 1..<(rounds + 1) {
      let logprobs = logNormalised(logits)
      let policy = logprobs.map(exp)
      for place in sum.indices { sum[place] += policy[place] }
      if course.isKept(round, of: rounds) {
        let average = sum.map { $0 / Double(round) }
        course.points.append(
          .init(
            round: round, average: payoffs.dualityGap(average), last: payoffs.dualityGap(policy)))
        course.average = average
        course.last = policy
      }
      let steps = samples == 0 ? exact(payoffs, policy, beta) : sampled(policy, beta, round)
      for place in logits.indices {
        logits[place] = logprobs[place] + steps[place] - anchor / beta * logprobs[place]
      }
      try report(round)
    }
    return course
  }

  /// Plays all rounds.
  func run() -> GameCourse { run { _ in } }

  /// The step of every logit, from the loss on every response at its expected score.
  private func exact(_ payoffs: MatrixGame, _ policy: [Double], _ beta: Double) -> [Double] {
    let scores = payoffs.scores(against: policy)
    return halfSlopes(scores.map { Float($0) }, beta).map { -$0 }
  }

  /// The same from K responses, each the opponent of the others.
  private func sampled(_ policy: [Double], _ beta: Double, _ round: Int) -> [Double] {
    let drawn = PlumbRecipes.sampled(
      [policy.map { log($0) }], count: samples, purpose: "truth/players", step: round, seed: seed)[
        0]
    let table = drawn.map { i in drawn.map { game.scores.payoffs[i][$0] } }
    let count = Double(samples)
    let scores =
      switch update {
      // Without the response itself, whose zero would shrink the mean by (K − 1)/K.
      case .gpo:
        Judgement(preferenceLogits: table, source: game.name).opponentMeans(includingSelf: false)
      case .sppo:
        meanWinProbabilities(table).map { ($0 - 0.5) * count / (count - 1) }
      }
    var steps = [Double](repeating: 0, count: policy.count)
    for (response, slope) in zip(drawn, halfSlopes(scores.map { Float($0) }, beta)) {
      // A response that K samples are not expected to hold counts as if they did, once: otherwise one
      // rare sample would throw the policy away.
      steps[response] -= slope / max(1, count * policy[response])
    }
    return steps
  }

  /// Half the derivative of each row's own loss by its log-ratio, at a log-ratio of 0.
  private func halfSlopes(_ scores: [Float], _ beta: Double) -> [Double] {
    let ratios = Tensor.variable([Float](repeating: 0, count: scores.count), shape: [scores.count])
    let objective =
      switch update {
      case .gpo: gpo(logRatio: ratios, preferenceScores: scores, beta: Float(beta))
      case .sppo:
        sppo(
          logRatio: ratios, winProbabilities: scores.map { min(max($0 + 0.5, 0), 1) },
          beta: Float(beta))
      }
    let slopes = Gradients(of: objective.loss)[ratios]?.scalars ?? []
    return slopes.map { Double($0) * Double(scores.count) / 2 }
  }
}

/// What a play found.
struct GameCourse: Codable, Hashable {
  /// Duality gaps after a round, in units of the game's payoffs.
  struct Point: Codable, Hashable {
    let round: Int
    let average: Double
    let last: Double
  }
  var points: [Point]
  /// The mean of the policies of all rounds.
  var average: [Double]
  /// The policy of the last round.
  var last: [Double]
  /// What theory promises for the average.
  let guarantee: Double

  /// About twelve points in each power of ten, and the last round.
  func isKept(_ round: Int, of rounds: Int) -> Bool {
    if round == rounds || round <= 4 { return true }
    let place = { (round: Int) in Int((12 * log10(Double(round))).rounded(.down)) }
    return place(round) > place(round - 1)
  }
}
