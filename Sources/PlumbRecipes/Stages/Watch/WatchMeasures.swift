import PlumbEvaluation
import PlumbRollouts

/// What the watch measures on one round.
struct WatchMeasures {
  /// Tokens of each response, the end of turn included.
  let lengths: [Double]
  /// `-log π` of every sampled token, nats; empty where the buffer has no log-probabilities.
  let surprises: [Double]
  /// Sum of the log-ratio to the reference of each response, nats; empty where it is not filled.
  let kls: [Double]
  /// The share that the limit cut.
  let clipped: Double
  /// Distinct bigrams as a share of all; nil where no response has two tokens.
  let distinct: Double?
  /// Mean tokens of the longest repeated run.
  let repeatedRun: Double
  /// The share of responses caught in a loop.
  let looping: Double

  init(_ buffer: RolloutBuffer) {
    let responses = buffer.groups.flatMap(\.responses)
    let count = Double(max(1, responses.count))
    let tokens = responses.map(\.tokens)
    lengths = tokens.map { Double($0.count) }
    surprises = responses.flatMap { $0.behaviourLogprobs.map { -Double($0) } }
    kls = responses.compactMap(\.kl)
    clipped = Double(responses.count { $0.finishReason == .length }) / count
    distinct = Repetition.distinctShare(tokens, n: 2)
    repeatedRun = tokens.reduce(0) { $0 + Double(Repetition.longestRun($1).length) } / count
    looping = Double(tokens.count { Repetition.isLooping($0) }) / count
  }
}

extension Rollout {
  /// Sum over the tokens of the log-ratio to the reference, nats (k1); nil where it is not filled.
  var kl: Double? {
    guard !behaviourLogprobs.isEmpty, behaviourLogprobs.count == referenceLogprobs.count else {
      return nil
    }
    return zip(behaviourLogprobs, referenceLogprobs).reduce(0) { $0 + Double($1.0 - $1.1) }
  }
}

extension RolloutBuffer {
  /// What a judge thinks of each response, group by group: its score, or the mean log-odds against the
  /// other responses where it has none.
  ///
  /// - Returns: nil where some response has neither.
  var verdicts: [[Double]]? {
    var all: [[Double]] = []
    for group in groups {
      let scores = group.responses.compactMap(\.score)
      if scores.count == group.responses.count {
        all.append(scores.map { Double($0) })
      } else if group.responses.count > 1, let means = group.opponentMeans(includingSelf: false) {
        all.append(means)
      } else {
        return nil
      }
    }
    return all
  }

  /// Whether every response has a score.
  var hasScores: Bool { groups.allSatisfy { $0.responses.allSatisfy { $0.score != nil } } }
}

/// Each value less the mean of its group; groups of one stay as they are where all are groups of one.
func centred(_ groups: [[Double]]) -> [Double] {
  guard groups.contains(where: { $0.count > 1 }) else { return groups.flatMap { $0 } }
  return groups.flatMap { group in
    let mean = group.reduce(0, +) / Double(max(1, group.count))
    return group.map { $0 - mean }
  }
}
