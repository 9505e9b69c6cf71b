import PlumbEvaluation

/// A policy that is expected to win over another: a claim of the comparison.
public struct Duel: ConfigurationSection {
  /// The policy that should win: a contestant's name, or that of a method with several seeds.
  public var policy = ""
  /// The policy that it should win over.
  public var over = ""
  /// What a paper found, shown beside the claim; may be empty.
  public var paper = ""

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a policy of the comparison", "nothing")
    try require("over", !over.isEmpty && over != policy, "another policy", over)
  }

  /// Refuses a duel of policies that do not take part; throws `ConfigurationProblem`.
  ///
  /// - Parameter contestants: names of single policies.
  func requireContestants(_ contestants: [String]) throws {
    let names = contestants + contestants.map(StageSeeds.method)
    for name in [policy, over] {
      try require(
        "duels", names.contains(name),
        "policies of the comparison (\(Set(names).sorted().joined(separator: ", ")))", name)
    }
  }

  /// The win rate and the rate at equal length that must be above one half, for each judge.
  func claims(_ heads: [HeadToHead]) -> [Claim] {
    heads.flatMap { head -> [Claim] in
      guard let found = head.intervals(of: policy, over: over) else { return [] }
      func claim(_ addition: String, _ interval: Interval) -> Claim {
        Claim(
          "\(policy) beats \(over)\(addition) under '\(head.judge)' (lower end of the 95 % interval)",
          measured: interval.lower, .above, 0.5, interval: interval.range,
          paper: paper.isEmpty ? nil : paper)
      }
      return [claim("", found.rate), claim(" at equal length", found.controlled)]
    }
  }
}

extension HeadToHead {
  /// Intervals of the win rate of a method (over seeds and prompts) or a policy (over prompts), and of that
  /// at equal length; nil for names that are not there.
  func intervals(
    of own: String, over other: String
  ) -> (rate: Interval, controlled: Interval)? {
    if let methods, let a = methods.names.firstIndex(of: own),
      let b = methods.names.firstIndex(of: other)
    {
      return (methods.rates[a][b].interval, methods.controlled[a][b].interval)
    }
    // Where every method has one run, `ppo` stands for `ppo-seed1`.
    func place(_ name: String) -> Int? {
      names.firstIndex(of: name) ?? names.firstIndex { StageSeeds.method(of: $0) == name }
    }
    guard let a = place(own), let b = place(other) else { return nil }
    return (rates[a][b].interval, controlled[a][b].interval)
  }
}
