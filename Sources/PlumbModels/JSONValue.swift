public import Foundation

/// A JSON value, kept as written: integers stay integers, and booleans are not numbers.
///
/// `config.json` is open-ended, so it is read into this before the keys we know are taken out;
/// heads with keys of their own (a reward or preference model) read theirs from the same values.
public enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])
}

extension JSONValue: Decodable {
  /// Decodes any JSON value.
  public init(from decoder: any Swift.Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }
}

extension JSONValue: CustomStringConvertible {
  /// The value as an error message names it, for example `the string "abc"`.
  public var description: String {
    switch self {
    case .null: "null"
    case .bool(let value): "the boolean \(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): "the string \"\(value)\""
    case .array(let value): "an array of \(value.count)"
    case .object(let value): "an object with the keys \(value.keys.sorted())"
    }
  }
}

extension JSONValue {
  /// The value as pretty-printed UTF-8 JSON with sorted keys and a final newline.
  ///
  /// Numbers that are not integers keep their point (`1000000.0`): Python programs tell the two
  /// apart. Two equal values give the same bytes.
  /// - Throws: an `EncodingError` for a number that JSON cannot hold (an infinity or NaN).
  public func encoded() throws -> Data {
    Data((try text(indentation: "") + "\n").utf8)
  }

  private func text(indentation: String) throws -> String {
    let inner = indentation + "  "
    switch self {
    case .null: return "null"
    case .bool(let value): return "\(value)"
    case .integer(let value): return "\(value)"
    case .number(let value):
      guard value.isFinite else {
        throw EncodingError.invalidValue(
          value, .init(codingPath: [], debugDescription: "JSON holds no number \(value)"))
      }
      return "\(value)"
    case .string(let value): return try Self.quoted(value)
    case .array(let items):
      guard !items.isEmpty else { return "[]" }
      let lines = try items.map { inner + (try $0.text(indentation: inner)) }
      return "[\n" + lines.joined(separator: ",\n") + "\n\(indentation)]"
    case .object(let values):
      guard !values.isEmpty else { return "{}" }
      let lines = try values.sorted { $0.key < $1.key }.map { key, value in
        inner + (try Self.quoted(key)) + ": " + (try value.text(indentation: inner))
      }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(indentation)}"
    }
  }

  private static func quoted(_ text: String) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return String(decoding: try encoder.encode(text), as: UTF8.self)
  }
}
