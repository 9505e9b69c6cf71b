/// A division of rows into named parts by their prompts.
///
/// The part of a row depends on its first user turn and the seed only: not on the file, the order
/// or the other rows. So parts are disjoint in prompts, across files too, and a grown data set
/// keeps its old division.
public struct Split: Codable, Hashable, Sendable {
  /// A name and the share of prompts that it gets.
  public struct Part: Codable, Hashable, Sendable {
    /// The name.
    public let name: String
    /// The expected share, above 0 and up to 1.
    public let fraction: Double

    /// A part from its name and share.
    public init(_ name: String, _ fraction: Double) {
      self.name = name
      self.fraction = fraction
    }
  }

  /// The parts, in the order in which they share the interval from 0 to 1.
  public let parts: [Part]
  /// Another seed gives another division.
  public let seed: UInt64

  /// A split into `parts`, whose fractions must sum to 1; throws ``DataError`` otherwise.
  public init(_ parts: [Part], seed: UInt64 = 0) throws {
    func fault(_ expected: String, _ found: String) -> DataError {
      DataError(
        .invalidSetting, file: "split", "these parts make no sense", expected: expected,
        found: found)
    }
    guard Set(parts.map(\.name)).count == parts.count, !parts.isEmpty else {
      throw fault("different names, at least one", parts.map(\.name).joined(separator: ", "))
    }
    for part in parts where !(part.fraction > 0 && part.fraction <= 1) {
      throw fault("fractions above 0 and up to 1", "\(part.fraction) for '\(part.name)'")
    }
    let total = parts.reduce(0) { $0 + $1.fraction }
    guard abs(total - 1) < 1e-9 else { throw fault("fractions that sum to 1", "\(total)") }
    self.parts = parts
    self.seed = seed
  }

  /// The usual three parts: `train`, `validation` and `test`.
  public static func trainValidationTest(
    validation: Double = 0.1, test: Double = 0.1, seed: UInt64 = 0
  ) throws -> Split {
    try Split(
      [
        Part("train", 1 - validation - test), Part("validation", validation), Part("test", test),
      ], seed: seed)
  }

  /// The name of the part to which a prompt key belongs.
  public func part(ofKey key: String) -> String {
    var rest = StableHash.unit(key, seed: seed)
    for part in parts.dropLast() {
      if rest < part.fraction { return part.name }
      rest -= part.fraction
    }
    return parts[parts.count - 1].name
  }

  /// The name of the part to which a row belongs.
  public func part(of row: some PromptRecord) -> String { part(ofKey: row.promptKey) }

  /// The rows of every part, in their order; a part that gets none has an empty list.
  public func divide<Row: PromptRecord>(_ rows: [Row]) -> [String: [Row]] {
    var result = Dictionary(uniqueKeysWithValues: parts.map { ($0.name, [Row]()) })
    for row in rows { result[part(of: row), default: []].append(row) }
    return result
  }
}

/// Which prompts two sets of rows share.
public struct Leakage: Codable, Hashable, Sendable {
  /// The shared prompt keys, sorted.
  public let sharedPrompts: [String]
  /// How many rows of the first set have a shared prompt.
  public let firstRows: Int
  /// How many rows of the second set have a shared prompt.
  public let secondRows: Int

  /// True if no prompt is in both sets.
  public var isEmpty: Bool { sharedPrompts.isEmpty }

  /// Compares two sets of rows by their prompt keys.
  public init(between first: [some PromptRecord], and second: [some PromptRecord]) {
    let firstKeys = first.map(\.promptKey)
    let secondKeys = second.map(\.promptKey)
    let shared = Set(firstKeys).intersection(secondKeys)
    sharedPrompts = shared.sorted()
    firstRows = firstKeys.count { shared.contains($0) }
    secondRows = secondKeys.count { shared.contains($0) }
  }
}
