import Foundation

/// A strict JSON parser over bytes (RFC 8259): no trailing commas, no lone surrogates, valid UTF-8.
struct JSONReader {
  private let path: String
  private let bytes: [UInt8]
  private var position = 0

  /// Nested deeper than this, a text is refused instead of exhausting the stack.
  private static let maximumDepth = 128

  /// Reads the JSON file at `url`.
  static func read(_ url: URL) throws(TokenizerError) -> JSONNode {
    let data: Data
    do {
      data = try Data(contentsOf: url)
    } catch {
      throw .file(path: url.path, reason: "cannot be read: \(error.localizedDescription)")
    }
    return JSONNode(path: url.path, value: try parse([UInt8](data), path: url.path))
  }

  /// Parses `bytes`; `path` is only for messages.
  static func parse(_ bytes: [UInt8], path: String) throws(TokenizerError) -> JSONValue {
    var reader = JSONReader(path: path, bytes: bytes)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.position = 3 }
    let value = try reader.value(depth: 0)
    reader.skipWhitespace()
    guard reader.position == bytes.count else { throw reader.wrong(expected: "the end") }
    return value
  }

  private init(path: String, bytes: [UInt8]) {
    self.path = path
    self.bytes = bytes
  }

  private func wrong(expected: String, at offset: Int? = nil) -> TokenizerError {
    let place = offset ?? position
    let found =
      place < bytes.count
      ? "\"\(String(decoding: bytes[place..<min(place + 12, bytes.count)], as: UTF8.self))\""
      : "the end of the file (it may be truncated)"
    return .json(path: path, offset: place, expected: expected, found: found)
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipWhitespace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private mutating func value(depth: Int) throws(TokenizerError) -> JSONValue {
    skipWhitespace()
    guard depth < Self.maximumDepth else {
      throw wrong(expected: "at most \(Self.maximumDepth) levels")
    }
    switch current {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func word(
    _ text: String, _ value: JSONValue
  ) throws(TokenizerError) -> JSONValue {
    guard bytes[position...].starts(with: text.utf8) else { throw wrong(expected: text) }
    position += text.utf8.count
    return value
  }

  private mutating func object(depth: Int) throws(TokenizerError) -> JSONValue {
    var members: [JSONValue.Member] = []
    position += 1
    skipWhitespace()
    if current == UInt8(ascii: "}") {
      position += 1
      return .object(members)
    }
    while true {
      skipWhitespace()
      guard current == UInt8(ascii: "\"") else { throw wrong(expected: "a key in quotes") }
      let key = try string()
      skipWhitespace()
      guard current == UInt8(ascii: ":") else { throw wrong(expected: "\":\"") }
      position += 1
      members.append(.init(key: key, value: try value(depth: depth + 1)))
      if try endsList(with: UInt8(ascii: "}")) { return .object(members) }
    }
  }

  private mutating func array(depth: Int) throws(TokenizerError) -> JSONValue {
    var values: [JSONValue] = []
    position += 1
    skipWhitespace()
    if current == UInt8(ascii: "]") {
      position += 1
      return .array(values)
    }
    while true {
      values.append(try value(depth: depth + 1))
      if try endsList(with: UInt8(ascii: "]")) { return .array(values) }
    }
  }

  /// Steps over a comma (false) or over `closing` (true).
  private mutating func endsList(with closing: UInt8) throws(TokenizerError) -> Bool {
    skipWhitespace()
    guard let byte = current, byte == closing || byte == UInt8(ascii: ",") else {
      throw wrong(expected: "\",\" or \"\(Character(Unicode.Scalar(closing)))\"")
    }
    position += 1
    return byte == closing
  }

  private mutating func number() throws(TokenizerError) -> JSONValue {
    let start = position
    while let byte = current, "+-.0123456789eE".utf8.contains(byte) { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if let value = Int(text) { return .integer(value) }
    guard let value = Double(text) else { throw wrong(expected: "a value", at: start) }
    return .double(value)
  }

  private mutating func string() throws(TokenizerError) -> String {
    let opening = position
    position += 1
    var run = position
    var text: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        text.append(contentsOf: bytes[run..<position])
        position += 1
        guard let string = String(validating: text, as: UTF8.self) else {
          throw wrong(expected: "a string in UTF-8", at: opening)
        }
        return string
      }
      guard byte >= 0x20 else { throw wrong(expected: "no raw control character in a string") }
      if byte == UInt8(ascii: "\\") {
        text.append(contentsOf: bytes[run..<position])
        text.append(contentsOf: String(Character(try escape())).utf8)
        run = position
      } else {
        position += 1
      }
    }
    throw wrong(expected: "a closing quote")
  }

  private mutating func escape() throws(TokenizerError) -> Unicode.Scalar {
    let start = position
    guard position + 1 < bytes.count else {
      position = bytes.count
      throw wrong(expected: "an escape")
    }
    position += 2
    switch bytes[position - 1] {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let high = try hexadecimal()
      if let scalar = Unicode.Scalar(high) { return scalar }
      guard high < 0xDC00, bytes[position...].starts(with: [0x5C, 0x75]) else {
        throw wrong(expected: "no lone surrogate", at: start)
      }
      position += 2
      let low = try hexadecimal()
      guard (0xDC00..<0xE000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
      else { throw wrong(expected: "no lone surrogate", at: start) }
      return scalar
    default: throw wrong(expected: "an escape that JSON knows", at: start)
    }
  }

  private mutating func hexadecimal() throws(TokenizerError) -> UInt32 {
    guard position + 4 <= bytes.count,
      let digits = String(validating: bytes[position..<position + 4], as: UTF8.self),
      digits.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let value = UInt32(digits, radix: 16)
    else { throw wrong(expected: "four hexadecimal digits") }
    position += 4
    return value
  }
}
