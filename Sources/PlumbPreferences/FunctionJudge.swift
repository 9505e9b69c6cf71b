public import PlumbTokenizers

/// A rule as judge: a function of text.
///
/// ```swift
/// let short = FunctionJudge(name: "short") { _, response in -Double(response.count) }
/// ```
public struct FunctionJudge: Judge {
  /// Scores one response to a prompt; higher is better.
  public typealias Score = @Sendable (_ prompt: [Message], _ response: String) throws -> Double
  /// Scores one response of a group, which has ids and perhaps a known answer; higher is better.
  public typealias GroupScore = @Sendable (_ group: JudgeGroup, _ response: Int) throws -> Double
  /// Log-odds that the first response is preferred to the second.
  public typealias Preference =
    @Sendable (
      _ prompt: [Message], _ first: String, _ second: String
    ) throws -> Double

  /// Name of the judge.
  public let name: String
  private let rule: Rule

  private enum Rule: Sendable {
    case score(GroupScore)
    case preference(Preference)
  }

  /// Makes a judge from a score; the log-odds of i over j are the difference of scores.
  public init(name: String, score: @escaping Score) {
    self.name = name
    rule = .score { try score($0.prompt, $0.responses[$1]) }
  }

  /// Makes a judge from a score that reads more than text; the log-odds of i over j are the difference
  /// of scores.
  public static func ofGroups(name: String, score: @escaping GroupScore) -> FunctionJudge {
    FunctionJudge(name: name, rule: .score(score))
  }

  private init(name: String, rule: Rule) {
    self.name = name
    self.rule = rule
  }

  /// Makes a judge from a pairwise rule.
  ///
  /// It is asked in both orders and `(p(i, j) - p(j, i)) / 2` taken, which removes a preference for the
  /// first place and makes the table antisymmetric.
  public init(name: String, preference: @escaping Preference) {
    self.name = name
    rule = .preference(preference)
  }

  /// Applies the rule to each group.
  /// - Throws: what the rule throws, or `PreferenceError` naming the group with a NaN or infinity.
  public func judge(groups: [JudgeGroup]) throws -> [Judgement] {
    try groups.enumerated().map { row, group in
      let answers = group.responses
      switch rule {
      case .score(let score):
        let scores = try answers.indices.map {
          try finite(score(group, $0), row: row, what: "score of judge '\(name)'")
        }
        return Judgement(scores: scores, source: name)
      case .preference(let preference):
        let what = "preference of judge '\(name)'"
        var table = answers.map { _ in answers.map { _ in 0.0 } }
        for i in answers.indices {
          for j in answers.indices where i < j && answers[i] != answers[j] {
            let forward = try preference(group.prompt, answers[i], answers[j])
            let backward = try preference(group.prompt, answers[j], answers[i])
            table[i][j] = try finite((forward - backward) / 2, row: row, what: what)
          }
        }
        return Judgement(preferenceLogits: table, source: name)
      }
    }
  }
}

/// The number, unless it is NaN or infinite.
func finite(_ value: Double, row: Int, what: String) throws(PreferenceError) -> Double {
  guard value.isFinite else { throw .notFinite(row: row, what: what, value: "\(value)") }
  return value
}
