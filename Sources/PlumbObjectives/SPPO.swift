public import PlumbTensors

/// Self-Play Preference Optimization: the squared distance of log-ratios from win probabilities.
///
/// `mean (log π(y|x)/π_t(y|x) − (p̂(y ≻ π_t | x) − ½)/β)²` over the sampled responses (Wu et al. 2024,
/// arXiv 2405.00675, eq. 4.7, without its factor ½). Beside `gpo` the target is bounded by
/// `1/(2β)`.
///
/// Statistics, means over responses: `sppo/log_ratio`, `sppo/target`, `sppo/win_probability`.
/// - Parameters:
///   - logRatio: [R], `log π − log π_t` summed over the tokens of each response.
///   - winProbabilities: R values of `p̂`, see ``meanWinProbabilities(_:)``.
///   - beta: the strength of the pull to `π_t`, greater than 0.
///   - batchCount: the responses of the whole batch, where this call holds a part of it.
public func sppo(
  logRatio: Tensor, winProbabilities: [Float], beta: Float, batchCount: Int? = nil
) -> Objective {
  requireColumn("sppo", logRatio)
  requirePositive("sppo", beta: beta)
  requireCount("sppo", "winProbabilities", winProbabilities.count, rows: logRatio.count)
  let targets = winProbabilities.map { probability in
    precondition(
      (0...1).contains(probability),
      "sppo: expected win probabilities in 0...1, found \(probability)")
    return (probability - 0.5) / beta
  }
  return Objective(
    loss: (logRatio - Tensor(targets)).square().share(of: batchCount),
    statistics: [
      "sppo/log_ratio": mean(logRatio.scalars),
      "sppo/target": mean(targets),
      "sppo/win_probability": mean(winProbabilities),
    ],
    count: logRatio.count)
}

/// SPPO on pairs with hard labels: the chosen response won always, the rejected one never.
///
/// `(log π/π_ref (chosen) − 1/(2β))² + (log π/π_ref (rejected) + 1/(2β))²` per pair, TRL's
/// `sppo_hard`. Statistics as in `dpo`.
/// - Parameters:
///   - pairs: log-probabilities under policy and reference.
///   - beta: the strength of the pull to the reference, greater than 0.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func sppoHard(_ pairs: PairLogprobs, beta: Float, batchCount: Int? = nil) -> Objective {
  pairs.objective(sppoHardLosses(pairs, beta: beta), beta: beta, batchCount: batchCount)
}

/// Row losses of `sppoHard`, [P].
func sppoHardLosses(_ pairs: PairLogprobs, beta: Float) -> Tensor {
  requirePositive("sppoHard", beta: beta)
  let target = 0.5 / beta
  return (pairs.chosenLogRatios - target).square() + (pairs.rejectedLogRatios + target).square()
}
