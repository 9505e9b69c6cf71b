/// Writes Markdown from the elements and text of an HTML page, as they come.
struct MarkdownWriter {
  private var output: [UInt8] = []
  /// What every line begins with: the marks of open quotes and the indents of open items.
  private var prefix: [UInt8] = []
  /// The length of ``prefix`` before each open quote or item.
  private var prefixLengths: [Int] = []
  /// The marker that the next line has in place of the end of ``prefix``.
  private var marker: [UInt8] = []
  /// Line feeds due before the next content: 0, 1 or 2 (an empty line).
  private var breaks = 0
  /// How much of ``prefix`` an empty line before the next content has.
  private var blankLength = 0
  private var needsSpace = false
  private var isLineStart = true
  /// White space right after an opening mark is dropped.
  private var followsMark = false
  private var lists: [(isOrdered: Bool, next: Int)] = []
  /// Open inline marks: where their content begins, and for links where they lead.
  private var marks: [(start: Int, target: String)] = []
  /// The text of an open `code` or `pre`, its depth and, for `pre`, the language.
  private var code: [UInt8] = []
  private var codeDepth = 0
  private var isPreformatted = false
  private var language = ""
  private var hiddenDepth = 0
  private var cellDepth = 0
  /// The cells of the open row, and whether it is the first of its table.
  private var cells = 0
  private var isFirstRow = false

  mutating func reset() {
    output.removeAll(keepingCapacity: true)
    code.removeAll(keepingCapacity: true)
    (prefix, prefixLengths, marker, lists, marks) = ([], [], [], [], [])
    (breaks, blankLength, codeDepth, hiddenDepth, cellDepth, cells) = (0, 0, 0, 0, 0, 0)
    (needsSpace, followsMark, isPreformatted, isFirstRow) = (false, false, false, false)
    (isLineStart, language) = (true, "")
  }

  /// The text without outer white space.
  mutating func finish() -> [UInt8] {
    if codeDepth > 0 { isPreformatted ? endBlockOfCode() : endInlineCode() }
    var end = output.count
    while end > 0, output[end - 1] <= 0x20 { end -= 1 }
    var start = 0
    while start < end, output[start] <= 0x20 { start += 1 }
    return Array(output[start..<end])
  }

  mutating func start(_ element: HTMLElement, _ attributes: HTMLAttributes) {
    if hiddenDepth > 0 || codeDepth > 0 {
      return startInside(element, attributes)
    }
    switch element {
    case .paragraph, .division, .table:
      requestBreak(2)
      if case .table = element { isFirstRow = true }
    case .heading(let level):
      requestBreak(2)
      put(Array(repeating: UInt8(ascii: "#"), count: level) + [0x20])
      followsMark = true
    case .list(let isOrdered):
      requestBreak(lists.isEmpty ? 2 : 1)
      let first = isOrdered ? Int(attributes["start"]) ?? 1 : 1
      lists.append((isOrdered, min(max(first, 0), 999_999_999)))
    case .item: startItem()
    case .quote:
      requestBreak(2)
      open(prefix: Array((attributes["class"].contains("spoiler") ? ">! " : "> ").utf8))
    case .preformatted, .code: startCode(element, attributes)
    case .strong: open(mark: "**")
    case .emphasis: open(mark: "*")
    case .strike: open(mark: "~~")
    case .link: open(mark: "[", target: attributes["href"])
    case .image:
      let source = attributes["src"]
      if !source.isEmpty {
        put(Array("![\(Self.oneLine(attributes["alt"]))](\(Self.address(source)))".utf8))
      }
    case .lineBreak:
      if cellDepth > 0 {
        needsSpace = true
      } else if !isLineStart, breaks == 0 {
        // Two spaces make the break in Markdown.
        output += [0x20, 0x20]
        requestBreak(1)
      }
    case .rule:
      requestBreak(2)
      put(Array("---".utf8))
      requestBreak(2)
    case .tableRow:
      requestBreak(1)
      cells = 0
    case .cell:
      needsSpace = false
      put(Array((cells == 0 ? "| " : " ").utf8))
      cells += 1
      cellDepth += 1
      followsMark = true
    case .kept(let name): open(mark: "<\(name)>")
    case .hidden: hiddenDepth = 1
    case .transparent: break
    }
  }

  mutating func end(_ element: HTMLElement) {
    if hiddenDepth > 0 {
      if case .hidden = element { hiddenDepth -= 1 }
      return
    }
    if codeDepth > 0 { return endInside(element) }
    switch element {
    case .paragraph, .division, .heading: requestBreak(2)
    case .list:
      _ = lists.popLast()
      requestBreak(lists.isEmpty ? 2 : 1)
    case .item:
      closePrefix()
      requestBreak(1)
    case .quote:
      closePrefix()
      requestBreak(2)
    case .strong: close(mark: "**")
    case .emphasis: close(mark: "*")
    case .strike: close(mark: "~~")
    case .link: closeLink()
    case .kept(let name): close(mark: "<\(name)>", end: "</\(name)>")
    case .table: requestBreak(2)
    case .tableRow: endRow()
    case .cell:
      cellDepth = max(0, cellDepth - 1)
      needsSpace = false
      put(Array(" |".utf8))
    case .preformatted, .code, .image, .lineBreak, .rule, .hidden, .transparent: break
    }
  }

  mutating func text(_ bytes: ByteSpan) {
    if hiddenDepth > 0 { return }
    if codeDepth > 0 {
      code.append(contentsOf: bytes)
      return
    }
    var place = 0
    while place < bytes.count {
      let start = place
      while place < bytes.count, !Self.isSpace(bytes[place]) { place += 1 }
      if place > start { word(ByteSpan(rebasing: bytes[start..<place])) }
      let space = place
      while place < bytes.count, Self.isSpace(bytes[place]) { place += 1 }
      if place > space, !isLineStart, !followsMark { needsSpace = true }
    }
  }

  // MARK: Lines

  private mutating func word(_ bytes: ByteSpan) {
    settle()
    if cellDepth > 0, bytes.contains(UInt8(ascii: "|")) {
      for byte in bytes {
        if byte == UInt8(ascii: "|") { output.append(UInt8(ascii: "\\")) }
        output.append(byte)
      }
    } else {
      output.append(contentsOf: bytes)
    }
  }

  private mutating func put(_ bytes: [UInt8]) {
    settle()
    output += bytes
  }

  /// Writes the line feeds, prefixes and the space that are due.
  private mutating func settle() {
    followsMark = false
    if isLineStart {
      if !output.isEmpty {
        for count in 0..<max(1, breaks) {
          if count > 0 { output += Self.withoutTrailingSpace(Array(prefix.prefix(blankLength))) }
          output.append(0x0a)
        }
      }
      // The marker of an item takes the place of its indent.
      output += prefix.dropLast(marker.count)
      output += marker
      marker = []
      (isLineStart, breaks, needsSpace) = (false, 0, false)
    } else if needsSpace {
      output.append(0x20)
      needsSpace = false
    }
  }

  private mutating func requestBreak(_ count: Int) {
    guard cellDepth == 0 else {
      needsSpace = !followsMark
      return
    }
    needsSpace = false
    guard !output.isEmpty || !marker.isEmpty || !prefix.isEmpty else { return }
    // Nothing was written since the marker of the item: its first block stands beside it.
    guard marker.isEmpty || !isLineStart else { return }
    // What is closed or opened between two blocks does not mark the empty line between them.
    blankLength = isLineStart ? min(blankLength, prefix.count) : prefix.count
    isLineStart = true
    breaks = max(breaks, count)
  }

  private mutating func open(prefix bytes: [UInt8]) {
    writeLoneMarker()
    prefixLengths.append(prefix.count)
    prefix += bytes
  }

  /// An item whose first content is a list or a quote has its marker on a line of its own.
  private mutating func writeLoneMarker() {
    guard !marker.isEmpty else { return }
    put([])
    requestBreak(1)
  }

  private mutating func closePrefix() {
    writeLoneMarker()
    if let length = prefixLengths.popLast() { prefix.removeLast(prefix.count - length) }
  }

  private mutating func startItem() {
    requestBreak(1)
    if lists.isEmpty { lists.append((false, 1)) }
    let list = lists[lists.count - 1]
    let text = list.isOrdered ? "\(list.next). " : "- "
    lists[lists.count - 1].next += 1
    open(prefix: Array(repeating: 0x20, count: text.utf8.count))
    marker = Array(text.utf8)
  }

  // MARK: Inline marks

  private mutating func open(mark: String, target: String = "") {
    put(Array(mark.utf8))
    marks.append((output.count, target))
    followsMark = true
  }

  private mutating func close(mark: String, end: String? = nil) {
    guard let (start, _) = marks.popLast() else { return }
    followsMark = false
    if output.count <= start {
      output.removeLast(min(output.count, mark.utf8.count))
      takeBackSpace()
      return
    }
    output += (end ?? mark).utf8
  }

  private mutating func closeLink() {
    guard let (start, target) = marks.popLast() else { return }
    followsMark = false
    guard start <= output.count, start > 0 else { return }
    let isEmpty = output.count == start
    let isSame = output[start...].elementsEqual(target.utf8)
    if isEmpty || isSame || target.isEmpty {
      output.remove(at: start - 1)
      if isEmpty { takeBackSpace() }
    } else {
      output += "](\(Self.address(target)))".utf8
    }
  }

  /// After a mark without content: the space before it is due again.
  private mutating func takeBackSpace() {
    if output.isEmpty {
      isLineStart = true
    } else if output.last == 0x20, !isLineStart {
      output.removeLast()
      needsSpace = true
    }
  }

  // MARK: Code

  private mutating func startCode(_ element: HTMLElement, _ attributes: HTMLAttributes) {
    codeDepth = 1
    code.removeAll(keepingCapacity: true)
    if case .preformatted = element {
      isPreformatted = true
      language = Self.language(attributes["class"])
    } else {
      isPreformatted = false
    }
  }

  private mutating func startInside(_ element: HTMLElement, _ attributes: HTMLAttributes) {
    if hiddenDepth > 0 {
      if case .hidden = element { hiddenDepth += 1 }
      return
    }
    switch element {
    case .preformatted: codeDepth += 1
    case .code:
      codeDepth += 1
      if isPreformatted, language.isEmpty { language = Self.language(attributes["class"]) }
    case .lineBreak: code.append(0x0a)
    default: break
    }
  }

  private mutating func endInside(_ element: HTMLElement) {
    switch element {
    case .preformatted, .code:
      codeDepth -= 1
      if codeDepth == 0 { isPreformatted ? endBlockOfCode() : endInlineCode() }
    default: break
    }
  }

  private mutating func endInlineCode() {
    codeDepth = 0
    var text = code.map { Self.isSpace($0) ? 0x20 : $0 }
    while text.last == 0x20 { text.removeLast() }
    let leading = text.prefix { $0 == 0x20 }.count
    text.removeFirst(leading)
    guard !text.isEmpty else { return }
    let fence = Array(repeating: UInt8(ascii: "`"), count: Self.longestRun(text) + 1)
    // A backtick at an end would join the fence.
    let pad: [UInt8] = text.first == 0x60 || text.last == 0x60 ? [0x20] : []
    let cell = text.flatMap { cellDepth > 0 && $0 == 0x7c ? [0x5c, 0x7c] : [$0] }
    put(fence + pad + cell + pad + fence)
  }

  private mutating func endBlockOfCode() {
    codeDepth = 0
    while let last = code.last, last <= 0x20 { code.removeLast() }
    if code.first == 0x0d { code.removeFirst() }
    if code.first == 0x0a { code.removeFirst() }
    guard !code.isEmpty else { return }
    if cellDepth > 0 { return endInlineCode() }
    requestBreak(2)
    let length = max(3, Self.longestRun(code) + 1)
    let fence = Array(repeating: UInt8(ascii: "`"), count: length)
    put(fence + Array(language.utf8))
    for line in code.split(separator: 0x0a, omittingEmptySubsequences: false) {
      output.append(0x0a)
      let content = line.last == 0x0d ? line.dropLast() : line
      output += content.isEmpty ? Self.withoutTrailingSpace(prefix) : prefix[...]
      output.append(contentsOf: content)
    }
    output.append(0x0a)
    output += prefix
    output += fence
    requestBreak(2)
  }

  private mutating func endRow() {
    guard cells > 0 else { return }
    requestBreak(1)
    if isFirstRow {
      put(Array(("|" + String(repeating: " --- |", count: cells)).utf8))
      requestBreak(1)
    }
    isFirstRow = false
  }

  // MARK: Small things

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0d).contains(byte)
  }

  private static func withoutTrailingSpace(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
    bytes[..<(bytes.lastIndex { $0 != 0x20 }.map { $0 + 1 } ?? 0)]
  }

  private static func longestRun(_ bytes: [UInt8]) -> Int {
    var (longest, run) = (0, 0)
    for byte in bytes {
      run = byte == UInt8(ascii: "`") ? run + 1 : 0
      longest = max(longest, run)
    }
    return longest
  }

  /// An address as a link's target; those with spaces or parentheses stand in angle brackets.
  private static func address(_ text: String) -> String {
    let line = oneLine(text)
    return line.utf8.contains { [0x20, 0x28, 0x29].contains($0) } ? "<\(line)>" : line
  }

  private static func oneLine(_ text: String) -> String {
    String(decoding: text.utf8.map { isSpace($0) ? 0x20 : $0 }, as: UTF8.self)
  }

  /// `py` of `lang-py prettyprint-override`, as Stack Exchange marks code.
  private static func language(_ classes: String) -> String {
    for name in classes.split(separator: " ") {
      for mark in ["lang-", "language-"] where name.hasPrefix(mark) {
        let language = name.dropFirst(mark.count)
        if language != "none", language != "default", !language.isEmpty { return String(language) }
      }
    }
    return ""
  }
}
