import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// What happens to a group whose scores or preferences are not finite.
public enum BadScoreChoice: String, Codable, Sendable, CaseIterable {
  /// The stage stops; the sampled responses are kept.
  case stop
  /// The group is left out of its round, which is counted and warned of.
  case skip
}

extension RolloutBuffer {
  /// Asks a judge, and again without a group that cannot be judged where such groups are skipped.
  ///
  /// - Parameters:
  ///   - choice: what happens to a group whose scores or preferences are not finite.
  ///   - stage: for the error.
  /// - Returns: the ids of the groups that are left out, and why; none may be left.
  /// - Throws: `RunError.badScore` naming the prompt, or what else the judge throws; the buffer is then
  ///   as it was.
  mutating func judge(
    by judge: any Judge, encoder: ConversationEncoder, onBadScore choice: BadScoreChoice,
    stage: String
  ) throws -> [(id: String, reason: String)] {
    let sampled = groups.map(\.id)
    var reasons: [String: String] = [:]
    var rest = self
    while !rest.groups.isEmpty {
      // Scores go to a copy: a judge that fails must not leave half of them.
      var attempt = rest
      do {
        for skipped in try attempt.judge(by: judge, encoder: encoder) {
          reasons[skipped.id] = skipped.reason
        }
        rest = attempt
        break
      } catch {
        guard let row = Self.badRow(error), rest.groups.indices.contains(row) else { throw error }
        let problem = RunError.badScore(
          stage: stage, prompt: rest.groups[row].id, judge: judge.name, reason: "\(error)")
        guard choice == .skip else { throw problem }
        reasons[rest.groups[row].id] = "\(error)"
        rest.groups.remove(at: row)
      }
    }
    self = rest
    let left = Set(rest.groups.map(\.id))
    return sampled.filter { !left.contains($0) }.map {
      ($0, reasons[$0, default: "no reason given"])
    }
  }

  /// The group of which an error says that its score or preference is not finite.
  private static func badRow(_ error: any Error) -> Int? {
    if case PreferenceError.notFinite(let row, _, _) = error { return row }
    if case RolloutError.notFinite(let group, _, _) = error { return group }
    if case RolloutError.wrongTable(let group, _) = error { return group }
    return nil
  }
}
