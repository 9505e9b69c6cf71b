public import PlumbTokenizers

/// A prompt with right and wrong answers, each in the same row of styles from plain to elaborate.
///
/// RM-Bench (arXiv 2410.16184) has three: concise, detailed, detailed with Markdown.
public struct StyleGrid: Codable, Hashable, Sendable {
  /// How the styles of a pair relate.
  public enum Relation: String, Codable, Hashable, Sendable, CaseIterable {
    /// The right answer is the more elaborate one.
    case easy
    /// Both have one style.
    case normal
    /// The wrong answer is the more elaborate one.
    case hard
  }

  /// Unique in its file.
  public var id: String
  /// The subject, such as `chat`.
  public var domain: String
  /// The question.
  public var prompt: String
  /// The right answer in every style.
  public var chosen: [String]
  /// The wrong answer in every style.
  public var rejected: [String]

  /// A grid from its parts; traps unless there are equally many answers, at least one.
  public init(id: String, domain: String, prompt: String, chosen: [String], rejected: [String]) {
    precondition(
      chosen.count == rejected.count && !chosen.isEmpty,
      "StyleGrid: expected as many chosen as rejected, found \(chosen.count), \(rejected.count)")
    self.id = id
    self.domain = domain
    self.prompt = prompt
    self.chosen = chosen
    self.rejected = rejected
  }

  /// The relation of the right answer in style `chosen` to the wrong one in style `rejected`.
  public static func relation(chosen: Int, rejected: Int) -> Relation {
    chosen > rejected ? .easy : chosen == rejected ? .normal : .hard
  }

  /// Every right answer against every wrong one, in the order of the chosen styles; equal or empty
  /// texts make no pair.
  public func pairs(task: String) -> [(task: String, pair: PreferencePair)] {
    chosen.indices.flatMap { i in
      rejected.indices.compactMap { j in
        guard !sameWords(chosen[i], rejected[j]), !trimmed(chosen[i]).isEmpty,
          !trimmed(rejected[j]).isEmpty
        else { return nil }
        return (
          "\(task)-\(Self.relation(chosen: i, rejected: j).rawValue)",
          PreferencePair(
            id: "\(id)/\(i)/\(j)", source: domain,
            prompt: [Message(role: "user", content: prompt)], chosen: chosen[i],
            rejected: rejected[j])
        )
      }
    }
  }

  /// RM-Bench's three accuracies from the table of single ones.
  ///
  /// - Parameter table: [chosen style][rejected style], the share of prompts whose right answer won.
  /// - Returns: the means below the diagonal (easy), on it (normal) and above it (hard).
  public static func accuracies(_ table: [[Double]]) -> [Relation: Double] {
    var sums: [Relation: (total: Double, count: Int)] = [:]
    for (i, row) in table.enumerated() {
      for (j, value) in row.enumerated() {
        let relation = relation(chosen: i, rejected: j)
        let old = sums[relation] ?? (0, 0)
        sums[relation] = (old.total + value, old.count + 1)
      }
    }
    return sums.mapValues { $0.total / Double($0.count) }
  }
}
