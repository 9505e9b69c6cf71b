/// A property of an answer that anybody can check by looking at its text.
public enum CyclicCriterion: String, Codable, Sendable, CaseIterable {
  /// At least two lines begin with "- ".
  case list
  /// There is a digit.
  case number
  /// There is a courtesy word.
  case polite
  /// The text ends with a question mark.
  case question
  /// Something stands between pairs of asterisks.
  case bold

  /// Words that make an answer polite.
  static let courtesies = ["please", "thank", "glad", "kindly", "welcome"]

  /// Whether an answer satisfies the criterion.
  func holds(in text: String) -> Bool {
    switch self {
    case .list: text.split(separator: "\n").count { $0.hasPrefix("- ") } >= 2
    case .number: text.unicodeScalars.contains { ("0"..."9").contains($0) }
    case .polite:
      text.lowercased().split { !$0.isLetter }.contains { word in
        Self.courtesies.contains(String(word))
      }
    case .question: text.last == "?"
    case .bold: text.split(separator: "**", omittingEmptySubsequences: false).count >= 3
    }
  }
}

/// A judge that decides each pair by another criterion, so that its preferences run in a circle.
///
/// As the data sets of arXiv 2410.02197, §6.2: A beats B on the first criterion, B beats C on the second,
/// C beats A on the third. An answer has a *role* i if it satisfies criterion i, lacks the one before,
/// and satisfies at most the one after beside its own. Role i beats role i + 1 (and, with a `reach` of 2,
/// i + 2), since it satisfies criterion i and the other does not. Which criterion decides is not said.
public struct CyclicJudge: Codable, Hashable, Sendable {
  /// The criteria in their order; at least three.
  public let cycle: [CyclicCriterion]
  /// How many of the next roles a role beats.
  public let reach: Int

  /// The role of an answer; nil where it has none.
  func role(of text: String) -> Int? {
    let profile = cycle.map { $0.holds(in: text) }
    let roles = cycle.indices.filter { role in
      cycle.indices.allSatisfy { index in
        let offset = (index - role + cycle.count) % cycle.count
        return offset == 0 ? profile[index] : offset == 1 || !profile[index]
      }
    }
    return roles.count == 1 ? roles[0] : nil
  }

  /// Whether the first answer beats the second; nil where the judge has no verdict.
  func prefers(_ first: String, to second: String) -> Bool? {
    guard let a = role(of: first), let b = role(of: second), a != b else { return nil }
    return beats(a, b) ? true : beats(b, a) ? false : nil
  }

  /// Whether one role beats another.
  func beats(_ winner: Int, _ loser: Int) -> Bool {
    (1...reach).contains((loser - winner + cycle.count) % cycle.count)
  }

  /// 1 where the role of the row beats that of the column.
  var wins: [[Double]] {
    cycle.indices.map { i in cycle.indices.map { i != $0 && beats(i, $0) ? 1 : 0 } }
  }
}

/// A judge with the name of its data set, and what the paper found on the set that it mirrors.
public struct CyclicSuite: Codable, Hashable, Sendable {
  let name: String
  let judge: CyclicJudge
  /// The paper's sub-data set and its accuracies in percent; empty where it has none of this shape.
  let paper: String

  /// Four criteria with one left out, as in the paper's Table 1, and two longer cycles.
  static let standard: [CyclicSuite] = {
    let four: [CyclicCriterion] = [.list, .number, .polite, .question]
    let papers = [
      "No. 1: BT 62.4 %, GPM 100.0 %", "No. 2: BT 61.6 %, GPM 100.0 %",
      "No. 3: BT 50.0 %, GPM 100.0 %", "No. 4: BT 62.9 %, GPM 100.0 %",
    ]
    let threes = four.indices.map { left in
      CyclicSuite(
        name: "without-\(four[left].rawValue)",
        judge: CyclicJudge(cycle: four.filter { $0 != four[left] }, reach: 1),
        paper: papers[left])
    }
    return threes + [
      CyclicSuite(name: "four", judge: CyclicJudge(cycle: four, reach: 1), paper: ""),
      CyclicSuite(
        name: "five", judge: CyclicJudge(cycle: four + [.bold], reach: 2), paper: ""),
    ]
  }()
}
