import Foundation
import PlumbPreferences

/// A regular expression over texts (ICU syntax).
struct TextPattern: Sendable {
  private let expression: NSRegularExpression

  /// - Throws: where the pattern is not a regular expression.
  init(_ pattern: String) throws {
    expression = try NSRegularExpression(pattern: pattern)
  }

  /// Matches without overlaps.
  func count(in text: String) -> Int {
    expression.numberOfMatches(in: text, range: NSRange(text.startIndex..., in: text))
  }

  /// The whole of the first match.
  func first(in text: String) -> String? {
    expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text))
      .flatMap { Range($0.range, in: text) }.map { String(text[$0]) }
  }

  /// The first group of the last match, or the whole match where the pattern has no group.
  func last(in text: String) -> String? {
    let all = expression.matches(in: text, range: NSRange(text.startIndex..., in: text))
    guard let match = all.last else { return nil }
    let range = match.numberOfRanges > 1 ? match.range(at: 1) : match.range
    return Range(range, in: text).map { String(text[$0]) }
  }
}

extension RuleJudgeConfiguration {
  /// The rule as a judge.
  ///
  /// - Parameter ending: the tokens behind every response that a judge reads and the policy did not write.
  func judge(ending: Int) throws -> FunctionJudge {
    let weight = self.weight
    let value = try self.value(ending: ending)
    return .ofGroups(name: summary) { try weight * value($0, $1) }
  }

  private func value(ending: Int) throws -> FunctionJudge.GroupScore {
    let (name, target, limit, unit) = (summary, Double(self.target), self.limit, self.unit)
    @Sendable func length(_ group: JudgeGroup, _ response: Int) -> Double {
      switch unit {
      case .characters: Double(group.responses[response].count)
      case .tokens: Double(max(0, group.tokens.responses[response].count - ending))
      }
    }
    switch rule {
    case .regex:
      let pattern = try TextPattern(self.pattern)
      return { pattern.count(in: $0.responses[$1]) > 0 ? 1 : 0 }
    case .count:
      let pattern = try TextPattern(self.pattern)
      return {
        let count = pattern.count(in: $0.responses[$1])
        return Double(limit > 0 ? min(limit, count) : count)
      }
    case .lengthTarget:
      return { -abs(length($0, $1) - target) }
    case .lengthPenalty:
      return { -max(0, length($0, $1) - target) }
    case .exactMatch:
      let match = try AnswerMatch(pattern: self.pattern)
      return { group, response in
        guard let answer = group.answer else {
          throw PreferenceError.answerNeeded(judge: name, row: 0, prompt: group.id)
        }
        return match.isSame(group.responses[response], as: answer) ? 1 : 0
      }
    }
  }
}
