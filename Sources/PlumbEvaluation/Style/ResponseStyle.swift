/// What an answer looks like, whatever it says: its length and its Markdown.
///
/// The four features of WorldPM's style analysis (arXiv 2505.10527, §3.3), which are those of LMArena's
/// style control.
public struct ResponseStyle: Codable, Hashable, Sendable {
  /// Length in tokens, end marks not counted.
  public var tokens: Int
  /// Items of lists: lines that begin with `-`, `*`, `+` or a number and a dot, and white space.
  public var lists: Int
  /// Headers: lines that begin with one to six `#` and white space.
  public var headers: Int
  /// Words in bold: `**…**` or `__…__` within a line.
  public var bold: Int

  /// A style from its parts.
  public init(tokens: Int, lists: Int = 0, headers: Int = 0, bold: Int = 0) {
    self.tokens = tokens
    self.lists = lists
    self.headers = headers
    self.bold = bold
  }

  /// The style of a text; what stands in code blocks (between ```` ``` ````) is not Markdown.
  ///
  /// The counts are those of LMArena's regular expressions `^\s*[-*+]\s`, `^\s*\d+\.\s`,
  /// `^#{1,6}\s`, `\*\*[^*\n]+\*\*` and `__[^_\n]+__`, for ASCII white space and digits.
  /// - Parameters:
  ///   - text: the answer.
  ///   - tokens: its length in tokens.
  public init(of text: String, tokens: Int) {
    let bytes = withoutCodeBlocks(Array(text.utf8))
    var style = ResponseStyle(tokens: tokens)
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: Byte.newline) ?? bytes.count
      // The line with its end, which is white space too.
      let line = bytes[start..<min(end + 1, bytes.count)]
      if isListItem(line) { style.lists += 1 }
      if isHeader(line) { style.headers += 1 }
      style.bold += boldCount(line, mark: Byte.star) + boldCount(line, mark: Byte.underscore)
      start = end + 1
    }
    self = style
  }

  /// Lists, headers and bold together.
  public var markdown: Int { lists + headers + bold }
}

private enum Byte {
  static let newline = UInt8(ascii: "\n")
  static let star = UInt8(ascii: "*")
  static let underscore = UInt8(ascii: "_")
  static let hash = UInt8(ascii: "#")
  static let dot = UInt8(ascii: ".")
  static let backtick = UInt8(ascii: "`")

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
  static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}

/// The text without what stands between ```` ``` ```` and ```` ``` ````; the marks stay, as in LMArena's
/// code, and so does a block that is not closed.
private func withoutCodeBlocks(_ bytes: [UInt8]) -> [UInt8] {
  func isMark(_ index: Int) -> Bool {
    index + 3 <= bytes.count && bytes[index..<index + 3].allSatisfy { $0 == Byte.backtick }
  }
  var kept: [UInt8] = []
  kept.reserveCapacity(bytes.count)
  var index = 0
  while index < bytes.count {
    if isMark(index),
      let end = bytes[(index + 3)...].firstIndex(of: Byte.backtick), isMark(end)
    {
      kept += [UInt8](repeating: Byte.backtick, count: 6)
      index = end + 3
      continue
    }
    kept.append(bytes[index])
    index += 1
  }
  return kept
}

private func isListItem(_ line: ArraySlice<UInt8>) -> Bool {
  let rest = line.drop(while: Byte.isSpace)
  guard let first = rest.first else { return false }
  if [UInt8(ascii: "-"), Byte.star, UInt8(ascii: "+")].contains(first) {
    return rest.dropFirst().first.map(Byte.isSpace) ?? false
  }
  let afterNumber = rest.drop(while: Byte.isDigit)
  guard afterNumber.startIndex > rest.startIndex, afterNumber.first == Byte.dot else {
    return false
  }
  return afterNumber.dropFirst().first.map(Byte.isSpace) ?? false
}

private func isHeader(_ line: ArraySlice<UInt8>) -> Bool {
  let rest = line.drop { $0 == Byte.hash }
  return (1...6).contains(rest.startIndex - line.startIndex)
    && rest.first.map(Byte.isSpace) ?? false
}

/// How often two marks, something without the mark, and two marks follow each other.
private func boldCount(_ line: ArraySlice<UInt8>, mark: UInt8) -> Int {
  func isDouble(_ index: Int) -> Bool {
    index + 1 < line.endIndex && line[index] == mark && line[index + 1] == mark
  }
  var count = 0
  var index = line.startIndex
  while index < line.endIndex {
    guard isDouble(index) else {
      index += 1
      continue
    }
    let end = line[(index + 2)...].firstIndex { $0 == mark || $0 == Byte.newline } ?? line.endIndex
    if end > index + 2, isDouble(end) {
      count += 1
      index = end + 2
    } else {
      index += 1
    }
  }
  return count
}
