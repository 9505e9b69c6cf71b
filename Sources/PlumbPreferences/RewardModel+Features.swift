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
