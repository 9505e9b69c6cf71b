/// What is wrong with a data file or a request about data: where, what, expected and found.
public struct DataError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The classes of failure, for callers that react to them.
  public enum Kind: String, Hashable, Sendable {
    /// A line is not JSON.
    case invalidJSON
    /// A row has keys or types that no known schema has.
    case unknownSchema
    /// There is nothing to work with.
    case noUsableRows
    /// A setting, such as a split's fractions, makes no sense.
    case invalidSetting
  }

  /// The class of failure.
  public let kind: Kind
  /// The file, or the setting.
  public let file: String
  /// The line of a `.jsonl` file or the element of a list, from 1.
  public let line: Int?
  /// What happened.
  public let message: String
  /// What should have been there, where that can be said.
  public let expected: String?
  /// What was there instead.
  public let found: String?

  /// An error about `file`, at `line` where there is one.
  public init(
    _ kind: Kind, file: String, line: Int? = nil, _ message: String, expected: String? = nil,
    found: String? = nil
  ) {
    self.kind = kind
    self.file = file
    self.line = line
    self.message = message
    self.expected = expected
    self.found = found
  }

  /// The sentence for a person: `file: line n: what happened; expected …, found …`.
  public var description: String {
    var sentence = file + ": "
    if let line { sentence += "line \(line): " }
    sentence += message
    let details = [expected.map { "expected \($0)" }, found.map { "found \($0)" }].compactMap { $0 }
    if !details.isEmpty { sentence += "; " + details.joined(separator: ", ") }
    return sentence
  }
}
