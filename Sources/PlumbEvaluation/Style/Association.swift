/// The phi coefficient of two binary variables, -1...1 (Pearson 1900; Matthews 1975):
/// `(n11 n00 - n10 n01) / √(n1· n0· n·1 n·0)`; nil where one of them has a single value.
public func phiCoefficient(n11: Int, n10: Int, n01: Int, n00: Int) -> Double? {
  let margins = [n11 + n10, n01 + n00, n11 + n01, n10 + n00].map(Double.init)
  let product = margins.reduce(1, *)
  guard product > 0 else { return nil }
  let phi = (Double(n11) * Double(n00) - Double(n10) * Double(n01)) / product.squareRoot()
  return min(1, max(-1, phi))
}

/// How a model's choices and people's go along with a property of the answers, such as being longer.
///
/// WorldPM, arXiv 2505.10527, §3.3: φ(P, S) of the model's choice P and φ(G, S) of people's choice G
/// with S, "the first answer has more of it". Both orders of each pair enter, since in files where the
/// chosen answer comes first G has a single value and no φ. A model that relies on the property more
/// than people do has φ(P, S) > φ(G, S).
public struct StyleAssociation: Sendable {
  /// φ(P, S); nil if no pair differs in the property and in the model's eyes.
  public let prediction: Double?
  /// Its 95 % interval over prompts.
  public let predictionInterval: Interval?
  /// φ(G, S); nil if no pair differs in the property.
  public let label: Double?
  /// Its 95 % interval over prompts.
  public let labelInterval: Interval?
  /// Pairs whose answers differ in the property.
  public let pairs: Int

  /// Measures pairs; those without styles are passed over.
  ///
  /// - Parameter amount: how much of the property an answer has.
  init(
    _ pairs: [ScoredPair], resamples: Int, seed: UInt64, amount: (ResponseStyle) -> Int
  ) {
    let rows = pairs.compactMap { pair -> (difference: Int, odds: Double, prompt: String)? in
      guard let chosen = pair.facts.chosen, let rejected = pair.facts.rejected else { return nil }
      let difference = amount(chosen) - amount(rejected)
      return difference == 0 ? nil : (difference, pair.logOdds, pair.facts.prompt)
    }
    func figures(_ drawn: [Int]) -> [Double] {
      var (both, either, chosenMore) = (0, 0, 0)
      for row in drawn {
        let more = rows[row].difference > 0
        chosenMore += more ? 1 : 0
        guard rows[row].odds != 0 else { continue }
        either += 1
        both += (rows[row].odds > 0) == more ? 1 : 0
      }
      // The other order of a pair turns both variables round, so it doubles the diagonals.
      let phis = [(both, either), (chosenMore, drawn.count)].map { agreeing, all in
        phiCoefficient(
          n11: agreeing, n10: all - agreeing, n01: all - agreeing, n00: agreeing)
      }
      return phis.map { $0 ?? .nan }
    }
    let values = figures(Array(rows.indices))
    let intervals = GroupedBootstrap(keys: rows.map(\.prompt), resamples: resamples, seed: seed)
      .intervals(figures)
    (prediction, label) = (values[0].isNaN ? nil : values[0], values[1].isNaN ? nil : values[1])
    (predictionInterval, labelInterval) = (intervals[0], intervals[1])
    self.pairs = rows.count
  }
}
