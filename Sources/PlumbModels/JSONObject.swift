public import Foundation
public import PlumbCheckpoints

/// The keys of one JSON object, read with errors that name file, key, expectation and finding.
///
/// Heads that store keys of their own in `config.json` read them through this as well.
public struct JSONObject: Sendable {
  /// The file, for messages.
  public let path: String
  /// The keys as read.
  public let values: [String: JSONValue]

  /// An object made in memory.
  /// - Parameters:
  ///   - values: its keys.
  ///   - path: the file that messages name.
  public init(_ values: [String: JSONValue], path: String) {
    self.values = values
    self.path = path
  }

  /// Reads a file whose top level is a JSON object.
  /// - Parameter url: the file.
  /// - Throws: `CheckpointError` for a file that is missing, unreadable or not JSON (with the line),
  ///   `ModelError.notAnObject` for JSON of another kind.
  public init(contentsOf url: URL) throws {
    let value = try JSONFile.read(url)
    guard case .object(let fields) = value else {
      throw ModelError.notAnObject(path: url.path, found: value.named)
    }
    self.init(fields, path: url.path)
  }

  /// The keys of an object inside another one; the last value wins where a key is there twice.
  init(_ fields: [JSONField], path: String) {
    self.init(
      Dictionary(fields.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }), path: path)
  }

  /// The value of a key, nil where it is absent or null.
  public func value(_ key: String) -> JSONValue? {
    guard let value = values[key], value != .null else { return nil }
    return value
  }

  /// A positive integer that must be there, or has a default.
  public func positiveInteger(_ key: String, default fallback: Int? = nil)
    throws(ModelError) -> Int
  {
    guard let value = value(key) else {
      guard let fallback else { throw .missingKey(path: path, key: key) }
      return fallback
    }
    guard case .integer(let number) = value, number > 0 else {
      throw invalid(key, expected: "a positive integer", found: value)
    }
    return number
  }

  /// A positive number that must be there, or has a default.
  public func positiveNumber(_ key: String, default fallback: Double? = nil)
    throws(ModelError) -> Double
  {
    guard let value = value(key) else {
      guard let fallback else { throw .missingKey(path: path, key: key) }
      return fallback
    }
    switch value {
    case .integer(let number) where number > 0: return Double(number)
    case .number(let number) where number > 0: return number
    default: throw invalid(key, expected: "a positive number", found: value)
    }
  }

  /// A boolean with a default.
  public func boolean(_ key: String, default fallback: Bool) throws(ModelError) -> Bool {
    guard let value = value(key) else { return fallback }
    guard case .bool(let flag) = value else {
      throw invalid(key, expected: "true or false", found: value)
    }
    return flag
  }

  /// A string that must be there, or has a default.
  public func string(_ key: String, default fallback: String? = nil) throws(ModelError) -> String {
    guard let value = value(key) else {
      guard let fallback else { throw .missingKey(path: path, key: key) }
      return fallback
    }
    guard case .string(let text) = value else {
      throw invalid(key, expected: "a string", found: value)
    }
    return text
  }

  /// A token id, or nil where the key is absent or -1 (as older configurations write "none").
  public func tokenID(_ key: String) throws(ModelError) -> Int? {
    guard let value = value(key), value != .integer(-1) else { return nil }
    guard case .integer(let number) = value, number >= 0 else {
      throw invalid(key, expected: "a token id", found: value)
    }
    return number
  }

  /// Token ids written as one number or as a list; empty where the key is absent.
  public func tokenIDs(_ key: String) throws(ModelError) -> [Int] {
    guard let value = value(key) else { return [] }
    guard case .array(let items) = value else { return try tokenID(key).map { [$0] } ?? [] }
    var ids: [Int] = []
    for item in items {
      guard case .integer(let number) = item, number >= 0 else {
        throw invalid(key, expected: "a list of token ids", found: item)
      }
      ids.append(number)
    }
    return ids
  }

  /// The error for a key whose value does not fit.
  public func invalid(_ key: String, expected: String, found: JSONValue) -> ModelError {
    .invalidValue(path: path, key: key, expected: expected, found: found.named)
  }
}
