public import PlumbTensors

/// SimPO: a logistic loss of mean token log-probabilities with a margin, without a reference.
///
/// `−log σ(β·(log π(chosen)/|chosen| − log π(rejected)/|rejected|) − γ)` per pair (Meng et al. 2024,
/// arXiv 2405.14734, eq. 6).
///
/// Statistics: `rewards/chosen` and `rewards/rejected` (`β` times the mean token log-probability),
/// `rewards/margins`, `rewards/accuracies` (strict), `logps/chosen`, `logps/rejected` (mean per token).
/// - Parameters:
///   - chosen: [P], summed log-probabilities of the chosen responses.
///   - rejected: [P], summed log-probabilities of the rejected responses.
///   - chosenLengths: P token counts.
///   - rejectedLengths: P token counts.
///   - beta: the scale of the margin, greater than 0.
///   - gamma: the target margin `γ`, after `beta`.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func simPO(
  chosen: Tensor, rejected: Tensor, chosenLengths: [Int], rejectedLengths: [Int], beta: Float,
  gamma: Float, batchCount: Int? = nil
) -> Objective {
  requirePairs("simPO", chosen, rejected)
  requirePositive("simPO", beta: beta)
  let means = TokenMeans(chosen, rejected, chosenLengths, rejectedLengths, "simPO")
  return means.objective(
    simPOLosses(means, beta: beta, gamma: gamma), scale: beta, batchCount: batchCount)
}

/// ORPO: supervised fine-tuning on the chosen response plus a log-odds ratio against the rejected.
///
/// `−l_c − λ·log σ(log odds_c − log odds_r)` with `l` the mean token log-probability and
/// `log odds = l − log(1 − e^l)` (Hong et al. 2024, arXiv 2403.07691, eq. 6-7; the odds of the
/// geometric mean probability, as in TRL).
///
/// Statistics: as ``simPO(chosen:rejected:chosenLengths:rejectedLengths:beta:gamma:batchCount:)``, the
/// rewards scaled by `λ`.
/// - Parameters:
///   - chosen: [P], summed log-probabilities of the chosen responses, less than 0.
///   - rejected: [P], summed log-probabilities of the rejected responses, less than 0.
///   - chosenLengths: P token counts.
///   - rejectedLengths: P token counts.
///   - lambda: the weight of the log-odds ratio.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func orpo(
  chosen: Tensor, rejected: Tensor, chosenLengths: [Int], rejectedLengths: [Int], lambda: Float,
  batchCount: Int? = nil
) -> Objective {
  requirePairs("orpo", chosen, rejected)
  let means = TokenMeans(chosen, rejected, chosenLengths, rejectedLengths, "orpo")
  return means.objective(
    orpoLosses(means, lambda: lambda), scale: lambda, batchCount: batchCount)
}

/// Mean token log-probabilities of pairs.
struct TokenMeans {
  let chosen: Tensor
  let rejected: Tensor

  init(
    _ chosen: Tensor, _ rejected: Tensor, _ chosenLengths: [Int], _ rejectedLengths: [Int],
    _ operation: String
  ) {
    requireCount(operation, "chosenLengths", chosenLengths.count, rows: chosen.count)
    requireCount(operation, "rejectedLengths", rejectedLengths.count, rows: rejected.count)
    for length in chosenLengths + rejectedLengths {
      precondition(length > 0, "\(operation): expected lengths > 0, found \(length)")
    }
    self.chosen = chosen / Tensor(chosenLengths.map { Float($0) })
    self.rejected = rejected / Tensor(rejectedLengths.map { Float($0) })
  }

  func objective(_ losses: Tensor, scale: Float, batchCount: Int?) -> Objective {
    let (chosen, rejected) = (chosen.scalars, rejected.scalars)
    let wins = zip(chosen, rejected).count { $0 > $1 }
    let (chosenMean, rejectedMean) = (mean(chosen), mean(rejected))
    return Objective(
      loss: losses.share(of: batchCount),
      statistics: [
        "rewards/chosen": Double(scale) * chosenMean,
        "rewards/rejected": Double(scale) * rejectedMean,
        "rewards/margins": Double(scale) * (chosenMean - rejectedMean),
        "rewards/accuracies": Double(wins) / Double(chosen.count),
        "logps/chosen": chosenMean,
        "logps/rejected": rejectedMean,
      ],
      count: chosen.count)
  }
}

/// Row losses of `simPO`, [P].
func simPOLosses(_ means: TokenMeans, beta: Float, gamma: Float) -> Tensor {
  -((means.chosen - means.rejected) * beta - gamma).logSigmoid()
}

/// Row losses of `orpo`, [P].
func orpoLosses(_ means: TokenMeans, lambda: Float) -> Tensor {
  let logOdds =
    (means.chosen - means.rejected)
    - (logOneMinusExp(means.chosen) - logOneMinusExp(means.rejected))
  return -means.chosen - logOdds.logSigmoid() * lambda
}

/// `log(1 − e^x)` for `x < 0`, accurate near 0.
///
/// `1 − e^x = −2t/(1 − t)` with `t = tanh(x/2)`, which has no cancellation; `1 − exp(x)` loses half
/// the digits already at `x = −1e−3`.
private func logOneMinusExp(_ x: Tensor) -> Tensor {
  let t = (x * 0.5).tanh()
  return (t * -2).log() - (-t + 1).log()
}
