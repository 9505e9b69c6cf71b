public import PlumbTensors

/// The losses on preference pairs, by the names that recipes use.
///
/// Each is a function of its own in this module, with its formula and source; this is the list to choose from.
public enum PairLoss: String, Codable, Hashable, Sendable, CaseIterable {
  /// Direct preference optimization.
  case sigmoid
  /// The same with smoothed labels.
  case cdpo
  /// The same, unbiased where labels are wrong at a known rate.
  case robust
  /// Identity preference optimization.
  case ipo
  /// The hinge loss of SLiC.
  case hinge
  /// Efficient exact optimization.
  case exo
  /// Noise contrastive alignment.
  case nca
  /// Self-play preference optimization with hard labels.
  case sppoHard = "sppo-hard"
  /// Anchored preference optimization, chosen up and rejected down.
  case apoZero = "apo-zero"
  /// Anchored preference optimization, both down.
  case apoDown = "apo-down"
  /// A blend of the logistic and the exponential loss.
  case discoPOP = "discopop"
  /// Alignment via optimal transport, of margins.
  case aot
  /// Alignment via optimal transport, of chosen against rejected log-ratios.
  case aotUnpaired = "aot-unpaired"
  /// Mean token log-probabilities with a margin, without a reference.
  case simPO = "simpo"
  /// Supervised fine-tuning with an odds ratio, without a reference.
  case orpo
  /// Contrastive preference optimization, without a reference.
  case cpo

  /// What a loss can be told besides its weight.
  public enum Option: String, Hashable, Sendable, CaseIterable {
    /// The strength of the pull to the reference, or the scale of the margin.
    case beta
    /// The chance that a label is the wrong way round.
    case labelSmoothing = "label_smoothing"
    /// The target margin of SimPO, after `beta`.
    case margin
    /// The weight of ORPO's odds ratio.
    case lambda
    /// The temperature of DiscoPOP's blend.
    case tau
  }

  /// The options that change this loss.
  public var reads: Set<Option> {
    switch self {
    case .cdpo, .robust, .exo, .aot, .aotUnpaired, .cpo: [.beta, .labelSmoothing]
    case .discoPOP: [.beta, .tau]
    case .simPO: [.beta, .margin]
    case .orpo: [.lambda]
    default: [.beta]
    }
  }

  /// The options without which this loss would be another one, or not defined.
  public var needs: Set<Option> {
    switch self {
    case .cdpo, .robust, .exo: [.labelSmoothing]
    case .discoPOP: [.tau]
    case .simPO: [.margin]
    case .orpo: [.lambda]
    default: []
    }
  }

  /// Whether the loss compares the policy with a reference.
  public var usesReference: Bool {
    switch self {
    case .simPO, .orpo, .cpo: false
    default: true
    }
  }

  /// Whether the loss of one pair depends on the other pairs of its batch.
  public var comparesWholeBatch: Bool { self == .aot || self == .aotUnpaired }
}

/// What a loss on pairs is told; see ``PairLoss/Option``.
public struct PairLossOptions: Hashable, Sendable {
  /// The strength of the pull to the reference, or the scale of the margin; greater than 0.
  public var beta: Float
  /// The chance that a label is the wrong way round, in 0..<0.5.
  public var labelSmoothing: Float
  /// The target margin of SimPO, after `beta`.
  public var margin: Float
  /// The weight of ORPO's odds ratio.
  public var lambda: Float
  /// The temperature of DiscoPOP's blend, between 0 and 1.
  public var tau: Float

  /// Options; those that a loss needs must be given.
  public init(
    beta: Float = 0.1, labelSmoothing: Float = 0, margin: Float = 0, lambda: Float = 0,
    tau: Float = 0
  ) {
    self.beta = beta
    self.labelSmoothing = labelSmoothing
    self.margin = margin
    self.lambda = lambda
    self.tau = tau
  }
}

/// What the losses on pairs read of P pairs.
public struct PairRows: Sendable {
  /// [P], summed log-probabilities of the chosen responses, nats.
  public var chosen: Tensor
  /// [P], summed log-probabilities of the rejected responses, nats.
  public var rejected: Tensor
  /// P token counts of the chosen responses.
  public var chosenLengths: [Int]
  /// P token counts of the rejected responses.
  public var rejectedLengths: [Int]
  /// P values of each kind under the reference; empty where no loss reads them.
  public var reference: (chosen: [Float], rejected: [Float])

  /// Bundles what is known of P pairs.
  public init(
    chosen: Tensor, rejected: Tensor, chosenLengths: [Int], rejectedLengths: [Int],
    reference: (chosen: [Float], rejected: [Float]) = ([], [])
  ) {
    self.chosen = chosen
    self.rejected = rejected
    self.chosenLengths = chosenLengths
    self.rejectedLengths = rejectedLengths
    self.reference = reference
  }

  /// Against the reference, as sums, or as means over the tokens of each response.
  ///
  /// Log-ratios per token are length-normalised DPO (Tülu 3, arXiv 2411.15124, sec. 5; TRL's
  /// `sigmoid_norm`): a long response cannot win by its length alone.
  func pairs(isPerToken: Bool) -> PairLogprobs {
    guard isPerToken else {
      return PairLogprobs(
        policyChosen: chosen, policyRejected: rejected, referenceChosen: reference.chosen,
        referenceRejected: reference.rejected)
    }
    let means = TokenMeans(chosen, rejected, chosenLengths, rejectedLengths, "PairRows")
    func perToken(_ values: [Float], _ lengths: [Int]) -> [Float] {
      requireCount("PairRows", "reference values", values.count, rows: lengths.count)
      return zip(values, lengths).map { $0 / Float($1) }
    }
    return PairLogprobs(
      policyChosen: means.chosen, policyRejected: means.rejected,
      referenceChosen: perToken(reference.chosen, chosenLengths),
      referenceRejected: perToken(reference.rejected, rejectedLengths))
  }
}

extension PairLoss {
  /// This loss of P pairs.
  ///
  /// - Parameters:
  ///   - rows: the pairs.
  ///   - options: those that the loss needs must be given.
  ///   - isPerToken: whether log-ratios are divided by the length of the response; read by losses that
  ///     use a reference. `logps/*` and rewards are then per token as well.
  ///   - batchCount: the pairs of the whole batch, where this call holds a part of it; a loss that
  ///     compares the whole batch cannot be given a part.
  public func objective(
    _ rows: PairRows, _ options: PairLossOptions, isPerToken: Bool = false, batchCount: Int? = nil
  ) -> Objective {
    let (beta, smoothing) = (options.beta, options.labelSmoothing)
    guard usesReference else {
      return referenceFree(rows, options, batchCount: batchCount)
    }
    let pairs = rows.pairs(isPerToken: isPerToken)
    switch self {
    case .cdpo:
      return dpo(pairs, beta: beta, labelSmoothing: smoothing, batchCount: batchCount)
    case .robust:
      return robustDPO(pairs, beta: beta, labelSmoothing: smoothing, batchCount: batchCount)
    case .ipo: return PlumbObjectives.ipo(pairs, beta: beta, batchCount: batchCount)
    case .hinge: return PlumbObjectives.hinge(pairs, beta: beta, batchCount: batchCount)
    case .exo:
      return exoPair(pairs, beta: beta, labelSmoothing: smoothing, batchCount: batchCount)
    case .nca: return ncaPair(pairs, beta: beta, batchCount: batchCount)
    case .sppoHard: return PlumbObjectives.sppoHard(pairs, beta: beta, batchCount: batchCount)
    case .apoZero: return PlumbObjectives.apoZero(pairs, beta: beta, batchCount: batchCount)
    case .apoDown: return PlumbObjectives.apoDown(pairs, beta: beta, batchCount: batchCount)
    case .discoPOP:
      return PlumbObjectives.discoPOP(pairs, beta: beta, tau: options.tau, batchCount: batchCount)
    case .aot, .aotUnpaired:
      precondition(
        batchCount ?? rows.chosen.count == rows.chosen.count,
        "\(rawValue): expected the whole batch, found \(rows.chosen.count) of \(batchCount ?? 0) pairs"
      )
      return self == .aot
        ? PlumbObjectives.aot(pairs, beta: beta, labelSmoothing: smoothing)
        : aotPair(pairs, beta: beta, labelSmoothing: smoothing)
    default: return dpo(pairs, beta: beta, batchCount: batchCount)
    }
  }

  private func referenceFree(
    _ rows: PairRows, _ options: PairLossOptions, batchCount: Int?
  ) -> Objective {
    switch self {
    case .simPO:
      PlumbObjectives.simPO(
        chosen: rows.chosen, rejected: rows.rejected, chosenLengths: rows.chosenLengths,
        rejectedLengths: rows.rejectedLengths, beta: options.beta, gamma: options.margin,
        batchCount: batchCount)
    case .orpo:
      PlumbObjectives.orpo(
        chosen: rows.chosen, rejected: rows.rejected, chosenLengths: rows.chosenLengths,
        rejectedLengths: rows.rejectedLengths, lambda: options.lambda, batchCount: batchCount)
    default:
      PlumbObjectives.cpo(
        chosen: rows.chosen, rejected: rows.rejected, beta: options.beta,
        labelSmoothing: options.labelSmoothing, batchCount: batchCount)
    }
  }
}

/// The weighted sum of losses on the same pairs.
///
/// Statistics are those of the first loss and, where there are several, `loss/NAME` for each: its mean
/// over the pairs, before its weight.
/// - Parameters:
///   - losses: at least one, with weights.
///   - rows: the pairs.
///   - options: read by all losses.
///   - isPerToken: see ``PairLoss/objective(_:_:isPerToken:batchCount:)``.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func pairObjective(
  _ losses: [(loss: PairLoss, weight: Float)], _ rows: PairRows, _ options: PairLossOptions,
  isPerToken: Bool = false, batchCount: Int? = nil
) -> Objective {
  precondition(!losses.isEmpty, "pairObjective: expected at least one loss, found none")
  let parts = losses.map { entry in
    entry.loss.objective(rows, options, isPerToken: isPerToken, batchCount: batchCount)
  }
  guard losses.count > 1 || losses[0].weight != 1 else { return parts[0] }
  var statistics = parts[0].statistics
  var total = parts[0].loss * losses[0].weight
  for (part, entry) in zip(parts, losses).dropFirst() { total = total + part.loss * entry.weight }
  if losses.count > 1 {
    let share = Double(batchCount ?? rows.chosen.count) / Double(rows.chosen.count)
    for (part, entry) in zip(parts, losses) {
      statistics["loss/\(entry.loss.rawValue)"] = Double(part.loss.item) * share
    }
  }
  return Objective(loss: total, statistics: statistics, count: parts[0].count)
}
