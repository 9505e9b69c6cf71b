import PlumbObjectives

/// What happens to a minibatch whose mean ratio left its range.
public enum RatioGuardAction: String, Codable, Sendable, CaseIterable {
  /// No step is taken on it.
  case skip
  /// The stage ends, with its state saved.
  case stop
}

/// A minibatch is not stepped on where its mean ratio to the policy that sampled leaves a range.
struct RatioGuard {
  /// The largest mean ratio, and the inverse of the smallest; 0 for any.
  let threshold: Double
  let action: RatioGuardAction

  /// Whether a minibatch with these statistics must not be stepped on; adds `policy/guarded_steps`.
  func holdsBack(_ statistics: inout [String: Double]) -> Bool {
    guard threshold > 0 else { return false }
    let ratio = statistics["val/ratio"] ?? 1
    // A ratio that is not a number is outside too.
    let isOutside = !(ratio <= threshold && ratio >= 1 / threshold)
    statistics["policy/guarded_steps"] = isOutside ? 1 : 0
    return isOutside
  }
}

/// What the optimizer steps of a round amount to, whatever the method: comparable between methods.
struct TrainingWork {
  private var steps = 0
  private var tokens = 0

  /// Counts a step on responses of so many tokens, prompts and padding not counted.
  mutating func count(_ tokens: Int) {
    steps += 1
    self.tokens += tokens
  }

  /// `optimizer_steps` and `train/tokens`.
  var metrics: [String: Double] {
    ["optimizer_steps": Double(steps), "train/tokens": Double(tokens)]
  }
}

/// The optimizer steps of a round, until the policy has moved too far.
struct PolicyPasses {
  let ratio: RatioGuard
  /// The mean k3 estimate of a minibatch, in nats per token, after which no other is taken; 0 for none.
  let maxPolicyKL: Double

  /// Takes one step on each minibatch of each pass.
  ///
  /// - Parameters:
  ///   - update: number of the round, for the reason.
  ///   - step: takes a step; told whether it is the first of the round.
  /// - Returns: means over steps with `optimizer_steps` and `train/tokens`, and why the stage should end, if
  ///   it should.
  func run(
    _ passes: [[Minibatch]], update: Int, step: (Minibatch, Bool) throws -> [String: Double]
  ) rethrows -> (metrics: [String: Double], stopReason: String?) {
    var mean = StatisticsMean()
    var work = TrainingWork()
    var stopReason: String?
    var isFirst = true
    passes: for minibatches in passes {
      for minibatch in minibatches {
        let statistics = try step(minibatch, isFirst)
        isFirst = false
        mean.add(statistics, count: 1)
        if statistics["policy/guarded_steps"] == 1 {
          guard ratio.action == .stop else { continue }
          stopReason =
            "the mean ratio of update \(update) is \(statistics["val/ratio"] ?? .nan); expected at most "
            + "\(ratio.threshold) and at least its inverse (ratio_threshold)"
          break passes
        }
        work.count(minibatch.tokens)
        let moved = statistics["policy/approxkl_k3_avg"] ?? 0
        if maxPolicyKL > 0, moved > maxPolicyKL { break passes }
      }
    }
    return (mean.means.merging(work.metrics) { $1 }, stopReason)
  }
}
