import PlumbPreferences
import PlumbTensors

/// How much of a model's agreement with people is the answers' looks.
public struct StyleAnalysis: Sendable {
  /// Where the weights of the style control were fitted.
  public enum Fit: Hashable, Sendable {
    /// On validation pairs whose prompts no test pair has.
    case validation(pairs: Int, sharedPromptsLeftOut: Int)
    /// On the other folds of the test pairs, divided by prompt.
    case crossFit(folds: Int)
  }

  /// The features that are controlled for.
  public let features: [StyleFeature]
  /// Where the weights come from.
  public let fit: Fit
  /// Weight of the model's log-odds; the mean over the folds.
  public let alpha: Double
  /// Weights of the standardised features; the mean over the folds.
  public let beta: [Double]
  /// Whether a fit separated its pairs, so that the sizes of its weights say nothing.
  public let isSeparated: Bool
  /// The pairs with styles by the model's log-odds D as they are.
  public let raw: MeasuredCalibration
  /// By `D·α`, α fitted alone: what the paper calls no control.
  public let noControl: MeasuredCalibration
  /// By `D·α + Zᵀβ`.
  public let controlled: MeasuredCalibration
  /// By `Zᵀβ`, fitted without D: how far the looks alone get.
  public let styleOnly: MeasuredCalibration
  /// φ of each property with the model's and people's choices; "markdown" is lists, headers and bold.
  public let associations: [(property: String, association: StyleAssociation)]
  /// The pairs whose chosen answer has more tokens; nil if there is none.
  public let chosenLonger: MeasuredCalibration?
  /// The pairs whose chosen answer has fewer tokens; nil if there is none.
  public let chosenShorter: MeasuredCalibration?

  /// Analyses test pairs; nil if none has styles, or there is nothing to fit on.
  ///
  /// - Parameters:
  ///   - test: the pairs that are evaluated.
  ///   - validation: for the fit; if none with styles is left, the test is cross-fitted by prompt in
  ///     five folds, or as many as it has prompts, at least two.
  init?(
    test: [ScoredPair], validation: [ScoredPair], features: [StyleFeature],
    options: AnalysisOptions
  ) {
    let pairs = test.filter(\.hasStyles)
    guard !pairs.isEmpty else { return nil }
    let (usable, shared) = withoutSharedPrompts(validation.filter(\.hasStyles), test: test)
    let parts: [(fit: [ScoredPair], rows: [Int])]
    if usable.isEmpty {
      let groups = GroupedBootstrap(keys: pairs.map(\.facts.prompt), resamples: 0, seed: 0).groups
      guard groups.count > 1 else { return nil }
      let folds = Self.folds(groups, seed: options.seed)
      parts = folds.map { fold in
        let held = Set(fold)
        return (pairs.indices.filter { !held.contains($0) }.map { pairs[$0] }, fold)
      }
      fit = .crossFit(folds: folds.count)
    } else {
      parts = [(usable, Array(pairs.indices))]
      fit = .validation(pairs: usable.count, sharedPromptsLeftOut: shared)
    }

    var fits: [StyleControl] = []
    func heldOut(_ features: [StyleFeature], usesModel: Bool = true) -> [Double] {
      var odds = [Double](repeating: 0, count: pairs.count)
      for part in parts {
        guard
          let control = StyleControl(part.fit, features: features, usesModel: usesModel)
        else { continue }
        for row in part.rows { odds[row] = control.logOdds(pairs[row]) ?? 0 }
        if usesModel, !features.isEmpty { fits.append(control) }
      }
      return odds
    }
    func measured(_ odds: [Double]) -> MeasuredCalibration {
      MeasuredCalibration(
        pairs, logOdds: odds, bins: options.bins, resamples: options.resamples, seed: options.seed)
    }
    raw = measured(pairs.map(\.logOdds))
    noControl = measured(heldOut([]))
    controlled = measured(heldOut(features))
    styleOnly = measured(heldOut(features, usesModel: false))
    self.features = features
    alpha = fits.reduce(0) { $0 + $1.alpha } / Double(max(1, fits.count))
    beta = features.indices.map { feature in
      fits.reduce(0) { $0 + $1.beta[feature] } / Double(max(1, fits.count))
    }
    isSeparated = fits.contains(where: \.isSeparated)

    let properties: [(String, (ResponseStyle) -> Int)] =
      StyleFeature.allCases.map { feature in (feature.rawValue, { feature($0) }) }
      + [("markdown", \.markdown)]
    associations = properties.map { name, amount in
      (
        name,
        StyleAssociation(pairs, resamples: options.resamples, seed: options.seed, amount: amount)
      )
    }
    func slice(_ isIn: (Int) -> Bool) -> MeasuredCalibration? {
      let slice = pairs.filter { isIn($0.lengthDifference) }
      return slice.isEmpty
        ? nil
        : MeasuredCalibration(
          slice, bins: options.bins, resamples: options.resamples, seed: options.seed)
    }
    chosenLonger = slice { $0 > 0 }
    chosenShorter = slice { $0 < 0 }
  }

  /// The rows of five folds; whole prompts, shuffled by the seed, dealt in turn.
  private static func folds(_ groups: [[Int]], seed: UInt64) -> [[Int]] {
    var order = Array(groups.indices)
    var stream = RandomStream(seed: seed, purpose: "style folds")
    order.shuffle(using: &stream)
    var folds = [[Int]](repeating: [], count: min(5, groups.count))
    for (place, group) in order.enumerated() { folds[place % folds.count] += groups[group] }
    return folds.map { $0.sorted() }
  }
}

extension ScoredPair {
  /// Whether the styles of both answers are known.
  var hasStyles: Bool { facts.chosen != nil && facts.rejected != nil }

  /// Tokens of the chosen minus those of the rejected answer.
  var lengthDifference: Int { (facts.chosen?.tokens ?? 0) - (facts.rejected?.tokens ?? 0) }
}
