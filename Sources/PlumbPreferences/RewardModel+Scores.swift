import PlumbTensors

extension RewardModel {
  /// Scores of every response of every group, without graph; normalised if `normalisation` is set.
  ///
  /// Groups are packed in order until `tokenBudget` is reached. Nothing is padded, so a score does not
  /// depend on what else is in the batch (beyond the rounding of matrix products, 1e-5).
  /// - Parameters:
  ///   - groups: prompts with their responses.
  ///   - tokenBudget: tokens computed at once; bounds memory.
  /// - Throws: `PreferenceError` naming the group that is empty, too long, out of the vocabulary, or
  ///   whose score is not finite.
  public func scores(
    groups: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [[Float]] {
    let raw = try rawScores(groups: groups, tokenBudget: tokenBudget)
    guard let normalisation else { return raw }
    return raw.map { $0.map { normalisation($0) } }
  }

  /// Scores of bare sequences, whose prompt length is not known.
  ///
  /// A `.worldPM` head reads at the first end-of-text id of the whole sequence, appended if absent.
  /// - Throws: as `scores(groups:)`, rows counted from 0.
  public func scores(
    sequences: [[Int32]], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [Float] {
    try scores(
      groups: sequences.map { PreferenceGroup(prompt: [], responses: [$0]) },
      tokenBudget: tokenBudget
    ).flatMap { $0 }
  }

  /// Scores before normalisation; their differences are the log-odds of Bradley-Terry.
  /// - Throws: as `scores(groups:)`.
  public func rawScores(
    groups: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [[Float]] {
    var model = self
    model.parameters = parameters.frozen
    var scores: [[Float]] = []
    scores.reserveCapacity(groups.count)
    for range in chunks(of: groups, tokenBudget: tokenBudget) {
      let batch = try PreferenceBatch(
        Array(groups[range]), readout: readout, limits: limits, firstRow: range.lowerBound)
      let rewards = batch.readRows.isEmpty ? [] : model.rewards(batch).scalars
      var next = 0
      for (offset, count) in batch.responseCounts.enumerated() {
        let group = Array(rewards[next..<next + count])
        next += count
        for value in group where !value.isFinite {
          throw .notFinite(row: range.lowerBound + offset, what: "score", value: "\(value)")
        }
        scores.append(group)
      }
    }
    return scores
  }

  /// Sets `normalisation` so that these samples get mean 0 and variance 1.
  /// - Throws: `PreferenceError` if scoring fails or the samples are fewer than two or all equal.
  public mutating func normalise(
    on groups: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) {
    let raw = try rawScores(groups: groups, tokenBudget: tokenBudget)
    normalisation = try RewardNormalisation(fitting: raw.flatMap { $0 })
  }
}

/// Consecutive ranges of `groups` whose tokens stay within the budget; a longer group stands alone.
func chunks(of groups: [PreferenceGroup], tokenBudget: Int) -> [Range<Int>] {
  var ranges: [Range<Int>] = []
  var start = 0
  var tokens = 0
  for (index, group) in groups.enumerated() {
    if index > start, tokens + group.tokenCount > tokenBudget {
      ranges.append(start..<index)
      start = index
      tokens = 0
    }
    tokens += group.tokenCount
  }
  if start < groups.count { ranges.append(start..<groups.count) }
  return ranges
}
