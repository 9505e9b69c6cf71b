import PlumbRollouts

/// How a judge's score of a whole response becomes its reward, before any penalty on divergence.
///
/// `clip(s, ±c) − m·[no end within the limit] − α·max(0, |y| − n)`, with |y| in tokens, the
/// end-of-turn token included. With n = 0 the last term is the length regularisation of Park et al. 2024
/// (arXiv 2403.19159); with n = limit − cache and α = 1 / cache it is DAPO's soft overlong punishment
/// (Yu et al. 2025, arXiv 2503.14476, §3.4), and m = 1 adds its last step.
struct ScoreShaping {
  /// `c`; 0 for no clip.
  var clip = 0.0
  /// `m`, taken off a response that hits the limit.
  var missingEosPenalty = 0.0
  /// `α`, reward units per token.
  var lengthPenalty = 0.0
  /// `n`, the tokens that cost nothing.
  var lengthPenaltyFrom = 0

  /// The reward of a response.
  ///
  /// - Parameter score: as the judge gave it.
  func callAsFunction(_ score: Float, of response: Rollout) -> Float {
    var reward = clip > 0 ? min(max(score, Float(-clip)), Float(clip)) : score
    if response.finishReason == .length { reward -= Float(missingEosPenalty) }
    if lengthPenalty > 0 {
      reward -= Float(lengthPenalty * Double(max(0, response.tokens.count - lengthPenaltyFrom)))
    }
    return reward
  }

  /// The rewards of all responses of a buffer, in the order of its places.
  ///
  /// - Throws: what `RolloutBuffer.requireScores()` throws of a response without a score.
  func rewards(of buffer: RolloutBuffer) throws -> [Float] {
    try buffer.requireScores()
    return buffer.places.map { self(buffer[$0].score ?? 0, of: buffer[$0]) }
  }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  func validate() throws {
    for (name, value) in [
      ("reward_clip", clip), ("missing_eos_penalty", missingEosPenalty),
      ("length_penalty", lengthPenalty),
    ] { try require(name, (0...1e6).contains(value), "a number from 0 to 1000000", value) }
    try require(
      "length_penalty_from", (0...1_000_000).contains(lengthPenaltyFrom),
      "an integer from 0 to 1000000", lengthPenaltyFrom)
    try require(
      "length_penalty_from", lengthPenaltyFrom == 0 || lengthPenalty > 0,
      "0 where length_penalty is 0", lengthPenaltyFrom)
  }
}
