/// A JSON value; objects keep the order of their keys.
public indirect enum JSONValue: Hashable, Sendable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number without fraction and exponent that fits.
  case integer(Int)
  /// Any other number.
  case number(Double)
  /// Text.
  case string(String)
  /// A list.
  case array([JSONValue])
  /// Keys and values in order.
  case object([JSONField])

  /// The value of `key` in an object: the last one, if it is there twice.
  public subscript(_ key: String) -> JSONValue? {
    guard case .object(let fields) = self else { return nil }
    return fields.last { $0.key == key }?.value
  }

  /// The text, if this is one.
  public var string: String? { if case .string(let text) = self { text } else { nil } }
  /// The list, if this is one.
  public var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
  /// The fields, if this is an object.
  public var object: [JSONField]? { if case .object(let fields) = self { fields } else { nil } }
  /// The truth value, if this is one.
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// The integer, if this is one.
  public var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  /// The number, whole or not, if this is one.
  public var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// What kind of value this is, in words for messages, such as "a string" or "a list".
  public var kindName: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}

/// One key of a JSON object with its value.
public struct JSONField: Hashable, Sendable {
  /// The key.
  public let key: String
  /// Its value.
  public let value: JSONValue

  /// A field from its parts.
  public init(key: String, value: JSONValue) {
    self.key = key
    self.value = value
  }
}

/// Why bytes are not JSON.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The place in bytes from the start.
  public let offset: Int
  /// What the grammar allows there.
  public let expected: String
  /// What is there.
  public let found: String

  /// The sentence for a person.
  public var description: String {
    "invalid JSON at byte \(offset); expected \(expected), found \(found)"
  }
}

extension JSONValue {
  /// Reads one JSON text (RFC 8259); throws ``JSONError`` with the byte of the fault.
  ///
  /// Nesting deeper than 256 is refused, so that no input can exhaust the stack. Lone surrogate
  /// escapes, which Python writes, become U+FFFD.
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    self = try JSONParser.parse(bytes)
  }

  /// Compact JSON with keys in order; numbers that JSON lacks (NaN, infinities) become null.
  public func serialized() -> String {
    var text = ""
    write(into: &text)
    return text
  }

  private func write(into text: inout String) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += value.isFinite ? "\(value)" : "null"
    case .string(let value): Self.write(value, into: &text)
    case .array(let values):
      text += "["
      for (index, value) in values.enumerated() {
        if index > 0 { text += "," }
        value.write(into: &text)
      }
      text += "]"
    case .object(let fields):
      text += "{"
      for (index, field) in fields.enumerated() {
        if index > 0 { text += "," }
        Self.write(field.key, into: &text)
        text += ":"
        field.value.write(into: &text)
      }
      text += "}"
    }
  }

  private static func write(_ value: String, into text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
