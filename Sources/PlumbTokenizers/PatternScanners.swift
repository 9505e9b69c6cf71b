extension ClassifiedText {
  /// One match of GPT-2's expression:
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
  func gpt2End(from position: Int, to end: Int) -> Int {
    let length = contraction(at: position, to: end, ignoringCase: false)
    if length > 0 { return position + length }
    var start = position
    var first = character(at: position)
    if bytes[position] == UInt8(ascii: " "), position + 1 < end {
      start += 1
      first = character(at: start)
    }
    switch first.kind {
    case .letter, .number, .other:
      return self.end(of: first.kind, from: start + first.width, to: end)
    case .space, .newline:
      return whitespaceEnd(from: position, to: end)
    }
  }

  /// One match of Qwen2's expression, with at most `digits` numbers together:
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}|`
  /// ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
  func qwen2End(from position: Int, to end: Int, digits: Int) -> Int {
    let length = contraction(at: position, to: end, ignoringCase: true)
    if length > 0 { return position + length }
    let first = character(at: position)
    let second = position + first.width
    switch first.kind {
    case .letter:
      return self.end(of: .letter, from: second, to: end)
    case .number:
      return self.end(of: .number, from: second, to: end, limit: digits - 1)
    case .newline:
      return whitespaceEnd(from: position, to: end, cuttingAfterNewline: true)
    case .space, .other:
      let next = second < end ? character(at: second).kind : .newline
      if next == .letter { return self.end(of: .letter, from: second, to: end) }
      let isOther =
        first.kind == .other || (bytes[position] == UInt8(ascii: " ") && next == .other)
      if isOther {
        let last = self.end(of: .other, from: second, to: end)
        return self.end(of: .newline, from: last, to: end)
      }
      return whitespaceEnd(from: position, to: end, cuttingAfterNewline: true)
    }
  }

  /// One piece of the `Digits` pre-tokenizer.
  func digitsEnd(from position: Int, to end: Int, individual: Bool) -> Int {
    let first = character(at: position)
    var next = position + first.width
    if first.kind == .number {
      return individual ? next : self.end(of: .number, from: next, to: end)
    }
    while next < end {
      let character = character(at: next)
      if character.kind == .number { break }
      next += character.width
    }
    return next
  }

  /// The match of `\s+(?!\S)|\s+` or, if it cuts after newlines, of `\s*[\r\n]+|\s+(?!\S)|\s+`.
  ///
  /// Before something visible, the last whitespace character of a run is left to it, unless it is
  /// the only one.
  private func whitespaceEnd(
    from start: Int, to end: Int, cuttingAfterNewline: Bool = false
  ) -> Int {
    var position = start
    var last = start
    var afterNewline = start
    while position < end {
      let next = character(at: position)
      guard next.kind == .space || next.kind == .newline else { break }
      last = position
      position += next.width
      if next.kind == .newline { afterNewline = position }
    }
    if cuttingAfterNewline, afterNewline > start { return afterNewline }
    return position == end || last == start ? position : last
  }

  /// The length in bytes of the English contraction at `position`, 0 if there is none.
  private func contraction(at position: Int, to end: Int, ignoringCase: Bool) -> Int {
    guard bytes[position] == UInt8(ascii: "'"), position + 1 < end else { return 0 }
    let fold: UInt8 = ignoringCase ? 0x20 : 0
    let first = bytes[position + 1] | fold
    let second = position + 2 < end ? bytes[position + 2] : 0
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"):
      return second | fold == UInt8(ascii: "e") ? 3 : 0
    case UInt8(ascii: "l"):
      return second | fold == UInt8(ascii: "l") ? 3 : 0
    default:
      // U+017F, the long s, is a lower case of "S" too.
      let isLongS = ignoringCase && bytes[position + 1] == 0xC5 && second == 0xBF
      return isLongS ? 3 : 0
    }
  }
}
