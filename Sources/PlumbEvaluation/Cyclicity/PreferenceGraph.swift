public import PlumbData

/// Items that were compared two by two: the answers to one prompt, or the systems of a tournament.
public struct PreferenceGraph: Hashable, Sendable {
  /// One comparison.
  public struct Comparison: Hashable, Sendable {
    /// The item that stood first, 0..<items.
    public let first: Int
    /// The item that stood second.
    public let second: Int
    /// What the first got: 1, 0, or one half for a tie.
    public var points: Double

    /// A comparison from its parts.
    public init(first: Int, second: Int, points: Double) {
      self.first = first
      self.second = second
      self.points = points
    }
  }

  /// How many items there are.
  public let items: Int
  /// The comparisons, in any order.
  public var comparisons: [Comparison]

  /// A graph from its parts; traps on items out of range and on an item compared with itself.
  public init(items: Int, comparisons: [Comparison]) {
    precondition(
      comparisons.allSatisfy {
        (0..<items).contains($0.first) && (0..<items).contains($0.second) && $0.first != $0.second
      }, "PreferenceGraph: expected comparisons of two of \(items) items")
    self.items = items
    self.comparisons = comparisons
  }

  /// Points of the row against the column, in either order.
  public var points: [[Double]] {
    var table = [[Double]](repeating: [Double](repeating: 0, count: items), count: items)
    for one in comparisons {
      table[one.first][one.second] += one.points
      table[one.second][one.first] += 1 - one.points
    }
    return table
  }

  /// All comparisons of several graphs over the same items, as one.
  public static func pooled(_ graphs: [PreferenceGraph]) -> PreferenceGraph {
    PreferenceGraph(
      items: graphs.map(\.items).max() ?? 0, comparisons: graphs.flatMap(\.comparisons))
  }
}

extension PreferenceGraph {
  /// One graph over the systems for each prompt.
  public static func graphs(of tournament: Tournament) -> [PreferenceGraph] {
    var comparisons = [[Comparison]](repeating: [], count: tournament.prompts.count)
    for one in tournament.comparisons {
      comparisons[one.prompt].append(
        Comparison(first: one.first, second: one.second, points: one.points))
    }
    return comparisons.map { PreferenceGraph(items: tournament.systems.count, comparisons: $0) }
  }

  /// One graph over the different answers for each prompt of a preference file.
  ///
  /// The chosen response stands first; prompts come in the order of the file.
  public static func graphs(of pairs: [PreferencePair]) -> [PreferenceGraph] {
    let rows = Dictionary(grouping: pairs.indices) { pairs[$0].prompt }
    return rows.values.sorted { $0[0] < $1[0] }.map { rows in
      var items: [String: Int] = [:]
      func item(_ text: String) -> Int {
        if let known = items[text] { return known }
        items[text] = items.count
        return items.count - 1
      }
      let comparisons = rows.compactMap { row -> Comparison? in
        let (first, second) = (item(pairs[row].chosen), item(pairs[row].rejected))
        return first == second ? nil : Comparison(first: first, second: second, points: 1)
      }
      return PreferenceGraph(items: items.count, comparisons: comparisons)
    }
  }
}

/// Triples of items all of whose pairs were compared, and how many of them run in a circle.
public struct CycleCount: Hashable, Codable, Sendable {
  /// Triples with all three pairs compared.
  public var triples = 0
  /// Triples of which no pair is a draw.
  public var decided = 0
  /// Decided triples in which each item beats one of the others.
  public var cycles = 0

  /// Nothing counted.
  public init() {}

  /// Adds the counts.
  public static func += (left: inout CycleCount, right: CycleCount) {
    left.triples += right.triples
    left.decided += right.decided
    left.cycles += right.cycles
  }
}

extension PreferenceGraph {
  /// The net verdict of every pair, both orders summed: 1 for the row, -1 for the column, 0 for a draw;
  /// nil where the pair was not compared.
  public var netVerdicts: [[Int?]] {
    var sums = [[Double?]](repeating: [Double?](repeating: nil, count: items), count: items)
    for one in comparisons {
      sums[one.first][one.second] = (sums[one.first][one.second] ?? 0) + 2 * one.points - 1
      sums[one.second][one.first] = (sums[one.second][one.first] ?? 0) - 2 * one.points + 1
    }
    return sums.map { $0.map { sum in sum.map { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 } } }
  }

  /// Strict 3-cycles of the net verdicts.
  public var cycleCount: CycleCount { strictCycles().count }

  /// Counts strict 3-cycles and lists them, each in the direction in which it runs.
  public func strictCycles() -> (count: CycleCount, cycles: [[Int]]) {
    let verdicts = netVerdicts
    var count = CycleCount()
    var cycles: [[Int]] = []
    for a in 0..<items {
      for b in a + 1..<max(items, a + 1) {
        guard let ab = verdicts[a][b] else { continue }
        for c in b + 1..<max(items, b + 1) {
          guard let bc = verdicts[b][c], let ca = verdicts[c][a] else { continue }
          count.triples += 1
          guard ab != 0, bc != 0, ca != 0 else { continue }
          count.decided += 1
          guard ab == bc, bc == ca else { continue }
          count.cycles += 1
          cycles.append(ab > 0 ? [a, b, c] : [a, c, b])
        }
      }
    }
    return (count, cycles)
  }
}
