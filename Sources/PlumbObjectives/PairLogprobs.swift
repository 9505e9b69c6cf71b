public import PlumbTensors

/// Sequence log-probabilities of preference pairs under the policy and under the reference.
///
/// What every loss of the DPO family reads. All four have one entry per pair, in nats, summed over
/// the tokens of the response.
public struct PairLogprobs: Sendable {
  /// [P], `log π(chosen | prompt)`.
  public let policyChosen: Tensor
  /// [P], `log π(rejected | prompt)`.
  public let policyRejected: Tensor
  /// [P], `log π_ref(chosen | prompt)`; carries no gradient.
  public let referenceChosen: Tensor
  /// [P], `log π_ref(rejected | prompt)`; carries no gradient.
  public let referenceRejected: Tensor

  /// Bundles the log-probabilities of at least one pair.
  ///
  /// - Parameters:
  ///   - policyChosen: [P], `log π(chosen | prompt)`.
  ///   - policyRejected: [P], `log π(rejected | prompt)`.
  ///   - referenceChosen: P values of `log π_ref(chosen | prompt)`.
  ///   - referenceRejected: P values of `log π_ref(rejected | prompt)`.
  public init(
    policyChosen: Tensor, policyRejected: Tensor, referenceChosen: [Float],
    referenceRejected: [Float]
  ) {
    requirePairs("PairLogprobs", policyChosen, policyRejected)
    let pairs = policyChosen.count
    requireCount("PairLogprobs", "referenceChosen", referenceChosen.count, rows: pairs)
    requireCount("PairLogprobs", "referenceRejected", referenceRejected.count, rows: pairs)
    self.policyChosen = policyChosen
    self.policyRejected = policyRejected
    self.referenceChosen = Tensor(referenceChosen)
    self.referenceRejected = Tensor(referenceRejected)
  }

  /// The number of pairs.
  public var count: Int { policyChosen.count }

  /// [P], `log π(chosen) − log π_ref(chosen)`.
  var chosenLogRatios: Tensor { policyChosen - referenceChosen }

  /// [P], `log π(rejected) − log π_ref(rejected)`.
  var rejectedLogRatios: Tensor { policyRejected - referenceRejected }

  /// [P], the difference of the two log-ratios, computed as TRL does.
  var logits: Tensor {
    (policyChosen - policyRejected) - (referenceChosen - referenceRejected)
  }

  /// Wraps row losses into an objective with the statistics TRL logs for this family.
  ///
  /// `rewards/chosen` and `rewards/rejected` are `beta` times the log-ratios, `rewards/margins`
  /// their difference, `rewards/accuracies` the share of pairs with a strictly positive margin,
  /// `logps/chosen` and `logps/rejected` the policy's log-probabilities.
  func objective(_ losses: Tensor, beta: Float, batchCount: Int?) -> Objective {
    let chosen = chosenLogRatios.scalars.map { beta * $0 }
    let rejected = rejectedLogRatios.scalars.map { beta * $0 }
    let wins = zip(chosen, rejected).count { $0 > $1 }
    let (chosenMean, rejectedMean) = (mean(chosen), mean(rejected))
    return Objective(
      loss: losses.share(of: batchCount),
      statistics: [
        "rewards/chosen": chosenMean,
        "rewards/rejected": rejectedMean,
        "rewards/margins": chosenMean - rejectedMean,
        "rewards/accuracies": Double(wins) / Double(count),
        "logps/chosen": mean(policyChosen.scalars),
        "logps/rejected": mean(policyRejected.scalars),
      ],
      count: count)
  }
}

/// Traps unless the strength of the pull to the reference is positive.
func requirePositive(_ operation: String, beta: Float) {
  precondition(beta > 0, "\(operation): expected beta > 0, found \(beta)")
}
