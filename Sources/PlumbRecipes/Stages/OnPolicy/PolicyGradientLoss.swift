import PlumbObjectives
import PlumbTensors

/// The loss of a policy gradient on whole responses, as its settings say: the clipped ratio or the plain
/// gradient, the divergence, the entropy.
///
/// With the advantages of GRPO, `ratio_level: token` and `loss_reduction: sequence` it is eq. 3 of arXiv
/// 2402.03300.
struct PolicyGradientLoss<Method: PolicyGradientMethod> {
  private let configuration: PolicyGradientConfiguration<Method>
  private let tokens: Float
  private let responses: Float

  /// - Parameters:
  ///   - tokens: response tokens of the minibatch, of which a call may hold a part.
  ///   - responses: responses of the minibatch.
  init(_ configuration: PolicyGradientConfiguration<Method>, tokens: Int, responses: Int) {
    self.configuration = configuration
    self.tokens = Float(tokens)
    self.responses = Float(responses)
  }

  /// The share of some responses in the loss of their minibatch.
  ///
  /// - Parameters:
  ///   - logprobs: [M], of the response tokens, responses end to end.
  ///   - entropies: [M], where the loss reads them.
  ///   - lengths: tokens of each response, [R].
  ///   - old: M log-probabilities under the policy that sampled.
  ///   - reference: M log-probabilities under the reference.
  ///   - advantages: of each response, [R].
  ///   - mean: takes the statistics.
  func loss(
    logprobs: Tensor, entropies: Tensor? = nil, lengths: [Int], old: [Float], reference: [Float],
    advantages: [Float], into mean: inout MinibatchMean
  ) -> Tensor {
    let weights = lengths.flatMap { [Float](repeating: tokenWeight(length: $0), count: $0) }
    let objective = policyObjective(
      logprobs, lengths: lengths, old: old, advantages: advantages, tokenWeights: weights)
    mean.add(objective, loss: "loss/policy_avg")
    var loss = objective.loss
    if configuration.klIn == .loss {
      let divergence = klLoss(
        logprobs: logprobs, referenceLogprobs: reference,
        estimator: configuration.klEstimator.inLoss, gradient: configuration.klGradient,
        weights: weights)
      mean.add(loss: divergence.loss, as: "loss/kl_avg")
      loss = loss + divergence.loss * Float(configuration.klCoefficient)
    }
    if let entropies {
      let bonus = entropies.sum() * (1 / tokens)
      mean.add(loss: bonus, as: "loss/entropy_avg")
      loss = loss - bonus * Float(configuration.entropyCoefficient)
    }
    mean.add(loss: loss, as: "loss")
    return loss
  }

  /// The share of a token in the loss.
  private func tokenWeight(length: Int) -> Float {
    switch (configuration.ratioLevel, configuration.lossReduction) {
    case (.token, .token): 1 / tokens
    case (.token, .sequence), (.sequenceMean, _): 1 / (responses * Float(length))
    case (.token, .constant): 1 / (responses * Float(configuration.sampling.maxNewTokens))
    case (.sequence, _): 1 / responses
    }
  }

  /// The policy's loss over tokens or responses.
  private func policyObjective(
    _ logprobs: Tensor, lengths: [Int], old: [Float], advantages: [Float], tokenWeights: [Float]
  ) -> Objective {
    let tokenAdvantages = zip(lengths, advantages).flatMap {
      [Float](repeating: $1, count: $0)
    }
    guard configuration.clip > 0 else {
      // Responses need no case of their own: the gradient of a sum is the sum of the gradients.
      return reinforce(logprobs: logprobs, advantages: tokenAdvantages, weights: tokenWeights)
    }
    guard configuration.ratioLevel != .token else {
      return clipped(logprobs, old: old, advantages: tokenAdvantages, weights: tokenWeights)
    }
    var sums = logprobs.segmentSum(lengths: lengths)
    var oldSums = Tensor(old).segmentSum(lengths: lengths)
    if configuration.ratioLevel == .sequenceMean {
      let shares = Tensor(lengths.map { 1 / Float($0) })
      (sums, oldSums) = (sums * shares, oldSums * shares)
    }
    return clipped(
      sums, old: oldSums.scalars, advantages: advantages,
      weights: [Float](repeating: 1 / responses, count: lengths.count))
  }

  private func clipped(
    _ logprobs: Tensor, old: [Float], advantages: [Float], weights: [Float]
  ) -> Objective {
    ppoPolicy(
      logprobs: logprobs, oldLogprobs: old, advantages: advantages, clip: Float(configuration.clip),
      clipHigher: configuration.clipHigher > 0 ? Float(configuration.clipHigher) : nil,
      dualClip: configuration.dualClip > 0 ? Float(configuration.dualClip) : nil, weights: weights)
  }
}
