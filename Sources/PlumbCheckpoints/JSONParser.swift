/// A recursive descent over the bytes of one JSON text.
struct JSONParser {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var place = 0
  private var depth = 0
  private static let maximumDepth = 256

  static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
    let result: Result<JSONValue, JSONError> = bytes.withUnsafeBufferPointer { buffer in
      var parser = JSONParser(bytes: buffer)
      do throws(JSONError) {
        return .success(try parser.document())
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  private mutating func document() throws(JSONError) -> JSONValue {
    let value = try value()
    skipSpace()
    guard place == bytes.count else { throw fault("the end of the text") }
    return value
  }

  private mutating func value() throws(JSONError) -> JSONValue {
    skipSpace()
    guard place < bytes.count else { throw fault("a value") }
    switch bytes[place] {
    case UInt8(ascii: "{"): return try nested { (parser) throws(JSONError) in try parser.object() }
    case UInt8(ascii: "["): return try nested { (parser) throws(JSONError) in try parser.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw fault("a value")
    }
  }

  private mutating func nested(
    _ body: (inout JSONParser) throws(JSONError) -> JSONValue
  ) throws(JSONError) -> JSONValue {
    guard depth < Self.maximumDepth else {
      throw JSONError(
        offset: place, expected: "at most \(Self.maximumDepth) levels of nesting", found: "more")
    }
    depth += 1
    defer { depth -= 1 }
    place += 1
    return try body(&self)
  }

  private mutating func object() throws(JSONError) -> JSONValue {
    var fields: [JSONField] = []
    if take("}") { return .object(fields) }
    while true {
      skipSpace()
      guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else { throw fault("a key") }
      let key = try string()
      guard take(":") else { throw fault("':'") }
      fields.append(JSONField(key: key, value: try value()))
      if take("}") { return .object(fields) }
      guard take(",") else { throw fault("',' or '}'") }
    }
  }

  private mutating func array() throws(JSONError) -> JSONValue {
    var values: [JSONValue] = []
    if take("]") { return .array(values) }
    while true {
      values.append(try value())
      if take("]") { return .array(values) }
      guard take(",") else { throw fault("',' or ']'") }
    }
  }

  private mutating func literal(
    _ word: StaticString, _ value: JSONValue
  ) throws(JSONError) -> JSONValue {
    let count = word.utf8CodeUnitCount
    for index in 0..<count {
      guard place + index < bytes.count, bytes[place + index] == word.utf8Start[index] else {
        throw fault("a value")
      }
    }
    place += count
    return value
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = place
    if bytes[place] == UInt8(ascii: "-") { place += 1 }
    let whole = place
    skipDigits()
    guard place > whole else { throw fault("a digit") }
    guard place == whole + 1 || bytes[whole] != UInt8(ascii: "0") else {
      place = whole
      throw fault("a number without leading zeros")
    }
    var isInteger = true
    if place < bytes.count, bytes[place] == UInt8(ascii: ".") {
      isInteger = false
      place += 1
      let fraction = place
      skipDigits()
      guard place > fraction else { throw fault("a digit") }
    }
    if place < bytes.count, bytes[place] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      place += 1
      if place < bytes.count, bytes[place] == UInt8(ascii: "+") || bytes[place] == UInt8(ascii: "-")
      {
        place += 1
      }
      let exponent = place
      skipDigits()
      guard place > exponent else { throw fault("a digit") }
    }
    let text = String(decoding: bytes[start..<place], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text) else { throw fault("a number") }
    return .number(value)
  }

  private mutating func string() throws(JSONError) -> String {
    place += 1
    let start = place
    while place < bytes.count, bytes[place] != UInt8(ascii: "\""),
      bytes[place] != UInt8(ascii: "\\")
    {
      guard bytes[place] >= 0x20 else { throw fault("an escaped control character") }
      place += 1
    }
    guard place < bytes.count else { throw fault("'\"' at the end of a string") }
    if bytes[place] == UInt8(ascii: "\"") {
      defer { place += 1 }
      return try text(UnsafeBufferPointer(rebasing: bytes[start..<place]), from: start)
    }
    return try escapedString(from: start)
  }

  /// The rest of a string that has escapes, collected byte by byte.
  private mutating func escapedString(from start: Int) throws(JSONError) -> String {
    var collected = Array(bytes[start..<place])
    while place < bytes.count {
      let byte = bytes[place]
      switch byte {
      case UInt8(ascii: "\""):
        place += 1
        guard let text = String(validating: collected, as: UTF8.self) else {
          throw JSONError(offset: start, expected: "UTF-8 text", found: "invalid bytes")
        }
        return text
      case UInt8(ascii: "\\"):
        place += 1
        try escape(into: &collected)
      case 0..<0x20:
        throw fault("an escaped control character")
      default:
        collected.append(byte)
        place += 1
      }
    }
    throw fault("'\"' at the end of a string")
  }

  private mutating func escape(into collected: inout [UInt8]) throws(JSONError) {
    guard place < bytes.count else { throw fault("an escape") }
    let byte = bytes[place]
    place += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): collected.append(byte)
    case UInt8(ascii: "b"): collected.append(0x08)
    case UInt8(ascii: "f"): collected.append(0x0c)
    case UInt8(ascii: "n"): collected.append(0x0a)
    case UInt8(ascii: "r"): collected.append(0x0d)
    case UInt8(ascii: "t"): collected.append(0x09)
    case UInt8(ascii: "u"):
      var unit = try hexadecimal()
      if (0xd800..<0xdc00).contains(unit), place + 1 < bytes.count,
        bytes[place] == UInt8(ascii: "\\"), bytes[place + 1] == UInt8(ascii: "u")
      {
        let afterHigh = place
        place += 2
        let low = try hexadecimal()
        if (0xdc00..<0xe000).contains(low) {
          unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
        } else {
          place = afterHigh
        }
      }
      let scalar = Unicode.Scalar(unit) ?? "\u{fffd}"
      collected.append(contentsOf: String(scalar).utf8)
    default:
      place -= 1
      throw fault("an escape")
    }
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard place < bytes.count, let digit = Self.hexDigit(bytes[place]) else {
        throw fault("a hexadecimal digit")
      }
      unit = unit << 4 | digit
      place += 1
    }
    return unit
  }

  private static func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  private func text(
    _ buffer: UnsafeBufferPointer<UInt8>, from start: Int
  ) throws(JSONError) -> String {
    guard let text = String(validating: buffer, as: UTF8.self) else {
      throw JSONError(offset: start, expected: "UTF-8 text", found: "invalid bytes")
    }
    return text
  }

  private mutating func skipDigits() {
    while place < bytes.count, bytes[place] &- UInt8(ascii: "0") < 10 { place += 1 }
  }

  private mutating func skipSpace() {
    while place < bytes.count {
      switch bytes[place] {
      case 0x20, 0x09, 0x0a, 0x0d: place += 1
      default: return
      }
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard place < bytes.count, bytes[place] == UInt8(ascii: character) else { return false }
    place += 1
    return true
  }

  /// The fault at the current place, quoting what stands there.
  private func fault(_ expected: String) -> JSONError {
    guard place < bytes.count else {
      return JSONError(offset: place, expected: expected, found: "the end of the text")
    }
    let excerpt = bytes[place..<min(place + 12, bytes.count)]
    return JSONError(
      offset: place, expected: expected, found: "'\(String(decoding: excerpt, as: UTF8.self))'")
  }
}
