import Glibc

/// Finds the members of a JSON object in one line without building values.
///
/// Reddit's rows have a hundred members of which ten are read; a full parse of each would cost ten
/// times as much. Strings and nesting are followed exactly, and what is read is decoded and
/// checked; members that are passed over are not checked further.
struct JSONLineScanner {
  /// The raw text of a member's value.
  enum Value {
    /// The bytes between the quotation marks, escapes undecoded.
    case string(ByteSpan)
    /// A number, `true`, `false` or `null`.
    case literal(ByteSpan)
    /// An object or a list.
    case nested

    /// The value as a whole number, also of `12.0` and of `"12"`.
    var integer: Int? {
      switch self {
      case .string(let text): StackExchangeRows.number(text, signed: true)
      case .literal(let text):
        StackExchangeRows.number(
          ByteSpan(rebasing: text.prefix { $0 != UInt8(ascii: ".") }), signed: true)
      case .nested: nil
      }
    }

    /// True for `true`.
    var isTrue: Bool {
      if case .literal(let text) = self { text.elementsEqual("true".utf8) } else { false }
    }
  }

  /// Calls `member` for every member of the object; false if the line is no whole object.
  static func scan(_ line: ByteSpan, _ member: (_ key: ByteSpan, Value) -> Void) -> Bool {
    var scanner = JSONLineScanner(line: line)
    return scanner.object(member) && scanner.isAtEnd
  }

  private let line: ByteSpan
  private var place = 0

  private init(line: ByteSpan) { self.line = line }

  private var isAtEnd: Bool {
    mutating get {
      skipSpace()
      return place == line.count
    }
  }

  private mutating func object(_ member: (ByteSpan, Value) -> Void) -> Bool {
    guard take(UInt8(ascii: "{")) else { return false }
    if take(UInt8(ascii: "}")) { return true }
    while true {
      guard take(UInt8(ascii: "\"")), let key = string(), take(UInt8(ascii: ":")),
        let value = value()
      else { return false }
      member(key, value)
      if take(UInt8(ascii: ",")) { continue }
      return take(UInt8(ascii: "}"))
    }
  }

  private mutating func value() -> Value? {
    skipSpace()
    guard place < line.count else { return nil }
    switch line[place] {
    case UInt8(ascii: "\""):
      place += 1
      return string().map { .string($0) }
    case UInt8(ascii: "{"), UInt8(ascii: "["): return skipNested() ? .nested : nil
    default:
      let start = place
      while place < line.count, Self.isLiteral(line[place]) { place += 1 }
      let text = ByteSpan(rebasing: line[start..<place])
      guard let first = text.first else { return nil }
      if first == UInt8(ascii: "-") || (0x30...0x39).contains(first) { return .literal(text) }
      let isWord = ["true", "false", "null"].contains { text.elementsEqual($0.utf8) }
      return isWord ? .literal(text) : nil
    }
  }

  /// The bytes up to the closing quotation mark; the opening one is behind us.
  private mutating func string() -> ByteSpan? {
    guard let base = line.baseAddress else { return nil }
    let start = place
    while place < line.count,
      let hit = memchr(base + place, Int32(UInt8(ascii: "\"")), line.count - place)
    {
      let end = UnsafeRawPointer(hit) - UnsafeRawPointer(base)
      var slashes = 0
      while end - slashes > start, line[end - slashes - 1] == UInt8(ascii: "\\") { slashes += 1 }
      place = end + 1
      if slashes % 2 == 0 { return ByteSpan(rebasing: line[start..<end]) }
    }
    return nil
  }

  private mutating func skipNested() -> Bool {
    var depth = 0
    while place < line.count {
      let byte = line[place]
      place += 1
      switch byte {
      case UInt8(ascii: "\""): guard string() != nil else { return false }
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        if depth == 0 { return true }
      default: break
      }
    }
    return false
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard place < line.count, line[place] == byte else { return false }
    place += 1
    return true
  }

  private mutating func skipSpace() {
    while place < line.count, line[place] <= 0x20 { place += 1 }
  }

  private static func isLiteral(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b, 0x2d, 0x2e: true
    default: false
    }
  }

  /// Appends the text of a string to `output`; false for a wrong escape or wrong UTF-8.
  static func decode(_ raw: ByteSpan, into output: inout [UInt8]) -> Bool {
    let begin = output.count
    var place = 0
    while place < raw.count {
      guard let base = raw.baseAddress else { break }
      let rest = raw.count - place
      let hit = memchr(base + place, Int32(UInt8(ascii: "\\")), rest)
      let run = hit.map { UnsafeRawPointer($0) - UnsafeRawPointer(base + place) } ?? rest
      output.append(contentsOf: ByteSpan(rebasing: raw[place..<(place + run)]))
      place += run
      guard hit != nil else { break }
      guard let length = escape(ByteSpan(rebasing: raw[place...]), into: &output) else {
        return false
      }
      place += length
    }
    return output[begin...].withUnsafeBufferPointer(Self.isUTF8)
  }

  /// Whether `bytes` are UTF-8; runs of ASCII cost an eighth of a step a byte.
  private static func isUTF8(_ bytes: ByteSpan) -> Bool {
    bytes.allSatisfy { $0 < 0x80 } || String(validating: bytes, as: UTF8.self) != nil
  }

  /// Decodes the escape at the start of `raw`; the count of bytes it has, nil if it is none.
  private static func escape(_ raw: ByteSpan, into output: inout [UInt8]) -> Int? {
    guard raw.count >= 2 else { return nil }
    switch raw[1] {
    case UInt8(ascii: "n"): output.append(0x0a)
    case UInt8(ascii: "t"): output.append(0x09)
    case UInt8(ascii: "r"): output.append(0x0d)
    case UInt8(ascii: "b"), UInt8(ascii: "f"): output.append(0x20)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(raw[1])
    case UInt8(ascii: "u"):
      guard let first = hexadecimal(raw) else { return nil }
      if (0xd800..<0xdc00).contains(first), raw.count >= 12,
        let second = hexadecimal(ByteSpan(rebasing: raw[6...])), (0xdc00..<0xe000).contains(second)
      {
        let scalar = 0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)
        append(Unicode.Scalar(scalar), to: &output)
        return 12
      }
      append(Unicode.Scalar(first), to: &output)
      return 6
    default: return nil
    }
    return 2
  }

  /// Appends the scalar, or U+FFFD for a surrogate without its partner.
  private static func append(_ scalar: Unicode.Scalar?, to output: inout [UInt8]) {
    output.append(contentsOf: Array(String(Character(scalar ?? "\u{FFFD}")).utf8))
  }

  private static func hexadecimal(_ raw: ByteSpan) -> UInt32? {
    guard raw.count >= 6, raw[0] == UInt8(ascii: "\\"), raw[1] == UInt8(ascii: "u") else {
      return nil
    }
    return UInt32(String(decoding: raw[2..<6], as: UTF8.self), radix: 16)
  }
}
