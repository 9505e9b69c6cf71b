/// Which of two answers counts as better by their votes.
public struct VoteRule: Codable, Hashable, Sendable {
  /// The published rules.
  public enum Kind: String, Codable, CaseIterable, Hashable, Sendable {
    /// More net votes win (WorldPM, arXiv 2505.10527, §3.1.1); acceptance counts one vote.
    case worldPM = "worldpm"
    /// More votes win, and only where the better answer is the *later* one, so that it had less
    /// time to be seen (SHP; Ethayarajh et al. 2022, arXiv 2110.08420); acceptance counts nothing.
    case shp
  }

  /// The rule.
  public var kind: Kind
  /// Votes by which the better answer must lead; any difference if 0 or 1.
  public var minimumMargin = 0
  /// How many times the votes of the worse answer the better one must have; any if nil.
  ///
  /// Votes below 1 count as 1 on both sides, so that the ratio always means something.
  public var minimumRatio: Double?
  /// What acceptance counts in votes.
  public var acceptanceVotes: Int

  /// A rule with the weight of acceptance that its authors use.
  public init(_ kind: Kind = .worldPM) {
    self.kind = kind
    acceptanceVotes = kind == .worldPM ? 1 : 0
  }

  /// What the rule looks at.
  struct Answer {
    var score: Int
    var isAccepted: Bool
    var time: Int64
  }

  /// What the rule says about two answers.
  enum Verdict: Equatable {
    case better(isFirst: Bool, margin: Int)
    case none(ForumCount)
  }

  /// Votes with acceptance; saturates instead of overflowing.
  func votes(_ answer: Answer) -> Int {
    guard answer.isAccepted else { return answer.score }
    let (sum, overflow) = answer.score.addingReportingOverflow(acceptanceVotes)
    return overflow ? .max : sum
  }

  /// Judges two answers.
  func verdict(_ first: Answer, _ second: Answer) -> Verdict {
    let (a, b) = (votes(first), votes(second))
    guard a != b else { return .none(.tie) }
    let (high, low) = (max(a, b), min(a, b))
    let (difference, overflow) = high.subtractingReportingOverflow(low)
    let margin = overflow ? Int.max : difference
    guard margin >= minimumMargin else { return .none(.marginTooSmall) }
    if let minimumRatio, Double(max(high, 1)) < minimumRatio * Double(max(low, 1)) {
      return .none(.ratioTooSmall)
    }
    if kind == .shp {
      let (winner, loser) = a > b ? (first, second) : (second, first)
      guard winner.time != ForumTime.unknown, loser.time != ForumTime.unknown else {
        return .none(.noTime)
      }
      guard winner.time > loser.time else { return .none(.earlierWon) }
    }
    return .better(isFirst: a > b, margin: margin)
  }
}
