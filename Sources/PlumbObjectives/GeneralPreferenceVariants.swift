public import PlumbTensors

/// The General Preference Model's loss with a temperature that is trained.
///
/// `τ̂ = max(softplus(ρ), 0.01)` in place of `tau`, as the published code's learnable-tau losses, which
/// begin at `ρ = −2.25`, `τ̂ ≈ 0.1` (arXiv 2410.02197; there `τ` never reaches the optimizer, here it
/// does). The other arguments and statistics are those of
/// ``generalPreference(scores:tau:margins:weights:labels:labelSmoothing:batchCount:)``, and `tau`.
/// - Parameters:
///   - scores: [P], raw scores.
///   - rawTau: [1], `ρ`.
///   - margins: [P], in the units of the scores.
///   - labels: [P], soft labels in 0...1.
///   - labelSmoothing: the chance that a label is the wrong way round.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func generalPreference(
  scores: Tensor, rawTau: Tensor, margins: [Float]? = nil, labels: [Float]? = nil,
  labelSmoothing: Float = 0, batchCount: Int? = nil
) -> Objective {
  requireColumn("generalPreference", scores)
  precondition(
    rawTau.count == 1, "generalPreference: expected one tau, found shape \(rawTau.shape)")
  let tau = temperature(rawTau)
  var differences = scores
  if let margins {
    requireCount("generalPreference", "margins", margins.count, rows: scores.count)
    differences = scores - Tensor(margins)
  }
  // 1 / τ̂ as exp(−log τ̂), which has a gradient.
  let losses = logisticLosses(
    logits: differences * (-tau.log()).exp(), operation: "generalPreference", margins: nil,
    weights: nil, labels: labels, labelSmoothing: labelSmoothing)
  let plain = generalPreference(
    scores: scores.detached, tau: tau.item, batchCount: batchCount)
  return Objective(
    loss: losses.share(of: batchCount),
    statistics: plain.statistics.merging(["tau": Double(tau.item)]) { $1 }, count: scores.count)
}

/// `max(softplus(ρ), 0.01)`, the temperature of a trained `ρ`.
public func temperature(_ rawTau: Tensor) -> Tensor {
  (-(-rawTau).logSigmoid()).clamped(0.01, .infinity)
}

/// The General Preference Model as a regression of log-odds: `½ (s / τ − target)²` per pair.
///
/// The paper's alternative loss (arXiv 2410.02197, appendix A, `L_MSE = Σ (s / β − s_D)²`, here halved as
/// in the published code). What the target is has a name in ``RegressionTarget``.
///
/// Statistics: as the logistic loss, and `error`, the mean `|s / τ − target|`.
/// - Parameters:
///   - scores: [P], `s(chosen ≻ rejected)`.
///   - tau: the temperature, greater than 0.
///   - targets: [P], log-odds to reach.
///   - batchCount: the pairs of the whole batch, where this call holds a part of it.
public func generalPreferenceRegression(
  scores: Tensor, tau: Float = 0.1, targets: [Float], batchCount: Int? = nil
) -> Objective {
  requireColumn("generalPreferenceRegression", scores)
  precondition(tau > 0, "generalPreferenceRegression: expected tau > 0, found \(tau)")
  requireCount("generalPreferenceRegression", "targets", targets.count, rows: scores.count)
  let difference = scores * (1 / tau) - Tensor(targets)
  let plain = generalPreference(scores: scores.detached, tau: tau, batchCount: batchCount)
  return Objective(
    loss: (difference.square() * 0.5).share(of: batchCount),
    statistics: plain.statistics.merging(
      ["error": mean(difference.scalars.map { abs($0) })]) { $1 },
    count: scores.count)
}

/// What a regression of log-odds aims at.
public enum RegressionTarget: Hashable, Sendable {
  /// The same for every pair; 10 in the published code where a row has no margin.
  case constant(Float)
  /// `5 σ(m)` of the row's margin, as the published scalar and two-dimensional losses.
  case sigmoidOfMargin
  /// `m / τ`, as the published losses of more dimensions: `½ ((s − m) / τ)²`.
  case margin
  /// The log-odds of the row's soft label, held 1e-3 away from 0 and 1: the paper's `s_D`.
  case labelLogOdds

  /// The target of a pair.
  ///
  /// - Parameters:
  ///   - margin: of the row; 0 where it has none.
  ///   - label: of the row; 1 where it has none.
  ///   - tau: the temperature.
  public func callAsFunction(margin: Float, label: Float, tau: Float) -> Float {
    switch self {
    case .constant(let target): return target
    case .sigmoidOfMargin: return 5 * Tensor([margin]).sigmoid().item
    case .margin: return margin / tau
    case .labelLogOdds:
      let p = Tensor([min(max(label, 1e-3), 1 - 1e-3)])
      return (p.log() - (1 - p).log()).item
    }
  }
}

/// Language modelling beside a preference loss, so that the trunk does not forget it.
public enum LanguageRegulariser: String, Hashable, Sendable, CaseIterable {
  /// `−log σ(β Σ_t log p_t)` (the published code's `SFTSumLoss`, the one in use there).
  case sum
  /// `−log σ(β · mean_t log p_t)` (`SFTMeanLoss`).
  case mean
  /// The mean negative log-likelihood of a token (`SFTVanillaLoss`).
  case nll

  /// The loss of chosen sequences, a mean over them.
  ///
  /// - Parameters:
  ///   - logprobs: [T], log-probabilities of all their tokens, sequence after sequence.
  ///   - lengths: the tokens of each sequence.
  ///   - beta: scales the log-probability; not read by `nll`.
  ///   - batchCount: the sequences of the whole batch, where this call holds a part of it.
  public func callAsFunction(
    logprobs: Tensor, lengths: [Int], beta: Float, batchCount: Int? = nil
  ) -> Tensor {
    precondition(
      lengths.reduce(0, +) == logprobs.count && lengths.allSatisfy { $0 > 0 },
      "LanguageRegulariser: expected lengths that add up to \(logprobs.count), found \(lengths)")
    let sums = logprobs.segmentSum(lengths: lengths)
    let perToken = Tensor(lengths.map { 1 / Float($0) })
    switch self {
    case .sum: return (-(sums * beta).logSigmoid()).share(of: batchCount)
    case .mean: return (-(sums * perToken * beta).logSigmoid()).share(of: batchCount)
    case .nll: return (-(sums * perToken)).share(of: batchCount)
    }
  }
}
