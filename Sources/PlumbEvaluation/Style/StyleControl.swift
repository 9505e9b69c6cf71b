/// A preference from which the answers' looks are taken out, `R = D·α + Zᵀβ`.
///
/// WorldPM, arXiv 2505.10527, §3.3: D are a model's log-odds, Z the contrasts of style features,
/// standardised over the pairs, and (α, β) a logistic regression of what people chose (the paper calls
/// it linear; no intercept). Unlike the paper, which fits on the very pairs that it then evaluates, this
/// type is fitted on some pairs and applied to others.
///
/// *Standardised* means divided by the root of the mean square over the pairs of the fit. The mean
/// itself is that over both orders of each pair, which is 0: to take off the mean over "chosen minus
/// rejected" would tell the regression which answer was chosen.
public struct StyleControl: Hashable, Sendable {
  /// The features, in the order of `beta`.
  public let features: [StyleFeature]
  /// The weight of the model's log-odds.
  public let alpha: Double
  /// The weight of each standardised feature; 0 for one that no pair of the fit has.
  public let beta: [Double]
  /// The root of the mean square of each contrast over the pairs of the fit.
  public let scales: [Double]
  /// Whether the fit separates its pairs, so that the sizes of the weights say nothing.
  public let isSeparated: Bool

  /// Fits the pairs that have styles; nil if none has.
  ///
  /// - Parameters:
  ///   - pairs: of the fit.
  ///   - features: none for "no control": α alone.
  ///   - usesModel: whether D takes part; false for the style alone.
  public init?(_ pairs: [ScoredPair], features: [StyleFeature], usesModel: Bool = true) {
    let rows = pairs.compactMap { pair in
      Self.contrasts(pair, features).map { (logOdds: pair.logOdds, contrasts: $0) }
    }
    guard !rows.isEmpty, usesModel || !features.isEmpty else { return nil }
    func scale(_ values: [Double]) -> Double {
      let square = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
      return square > 0 ? square.squareRoot() : 1
    }
    let scales = features.indices.map { feature in scale(rows.map { $0.contrasts[feature] }) }
    // In units of its own size, so that the ridge weighs on it as on the features.
    let unit = scale(rows.map(\.logOdds))
    let fit = LogisticRegression(
      rows.map { row in
        (usesModel ? [row.logOdds / unit] : []) + zip(row.contrasts, scales).map { $0 / $1 }
      })
    alpha = usesModel ? fit.weights[0] / unit : 0
    beta = Array(fit.weights.suffix(features.count))
    self.features = features
    self.scales = scales
    isSeparated = fit.isSeparated
  }

  /// `D·α + Zᵀβ` of a pair; nil if it has no styles.
  public func logOdds(_ pair: ScoredPair) -> Double? {
    Self.contrasts(pair, features).map { contrasts in
      contrasts.indices.reduce(pair.logOdds * alpha) { sum, feature in
        sum + contrasts[feature] / scales[feature] * beta[feature]
      }
    }
  }

  private static func contrasts(_ pair: ScoredPair, _ features: [StyleFeature]) -> [Double]? {
    guard let chosen = pair.facts.chosen, let rejected = pair.facts.rejected else { return nil }
    return features.map { $0.contrast(chosen, rejected) }
  }
}
