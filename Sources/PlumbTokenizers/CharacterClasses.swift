/// What a pre-tokenization pattern asks of a character: `\p{L}`, `\p{N}`, `\s`, and `[\r\n]`.
///
/// The classes are disjoint. `\s` is Unicode's White_Space, as in the regex engines that Hugging
/// Face tokenizers uses.
enum CharacterClass: UInt8 {
  case other
  case letter
  case number
  case space
  /// Carriage return or line feed: whitespace too.
  case newline

  init(_ scalar: Unicode.Scalar) {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      self = .letter
    case .decimalNumber, .letterNumber, .otherNumber:
      self = .number
    default:
      if scalar == "\r" || scalar == "\n" {
        self = .newline
      } else {
        self = scalar.properties.isWhitespace ? .space : .other
      }
    }
  }

  /// Classes of U+0000...U+FFFF; surrogates, which no text holds, count as `other`.
  static let table: [CharacterClass] = (0...UInt32(UInt16.max)).map {
    Unicode.Scalar($0).map(CharacterClass.init) ?? .other
  }
}

/// Valid UTF-8 read character by character, by class.
struct ClassifiedText {
  let bytes: UnsafeBufferPointer<UInt8>
  let classes: UnsafeBufferPointer<CharacterClass>

  /// Runs `body` over `bytes`, which must be valid UTF-8.
  static func with<Result>(
    _ bytes: UnsafeBufferPointer<UInt8>, _ body: (ClassifiedText) -> Result
  ) -> Result {
    CharacterClass.table.withUnsafeBufferPointer {
      body(ClassifiedText(bytes: bytes, classes: $0))
    }
  }

  /// Class and length in bytes of the character that starts at `position`.
  @inline(__always)
  func character(at position: Int) -> (kind: CharacterClass, width: Int) {
    let first = bytes[position]
    if first < 0x80 { return (classes[Int(first)], 1) }
    let second = UInt32(bytes[position + 1] & 0x3F)
    if first < 0xE0 { return (classes[Int(UInt32(first & 0x1F) << 6 | second)], 2) }
    let third = UInt32(bytes[position + 2] & 0x3F)
    if first < 0xF0 {
      return (classes[Int(UInt32(first & 0x0F) << 12 | second << 6 | third)], 3)
    }
    let value = UInt32(first & 0x07) << 18 | second << 12 | third << 6
    let scalar = Unicode.Scalar(value | UInt32(bytes[position + 3] & 0x3F))
    return (scalar.map(CharacterClass.init) ?? .other, 4)
  }

  /// The end of the run of `kind` characters from `position`, at most `limit` characters long.
  @inline(__always)
  func end(
    of kind: CharacterClass, from position: Int, to end: Int, limit: Int = .max
  ) -> Int {
    var position = position
    var left = limit
    while position < end, left > 0 {
      let next = character(at: position)
      if next.kind != kind { break }
      position += next.width
      left -= 1
    }
    return position
  }
}
