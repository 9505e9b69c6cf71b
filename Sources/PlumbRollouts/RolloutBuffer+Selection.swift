/// The best and the worst response of a group, as DPO reads them.
public struct BestAndWorst: Hashable, Sendable {
  /// The preferred response.
  public let best: ResponsePlace
  /// The other one.
  public let worst: ResponsePlace
}

extension RolloutGroup {
  /// ŝ of each response: its mean log-odds over the K responses.
  ///
  /// Equation 5.2 of arXiv 2410.02197.
  ///
  /// - Parameter includingSelf: whether the zero of a response against itself counts, as in the paper;
  ///   otherwise the mean is over the K - 1 others.
  /// - Returns: [K]; nil until judged.
  public func opponentMeans(includingSelf: Bool = true) -> [Double]? {
    preferenceLogits.map { table in
      let opponents = Double(includingSelf ? table.count : max(1, table.count - 1))
      return table.map { $0.reduce(0, +) / opponents }
    }
  }
}

extension RolloutBuffer {
  /// ŝ of every response, groups in order, as GPO reads them.
  ///
  /// - Parameter includingSelf: see `RolloutGroup.opponentMeans(includingSelf:)`.
  /// - Throws: `RolloutError.missing` for a group that was not judged.
  public func opponentMeans(includingSelf: Bool = true) throws(RolloutError) -> [Float] {
    var means: [Float] = []
    for (index, group) in groups.enumerated() {
      guard let own = group.opponentMeans(includingSelf: includingSelf) else {
        throw .missing(
          group: index, response: 0, field: "preference table", remedy: "judge the buffer first")
      }
      means += own.map { Float($0) }
    }
    return means
  }

  /// The best and the worst response of each group.
  ///
  /// Preference pairs keep their label: chosen and rejected. Sampled groups are ordered by ŝ. A group
  /// with nothing to choose is left out: fewer than two responses, equal ŝ, or equal tokens.
  /// - Throws: `RolloutError.missing` for a sampled group that was not judged.
  public func bestAndWorst() throws(RolloutError) -> [BestAndWorst] {
    var pairs: [BestAndWorst] = []
    for (index, group) in groups.enumerated() {
      guard group.responses.count >= 2 else { continue }
      var (best, worst) = (0, 1)
      if provenance.source == .sampled {
        guard let means = group.opponentMeans() else {
          throw .missing(
            group: index, response: 0, field: "preference table", remedy: "judge the buffer first")
        }
        for (number, mean) in means.enumerated() {
          if mean > means[best] { best = number }
          if mean < means[worst] { worst = number }
        }
        guard means[best] > means[worst] else { continue }
      }
      guard group.responses[best].tokens != group.responses[worst].tokens else { continue }
      pairs.append(
        BestAndWorst(
          best: ResponsePlace(group: index, response: best),
          worst: ResponsePlace(group: index, response: worst)))
    }
    return pairs
  }
}
