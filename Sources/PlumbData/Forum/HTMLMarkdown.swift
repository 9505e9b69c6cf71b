import CLibXML2

/// Turns the HTML of forum posts into Markdown text.
///
/// libxml2's HTML parser, which forgives what browsers forgive, reports elements and text; the
/// writer keeps code verbatim (fenced or in backticks), headings, lists, quotes, tables, emphasis,
/// links and pictures. Text is not escaped: a literal `*` or `_` stays as it is, since formulas and
/// names are full of them. Nothing is loaded, and scripts are dropped.
final class HTMLMarkdown {
  /// Elements that may stand inside each other; posts with more are refused.
  static let maximumDepth = 200

  // Never accessed twice at once: the parser calls back one by one.
  @exclusivity(unchecked) private var writer = MarkdownWriter()
  private var context: htmlParserCtxtPtr?
  private var depth = 0
  private var isTooDeep = false

  /// The Markdown of `html`, which must be UTF-8, without outer white space; nil if elements are
  /// nested deeper than ``maximumDepth``.
  func convert(_ html: [UInt8]) -> [UInt8]? {
    writer.reset()
    (depth, isTooDeep) = (0, false)
    // Most parsers choke on nothing at all.
    guard html.contains(where: { $0 > 0x20 }) else { return [] }
    var handler = xmlSAXHandler()
    handler.initialized = XML_SAX2_MAGIC
    handler.startElement = { data, name, attributes in
      guard let data, let name else { return }
      HTMLMarkdown.owner(data).start(name, attributes)
    }
    handler.endElement = { data, name in
      guard let data, let name else { return }
      HTMLMarkdown.owner(data).end(name)
    }
    let text: charactersSAXFunc = { data, bytes, count in
      guard let data, let bytes else { return }
      HTMLMarkdown.owner(data).writer.text(ByteSpan(start: bytes, count: Int(count)))
    }
    handler.characters = text
    handler.ignorableWhitespace = text
    handler.cdataBlock = text
    // Taken and dropped: without it libxml2 prints its errors.
    handler.serror = { _, _ in }
    context = htmlCreatePushParserCtxt(
      &handler, Unmanaged.passUnretained(self).toOpaque(), nil, 0, nil, XML_CHAR_ENCODING_UTF8)
    guard let context else { return nil }
    defer { htmlFreeParserCtxt(context) }
    htmlCtxtUseOptions(
      context, Int32(HTML_PARSE_NONET.rawValue | HTML_PARSE_RECOVER.rawValue))
    // Without it the parser drops text that follows a stray end tag.
    htmlParseChunk(context, "<body>", 6, 0)
    html.withUnsafeBufferPointer { bytes in
      _ = bytes.withMemoryRebound(to: CChar.self) {
        htmlParseChunk(context, $0.baseAddress, Int32($0.count), 1)
      }
    }
    return isTooDeep ? nil : writer.finish()
  }

  private static func owner(_ data: UnsafeMutableRawPointer) -> HTMLMarkdown {
    Unmanaged<HTMLMarkdown>.fromOpaque(data).takeUnretainedValue()
  }

  private func start(
    _ name: UnsafePointer<UInt8>, _ attributes: UnsafeMutablePointer<UnsafePointer<UInt8>?>?
  ) {
    depth += 1
    guard depth <= Self.maximumDepth else {
      isTooDeep = true
      xmlStopParser(context)
      return
    }
    writer.start(HTMLElement(name), HTMLAttributes(attributes))
  }

  private func end(_ name: UnsafePointer<UInt8>) {
    depth -= 1
    guard !isTooDeep else { return }
    writer.end(HTMLElement(name))
  }
}

/// The elements that have a meaning in Markdown.
enum HTMLElement {
  case paragraph, division, heading(Int), list(isOrdered: Bool), item, quote, preformatted, code
  case strong, emphasis, strike, link, image, lineBreak, rule, table, tableRow, cell
  /// Inline elements that Markdown keeps as HTML.
  case kept(StaticString)
  /// Elements whose content is not text.
  case hidden
  /// Anything else: its content stands as if the element were not there.
  case transparent

  /// The element with a lower-case name, as libxml2 gives it.
  init(_ name: UnsafePointer<UInt8>) {
    // Names of up to seven letters, packed into one number, compare in one step.
    var packed: UInt64 = 0
    var count = 0
    while name[count] != 0, count < 11 {
      packed = packed << 8 | UInt64(name[count])
      count += 1
    }
    self =
      switch count {
      case 1: Self.short(UInt8(truncatingIfNeeded: packed))
      case ...8: Self.named[packed] ?? .transparent
      default: count == 10 ? Self.named[packed] ?? .transparent : .transparent
      }
  }

  private static func short(_ letter: UInt8) -> HTMLElement {
    switch letter {
    case UInt8(ascii: "p"): .paragraph
    case UInt8(ascii: "a"): .link
    case UInt8(ascii: "b"): .strong
    case UInt8(ascii: "i"): .emphasis
    case UInt8(ascii: "s"): .strike
    default: .transparent
    }
  }

  private static let named: [UInt64: HTMLElement] = {
    var table: [UInt64: HTMLElement] = [:]
    func add(_ element: HTMLElement, _ names: String...) {
      for name in names { table[name.utf8.reduce(0) { $0 << 8 | UInt64($1) }] = element }
    }
    add(.division, "div", "section", "article", "dl", "dt", "dd", "center", "header", "footer")
    for level in 1...6 { add(.heading(level), "h\(level)") }
    add(.list(isOrdered: false), "ul", "dir", "menu")
    add(.list(isOrdered: true), "ol")
    add(.item, "li")
    add(.quote, "blockquote")
    add(.preformatted, "pre", "listing", "xmp")
    add(.code, "code", "tt", "samp")
    add(.strong, "strong")
    add(.emphasis, "em", "cite", "dfn", "var")
    add(.strike, "strike", "del")
    add(.image, "img")
    add(.lineBreak, "br")
    add(.rule, "hr")
    add(.table, "table")
    add(.tableRow, "tr")
    add(.cell, "td", "th")
    add(.kept("sup"), "sup")
    add(.kept("sub"), "sub")
    add(.kept("kbd"), "kbd")
    add(.hidden, "script", "style", "head", "title", "object", "iframe")
    return table
  }()
}

/// The attributes of an element, valid while it is reported.
struct HTMLAttributes {
  private let list: UnsafeMutablePointer<UnsafePointer<UInt8>?>?

  init(_ list: UnsafeMutablePointer<UnsafePointer<UInt8>?>?) { self.list = list }

  /// The value of `name`, empty if it is not there.
  subscript(_ name: String) -> String {
    var index = 0
    while let list, let key = list[index] {
      if String(cString: key) == name { return list[index + 1].map { String(cString: $0) } ?? "" }
      index += 2
    }
    return ""
  }
}
