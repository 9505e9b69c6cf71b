/// The rules that a recipe can write as a judge.
public enum JudgeRule: String, Codable, Hashable, Sendable, CaseIterable {
  /// 1 where the pattern is found in the response, else 0.
  case regex
  /// How often the pattern is found, without overlaps.
  case count
  /// Less the distance of the length from the target.
  case lengthTarget = "length-target"
  /// Less the length beyond the target.
  case lengthPenalty = "length-penalty"
  /// 1 where the answer in the response is the known one, else 0.
  case exactMatch = "exact-match"

  var countsLength: Bool { self == .lengthTarget || self == .lengthPenalty }
}

/// What a length is counted in.
public enum LengthUnit: String, Codable, Hashable, Sendable, CaseIterable {
  /// Characters as a reader sees them.
  case characters
  /// Tokens of the policy, without those that end the turn.
  case tokens
}

/// A rule as judge.
public struct RuleJudgeConfiguration: ConfigurationSection, Hashable, JudgeForm {
  /// The rule.
  public var rule = JudgeRule.regex
  /// What is looked for: an ICU regular expression.
  ///
  /// For `exact-match` it says where the answer stands: the first group of the last match, or the whole match.
  public var pattern = ""
  /// The most matches that count; 0 for all (`count`).
  public var limit = 0
  /// What a length is counted in (`length-target`, `length-penalty`).
  public var unit = LengthUnit.characters
  /// The length that costs nothing (`length-target`, `length-penalty`).
  public var target = 0
  /// The factor of the score; below 0 it turns a reward into a penalty.
  public var weight = 1.0
  /// Whether preferences become scores.
  public var preferenceReward = PreferenceReward.off
  /// What is done with a group that cannot be judged.
  public var onFailure = JudgeFailure.stop

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    let needsPattern = rule == .regex || rule == .count
    try require(
      "pattern", !pattern.isEmpty || !needsPattern, "a regular expression", "nothing")
    try require(
      "pattern", pattern.isEmpty || !rule.countsLength, "none where lengths count", pattern)
    if !pattern.isEmpty {
      do {
        _ = try TextPattern(pattern)
      } catch {
        throw ConfigurationProblem(
          "pattern", expected: "a regular expression", found: "'\(pattern)'")
      }
    }
    try require("limit", limit >= 0, "an integer of at least 0", limit)
    try require("limit", limit == 0 || rule == .count, "0 where matches are not counted", limit)
    try require("target", (0...1_000_000).contains(target), "an integer from 0 to 1000000", target)
    try require("target", target == 0 || rule.countsLength, "0 where lengths do not count", target)
    try require(
      "target", target > 0 || rule != .lengthTarget, "a length to come near to, above 0", target)
    try require(
      "unit", unit == .characters || rule.countsLength, "none where lengths do not count",
      unit.rawValue)
    try require(
      "weight", (1e-9...1e9).contains(abs(weight)), "a number other than 0, at most 1e9 in size",
      weight)
  }

  var summary: String {
    let detail =
      rule.countsLength
      ? " \(target) \(unit.rawValue)" : pattern.isEmpty ? "" : " '\(pattern)'"
    return "rule \(rule.rawValue)\(detail)"
  }
}
