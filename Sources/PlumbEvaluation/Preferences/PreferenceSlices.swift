/// A property by which pairs are divided.
public enum SliceKey: String, CaseIterable, Codable, Hashable, Sendable {
  /// The data set.
  case source
  /// Quartiles of the mean length of the two answers, in tokens.
  case length
  /// Which answer is longer.
  case longer
  /// By how much the chosen answer is better; WorldPM's buckets of vote differences (arXiv 2505.10527,
  /// Table 5).
  case margin
  /// How often the user speaks.
  case turns
}

/// Some of the pairs, measured.
public struct PreferenceSlice: Sendable {
  /// What they share, such as "chosen longer" or "3 to 5".
  public let name: String
  /// Their figures.
  public let measured: MeasuredCalibration
}

extension SliceKey {
  /// The rows of each slice, in the order of the report; every pair is in exactly one.
  func rows(_ pairs: [ScoredPair]) -> [(name: String, rows: [Int])] {
    switch self {
    case .source:
      let sources = Dictionary(grouping: pairs.indices) { pairs[$0].facts.source }
      return sources.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    case .length: return lengthQuartiles(pairs)
    case .longer:
      return ordered(pairs, ["chosen longer", "chosen shorter", "equal length"]) { pair in
        guard pair.hasStyles else { return "unknown" }
        let difference = pair.lengthDifference
        return difference > 0
          ? "chosen longer" : difference < 0 ? "chosen shorter" : "equal length"
      }
    case .margin:
      let names = ["below 1", "1 to 2", "3 to 5", "6 to 10", "11 and more", "negative"]
      return ordered(pairs, names) { pair in
        guard let margin = pair.facts.margin else { return "unknown" }
        // Votes are whole numbers; scores in between belong to the bucket below.
        switch margin {
        case ..<0: return "negative"
        case ..<1: return "below 1"
        case ..<3: return "1 to 2"
        case ..<6: return "3 to 5"
        case ..<11: return "6 to 10"
        default: return "11 and more"
        }
      }
    case .turns:
      return ordered(pairs, ["1", "2", "3", "4 and more"]) { pair in
        guard let turns = pair.facts.turns else { return "unknown" }
        return turns >= 4 ? "4 and more" : "\(turns)"
      }
    }
  }

  /// The slices that have pairs, in the order of `names`, others after them.
  private func ordered(
    _ pairs: [ScoredPair], _ names: [String], _ name: (ScoredPair) -> String
  ) -> [(name: String, rows: [Int])] {
    let slices = Dictionary(grouping: pairs.indices) { name(pairs[$0]) }
    let others = slices.keys.filter { !names.contains($0) }.sorted()
    return (names + others).compactMap { name in slices[name].map { (name, $0) } }
  }

  private func lengthQuartiles(_ pairs: [ScoredPair]) -> [(name: String, rows: [Int])] {
    // Twice the mean, which is a whole number.
    let lengths = pairs.map { pair in
      pair.hasStyles ? (pair.facts.chosen?.tokens ?? 0) + (pair.facts.rejected?.tokens ?? 0) : nil
    }
    let sorted = lengths.compactMap { $0 }.sorted()
    guard !sorted.isEmpty else { return [("unknown", Array(pairs.indices))] }
    // Nearest rank; equal quartiles make one slice.
    var bounds: [Int] = []
    for quarter in 1...4 {
      let bound = sorted[max(0, (sorted.count * quarter + 3) / 4 - 1)]
      if bound != bounds.last { bounds.append(bound) }
    }
    func tokens(_ doubled: Int) -> String {
      doubled.isMultiple(of: 2) ? "\(doubled / 2)" : "\(doubled / 2).5"
    }
    let names = bounds.enumerated().map { index, bound in
      index == 0
        ? "up to \(tokens(bound))" : "above \(tokens(bounds[index - 1])) to \(tokens(bound))"
    }
    let slices = Dictionary(grouping: pairs.indices) { row in
      lengths[row].flatMap { length in bounds.firstIndex { length <= $0 } } ?? bounds.count
    }
    return (names + ["unknown"]).enumerated().compactMap { index, name in
      slices[index].map { (name, $0) }
    }
  }
}
