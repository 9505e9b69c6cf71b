/// GRPO's advantages: rewards standardised within the responses to one prompt.
///
/// `(r − mean) / (std + ε)` with the unbiased deviation (Shao et al. 2024, arXiv 2402.03300, §4.1; `ε`
/// as TRL). A group whose rewards are all equal, or a group of one, gives zeros: it teaches nothing.
/// - Parameters:
///   - groups: one array of rewards per prompt; no group is empty.
///   - epsilon: what keeps small deviations from exploding, in reward units.
///   - scaling: whether to divide by the deviation at all; without it, easy and hard prompts weigh as
///     their rewards do (Liu et al. 2025, "Dr. GRPO", arXiv 2503.20783).
/// - Returns: one advantage per response.
public func groupRelativeAdvantages(
  _ groups: [[Float]], epsilon: Float = 1e-4, scaling: Bool = true
) -> [[Float]] {
  groups.enumerated().map { index, rewards in
    let mean = groupMean("groupRelativeAdvantages", rewards, index)
    let scale = scaling ? 1 / (rewardDeviation(rewards) + Double(epsilon)) : 1
    return rewards.map { Float((Double($0) - mean) * scale) }
  }
}

/// RLOO's advantages: each reward less the mean of the other responses to the same prompt.
///
/// `r_i − (Σ_{j≠i} r_j)/(K − 1)` (Ahmadian et al. 2024, arXiv 2402.14740). A group of one has no
/// others and gives 0.
/// - Parameter groups: one array of rewards per prompt; no group is empty.
/// - Returns: one advantage per response.
public func leaveOneOutAdvantages(_ groups: [[Float]]) -> [[Float]] {
  groups.enumerated().map { index, rewards in
    let mean = groupMean("leaveOneOutAdvantages", rewards, index)
    guard rewards.count > 1 else { return [0] }
    // r − (Kμ − r)/(K − 1) = (r − μ)·K/(K − 1), exactly 0 where all rewards are equal.
    let scale = Double(rewards.count) / Double(rewards.count - 1)
    return rewards.map { Float((Double($0) - mean) * scale) }
  }
}

/// What is taken off a reward to become an advantage.
public enum AdvantageBaseline: String, Codable, Sendable, CaseIterable {
  /// The mean of all responses to the prompt, as GRPO.
  case group
  /// The mean of the other responses to the prompt, as RLOO.
  case leaveOneOut = "leave-one-out"
  /// The mean of all responses of the round.
  case batch

  /// Whether a prompt with one response gets an advantage of 0.
  public var needsGroups: Bool { self != .batch }
}

/// What an advantage is divided by.
public enum AdvantageScale: String, Codable, Sendable, CaseIterable {
  /// Nothing: prompts weigh as their rewards differ ("Dr. GRPO", arXiv 2503.20783).
  case none
  /// The standard deviation of the rewards of its prompt, plus 1e-4.
  case group
  /// The standard deviation of all rewards of the round, plus 1e-4.
  case batch
}

/// Advantages of responses from their rewards: less a baseline, divided by a deviation.
///
/// Deviations are unbiased, and `ε` is added to them, as in TRL. `.group` and `.group` is
/// ``groupRelativeAdvantages(_:epsilon:scaling:)``, `.leaveOneOut` and `.none` is
/// ``leaveOneOutAdvantages(_:)``.
/// - Parameters:
///   - groups: one array of rewards per prompt; no group is empty.
///   - baseline: what is taken off.
///   - scale: what is divided by.
///   - epsilon: `ε`, in reward units.
/// - Returns: one advantage per response.
public func responseAdvantages(
  _ groups: [[Float]], baseline: AdvantageBaseline, scale: AdvantageScale, epsilon: Float = 1e-4
) -> [[Float]] {
  let all = groups.flatMap { $0 }
  var advantages: [[Float]]
  switch baseline {
  case .group: advantages = groupRelativeAdvantages(groups, scaling: false)
  case .leaveOneOut: advantages = leaveOneOutAdvantages(groups)
  case .batch:
    var rest = groupRelativeAdvantages([all], scaling: false)[0][...]
    advantages = groups.map { group in
      defer { rest = rest.dropFirst(group.count) }
      return Array(rest.prefix(group.count))
    }
  }
  if scale == .none { return advantages }
  let whole = rewardDeviation(all)
  return zip(groups, advantages).map { rewards, advantages in
    let deviation = scale == .group ? rewardDeviation(rewards) : whole
    return advantages.map { Float(Double($0) / (deviation + Double(epsilon))) }
  }
}

/// The unbiased standard deviation; exactly 0 for equal rewards, and for fewer than two.
public func rewardDeviation(_ rewards: [Float]) -> Double {
  guard rewards.count > 1 else { return 0 }
  let mean = groupMean("rewardDeviation", rewards, 0)
  let squares = rewards.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
  return (squares / Double(rewards.count - 1)).squareRoot()
}

/// The mean reward of a group; traps if the group is empty.
private func groupMean(_ operation: String, _ rewards: [Float], _ index: Int) -> Double {
  precondition(!rewards.isEmpty, "\(operation): expected at least one reward in group \(index)")
  // Deviations from the first keep equal rewards exactly equal to their mean.
  let first = Double(rewards[0])
  return first + rewards.reduce(0.0) { $0 + (Double($1) - first) } / Double(rewards.count)
}
