/// What one number of `metrics.jsonl` means: unit, what it is a mean over, which tokens count.
public struct MetricEntry: Hashable, Sendable {
  /// Which way the number should go.
  public enum Direction: String, Hashable, Sendable, CaseIterable {
    case higher
    case lower
    /// Neither way is better: a size, a rate, or something to be held in a range.
    case neither
  }

  /// How the metric relates to TRL's logs (1.10 and, for PPO, the last version that had it).
  public enum Alias: Hashable, Sendable {
    /// TRL logs the same quantity under this name.
    case same(String)
    /// TRL has a quantity of this name that is computed otherwise.
    case differs(String, how: String)
    /// TRL logs nothing of this kind.
    case none(String)
  }

  /// The name; `{…}` in it stands for any text without a slash.
  public let name: String
  /// The unit; empty for a share, a ratio or a count.
  public let unit: String
  /// What the number is a mean, sum or maximum over.
  public let reduction: String
  /// Which tokens, responses or rows take part.
  public let mask: String
  /// Which way it should go.
  public let direction: Direction
  /// Its relation to TRL.
  public let alias: Alias
  /// The kinds of stage that write it.
  public let stages: [String]
  /// What it is, in a sentence or two, with the formula.
  public let meaning: String

  init(
    _ name: String, unit: String = "", over reduction: String, mask: String,
    _ direction: Direction = .neither, trl alias: Alias, stages: [String], _ meaning: String
  ) {
    self.name = name
    self.unit = unit
    self.reduction = reduction
    self.mask = mask
    self.direction = direction
    self.alias = alias
    self.stages = stages
    self.meaning = meaning
  }

  /// Whether a name as a metrics file has it is this metric's.
  func matches(_ found: String) -> Bool {
    let pattern = name.split(separator: "/", omittingEmptySubsequences: false)
    let parts = found.split(separator: "/", omittingEmptySubsequences: false)
    return pattern.count == parts.count
      && zip(pattern, parts).allSatisfy { own, other in
        own.hasPrefix("{") && own.hasSuffix("}") ? !other.isEmpty : own == other
      }
  }

  /// The entry for a person, one fact a line.
  public var text: String {
    """
    \(name)
      \(meaning)
      unit:       \(unit.isEmpty ? "none (a share, a ratio or a count)" : unit)
      reduction:  \(reduction)
      mask:       \(mask)
      better:     \(direction.rawValue)
      TRL:        \(alias.text)
      written by: \(stages.joined(separator: ", "))

    """
  }
}

extension MetricEntry.Alias {
  /// TRL's name, where it means the same.
  public var name: String? {
    if case .same(let name) = self { return name }
    return nil
  }

  /// The relation in words.
  public var text: String {
    switch self {
    case .same(let name): name
    case .differs(let name, let how): "not its \(name): \(how)"
    case .none(let why): "none: \(why)"
    }
  }
}
