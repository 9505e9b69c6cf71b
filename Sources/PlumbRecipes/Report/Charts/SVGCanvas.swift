/// A drawing that grows element by element; colours come from the classes of `ReportStyle`.
struct SVGCanvas {
  enum Anchor: String { case start, middle, end }

  let width: Double
  private(set) var body = ""

  init(width: Double) { self.width = width }

  /// The finished drawing.
  ///
  /// - Parameters:
  ///   - title: Read out by screen readers.
  ///   - standalone: Whether the drawing brings its own style, as a file of its own needs.
  func finished(height: Double, title: String, standalone: Bool) -> String {
    let (w, h) = (Self.number(width), Self.number(height))
    let namespace = standalone ? " xmlns=\"http://www.w3.org/2000/svg\"" : ""
    let style = standalone ? "<style>\(ReportStyle.chart)</style>\n" : ""
    return """
      <svg\(namespace) class="chart" viewBox="0 0 \(w) \(h)" role="img" \
      aria-label="\(Self.escape(title))">
      \(style)\(body)</svg>

      """
  }

  mutating func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String
  ) {
    element(
      "line",
      "class=\"\(style)\" x1=\"\(Self.number(x1))\" y1=\"\(Self.number(y1))\" "
        + "x2=\"\(Self.number(x2))\" y2=\"\(Self.number(y2))\"")
  }

  mutating func rectangle(
    x: Double, y: Double, width: Double, height: Double, _ style: String, opacity: Double? = nil,
    tip: String = ""
  ) {
    let opacity = opacity.map { " fill-opacity=\"\(Self.decimal($0))\"" } ?? ""
    element(
      "rect",
      "class=\"\(style)\" x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" "
        + "width=\"\(Self.number(max(0, width)))\" height=\"\(Self.number(max(0, height)))\""
        + opacity, tip: tip)
  }

  mutating func circle(x: Double, y: Double, radius: Double, _ style: String, tip: String = "") {
    element(
      "circle",
      "class=\"\(style)\" cx=\"\(Self.number(x))\" cy=\"\(Self.number(y))\" "
        + "r=\"\(Self.number(radius))\"", tip: tip)
  }

  /// A line through points, or with `closed` an area.
  mutating func path(_ points: [(x: Double, y: Double)], _ style: String, closed: Bool = false) {
    guard !points.isEmpty else { return }
    let steps = points.map { "\(Self.number($0.x)) \(Self.number($0.y))" }
    element(
      "path", "class=\"\(style)\" d=\"M\(steps.joined(separator: "L"))\(closed ? "Z" : "")\"")
  }

  mutating func text(
    _ text: String, x: Double, y: Double, _ style: String, anchor: Anchor = .start,
    rotated degrees: Double = 0
  ) {
    let turn =
      degrees == 0
      ? ""
      : " transform=\"rotate(\(Self.number(degrees)) \(Self.number(x)) \(Self.number(y)))\""
    let side = anchor == .start ? "" : " text-anchor=\"\(anchor.rawValue)\""
    body +=
      "<text class=\"\(style)\" x=\"\(Self.number(x))\" y=\"\(Self.number(y))\"\(side)\(turn)>"
      + "\(Self.escape(text))</text>\n"
  }

  /// A vertical interval with caps.
  mutating func interval(x: Double, low: Double, high: Double, _ style: String) {
    line(x, low, x, high, style)
    line(x - 4, low, x + 4, low, style)
    line(x - 4, high, x + 4, high, style)
  }

  private mutating func element(_ name: String, _ attributes: String, tip: String = "") {
    body +=
      tip.isEmpty
      ? "<\(name) \(attributes)/>\n"
      : "<\(name) \(attributes)><title>\(Self.escape(tip))</title></\(name)>\n"
  }

  /// One decimal is a tenth of a pixel; no `-0`, no trailing zero.
  static func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : decimal(Double(tenths) / 10)
  }

  private static func decimal(_ value: Double) -> String {
    let text = "\((value * 1000).rounded() / 1000)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// Text that cannot end an element or an attribute.
  static func escape(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      // Control characters are not allowed in a document, not even escaped.
      case _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// About how wide a text is in the sans-serif faces of `ReportStyle`; errs to the wide side.
  static func width(of text: String, size: Double) -> Double {
    size
      * text.reduce(0.0) { sum, character in
        switch character {
        case "i", "j", "l", "I", ".", ",", ":", ";", "|", "!", "'", "\u{2009}": sum + 0.33
        case "f", "r", "t", " ", "-", "(", ")", "[", "]", "/": sum + 0.42
        case "m", "w", "M", "W", "%", "@": sum + 0.95
        case "A"..."Z": sum + 0.72
        default: character.isASCII ? sum + 0.63 : sum + 0.75
        }
      }
  }

  /// A text cut so that it fits, with an ellipsis.
  static func shortened(_ text: String, size: Double, width: Double) -> String {
    guard Self.width(of: text, size: size) > width else { return text }
    var kept = text
    while !kept.isEmpty, Self.width(of: kept + "…", size: size) > width { kept.removeLast() }
    return kept.trimmed + "…"
  }

  /// A text broken at blanks and after hyphens, slashes and underscores, so that lines fit.
  static func wrapped(_ text: String, size: Double, width: Double) -> [String] {
    var pieces: [String] = [""]
    for character in text {
      pieces[pieces.count - 1].append(character)
      if " -/_".contains(character) { pieces.append("") }
    }
    var lines = [""]
    for piece in pieces where !piece.isEmpty {
      let joined = (lines.last ?? "") + piece
      if Self.width(of: joined.trimmed, size: size) <= width || lines.last?.isEmpty == true {
        lines[lines.count - 1] = joined
      } else {
        lines.append(piece)
      }
    }
    return lines.map(\.trimmed)
  }
}

extension String {
  fileprivate var trimmed: String {
    var text = Substring(self)
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
