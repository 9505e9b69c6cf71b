import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// The reward model that a training starts from.
///
/// A reward model goes on with its own head; a language model, an adapter merged, gets a new one.
func startingRewardModel(
  _ context: StageContext, _ reference: String, head: RewardModel.Head,
  encoder: ConversationEncoder, seed: UInt64
) throws -> RewardModel {
  let source = try context.artifact(reference)
  if AdapterFolder.isAdapter(source) {
    return try RewardModel(
      from: CausalLM(directory: source), head: head, endOfText: encoder.endOfText, seed: seed)
  }
  let folder = try ModelFolder(source)
  if folder.architecture != folder.configuration.family.causalArchitecture {
    return try rewardModel(context, reference)
  }
  return try RewardModel(
    from: CausalLM(folder), head: head, endOfText: encoder.endOfText, seed: seed)
}

extension RewardModel {
  /// The same model with a head whose last layer is 0: every pair begins at even odds.
  ///
  /// A random head begins above a coin's loss, and the way down to it would pass for learning.
  var atEvenOdds: RewardModel {
    var result = self
    for name in ["score.2.weight", "score.2.bias", "score.weight"] {
      guard let id = parameters.layout.id(named: name) else { continue }
      result.parameters.assign(
        [Float](repeating: 0, count: parameters.values(of: id).count), to: id)
    }
    return result
  }
}
