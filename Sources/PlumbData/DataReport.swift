/// How a set of lengths is distributed.
public struct LengthQuantiles: Codable, Hashable, Sendable {
  /// The smallest.
  public let minimum: Int
  /// Half are no larger than this.
  public let median: Int
  /// Nine of ten are no larger than this.
  public let p90: Int
  /// 99 of 100 are no larger than this.
  public let p99: Int
  /// The largest.
  public let maximum: Int
  /// The arithmetic mean.
  public let mean: Double

  /// The quantiles of `lengths` by the nearest-rank rule; nil if there are none.
  public init?(_ lengths: [Int]) {
    guard !lengths.isEmpty else { return nil }
    let sorted = lengths.sorted()
    func quantile(_ p: Double) -> Int {
      sorted[min(sorted.count - 1, max(0, Int((p * Double(sorted.count)).rounded(.up)) - 1))]
    }
    minimum = quantile(0)
    median = quantile(0.5)
    p90 = quantile(0.9)
    p99 = quantile(0.99)
    maximum = quantile(1)
    mean = sorted.reduce(0.0) { $0 + Double($1) } / Double(sorted.count)
  }
}

/// What was read from a file, what was left out and why, and how long the rows are.
public struct DataReport: Codable, Hashable, Sendable {
  /// The file.
  public let file: String
  /// What the rows were read as, such as "preference pairs".
  public let kind: String
  /// Rows in the file by schema.
  public internal(set) var schemas: [String: Int] = [:]
  /// Rows in the file.
  public internal(set) var rows = 0
  /// Rows that were kept; one row of a file may give several, as a thread gives several pairs.
  public internal(set) var kept = 0
  /// Rows that were left out, by reason.
  public internal(set) var dropped: [String: Int] = [:]
  /// Lengths of the kept rows by part and unit, such as "prompt characters".
  public internal(set) var lengths: [String: LengthQuantiles] = [:]

  init(file: String, kind: String) {
    self.file = file
    self.kind = kind
  }

  /// The number of rows that were left out.
  public var droppedCount: Int { dropped.values.reduce(0, +) }

  /// The report as a small table of plain text.
  public var table: String {
    var lines = ["\(file): \(rows) rows, \(kept) \(kind) kept, \(droppedCount) rows dropped"]
    for (schema, count) in schemas.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
      lines.append("  schema   \(schema): \(count)")
    }
    for (reason, count) in dropped.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
      lines.append("  dropped  \(reason): \(count)")
    }
    guard !lengths.isEmpty else { return lines.joined(separator: "\n") }
    let width = (lengths.keys.map(\.count).max() ?? 0) + 2
    func row(_ name: String, _ cells: [String]) -> String {
      "  " + name + String(repeating: " ", count: max(0, width - name.count))
        + cells.map { String(repeating: " ", count: max(0, 8 - $0.count)) + $0 }.joined()
    }
    lines.append(row("length", ["min", "median", "p90", "p99", "max", "mean"]))
    for (name, q) in lengths.sorted(by: { $0.key < $1.key }) {
      let numbers = [q.minimum, q.median, q.p90, q.p99, q.maximum, Int(q.mean.rounded())]
      lines.append(row(name, numbers.map(String.init)))
    }
    return lines.joined(separator: "\n")
  }
}
