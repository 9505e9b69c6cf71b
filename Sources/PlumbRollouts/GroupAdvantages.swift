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
    let squares = rewards.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let deviation = rewards.count > 1 ? (squares / Double(rewards.count - 1)).squareRoot() : 0
    let scale = scaling ? 1 / (deviation + Double(epsilon)) : 1
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

/// The mean reward of a group; traps if the group is empty.
private func groupMean(_ operation: String, _ rewards: [Float], _ index: Int) -> Double {
  precondition(!rewards.isEmpty, "\(operation): expected at least one reward in group \(index)")
  // Deviations from the first keep equal rewards exactly equal to their mean.
  let first = Double(rewards[0])
  return first + rewards.reduce(0.0) { $0 + (Double($1) - first) } / Double(rewards.count)
}
