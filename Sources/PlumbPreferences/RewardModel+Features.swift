import PlumbModels
public import PlumbTensors

extension RewardModel {
  /// Raw rewards with their graph, and what the head's last linear layer read to make them.
  ///
  /// The *last linear layer* is `score` of a linear head and `score.2` of WorldPM's, whose features are
  /// thus the hidden states after `score.0` and ReLU.
  /// - Parameter batch: packed for this model.
  /// - Returns: `rewards` [R], one per response, groups in order; `features` [R, H], constants.
  public func rewardsAndFeatures(_ batch: PreferenceBatch) -> (rewards: Tensor, features: Tensor) {
    let hidden = decoder.hiddenStates(
      tokens: batch.tokens, layout: batch.layout, parameters: parameters)
    let features = features(hidden: hidden, rows: batch.readRows)
    return (outputs(features: features), features.detached)
  }

  /// The weights of the head's last linear layer, [1, H].
  public var outputWeight: ParameterID { headIDs.outputWeight }
}

extension RewardModel {
  /// What the head's last linear layer reads of each response, without graph, [groups][K][H].
  ///
  /// - Parameters:
  ///   - groups: prompts with their responses.
  ///   - tokenBudget: tokens computed at once; bounds memory.
  ///   - progress: called with the number of groups that are done; what it throws ends the work.
  /// - Throws: `PreferenceError` naming the group that is empty, too long, out of the vocabulary, or whose
  ///   features are not finite.
  public func features(
    groups: [PreferenceGroup], tokenBudget: Int = 4096, progress: (Int) throws -> Void = { _ in }
  ) throws -> [[[Float]]] {
    var model = self
    model.parameters = parameters.frozen
    let width = decoder.configuration.hiddenSize
    var result: [[[Float]]] = []
    for range in chunks(of: groups, tokenBudget: tokenBudget) {
      let batch = try PreferenceBatch(
        Array(groups[range]), readout: readout, limits: limits, firstRow: range.lowerBound)
      ForwardMeter.count(batch)
      let values = model.features(
        hidden: decoder.hiddenStates(
          tokens: batch.tokens, layout: batch.layout, parameters: model.parameters),
        rows: batch.readRows
      ).scalars
      var next = 0
      for (offset, count) in batch.responseCounts.enumerated() {
        let rows = (next..<next + count).map { Array(values[$0 * width..<($0 + 1) * width]) }
        next += count
        for value in rows.joined() where !value.isFinite {
          throw PreferenceError.notFinite(
            row: range.lowerBound + offset, what: "feature", value: "\(value)")
        }
        result.append(rows)
      }
      try progress(range.upperBound)
    }
    return result
  }
}
