/// A page of results: a head, sections in order, nothing that is not on the page itself.
///
/// ```swift
/// var report = Report(title: "quickstart", lead: "Three policies from one SFT model.")
/// report.sections.append(ReportSection("Win rates", [.charts([chart]), .table(table)]))
/// try Data(report.html.utf8).write(to: url)
/// ```
public struct Report: Sendable, Equatable {
  /// The heading of the page.
  public var title: String
  /// A sentence under it.
  public var lead: String
  /// Short facts under the head, such as ("seed", "17").
  public var facts: [Fact]
  /// The content.
  public var sections: [ReportSection]

  /// A name and a value.
  public struct Fact: Sendable, Equatable {
    /// What it is.
    public var name: String
    /// Its value.
    public var value: String

    /// A fact.
    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// A report.
  public init(
    title: String, lead: String = "", facts: [Fact] = [], sections: [ReportSection] = []
  ) {
    self.title = title
    self.lead = lead
    self.facts = facts
    self.sections = sections
  }

  /// The page: valid HTML 5, self-contained, no script.
  public var html: String {
    let links = sections.enumerated().map { index, section in
      "<a href=\"#s\(index + 1)\">\(escape(section.title))</a>"
    }
    let facts = facts.map { "<li>\(escape($0.name)) <b>\(escape($0.value))</b></li>" }
    let body = sections.enumerated().map { index, section in
      "<section id=\"s\(index + 1)\">\n<h2>\(escape(section.title))</h2>\n"
        + section.blocks.map(\.html).joined() + "</section>\n"
    }
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(escape(title))</title>
      <style>
      \(ReportStyle.page)
      \(ReportStyle.chart)
      </style>
      </head>
      <body>
      <main>
      <h1>\(escape(title))</h1>
      \(lead.isEmpty ? "" : "<p class=\"lead\">\(escape(lead))</p>\n")\
      \(facts.isEmpty ? "" : "<ul class=\"facts\">\(facts.joined())</ul>\n")\
      <nav aria-label="Sections">\(links.joined(separator: " "))</nav>
      \(body.joined())</main>
      </body>
      </html>

      """
  }
}

private func escape(_ text: String) -> String { SVGCanvas.escape(text) }

extension ReportBlock {
  fileprivate var html: String {
    switch self {
    case .heading(let text): "<h3>\(escape(text))</h3>\n"
    case .paragraph(let text): "<p>\(escape(text))</p>\n"
    case .table(let table): table.html
    case .charts(let charts):
      "<div class=\"charts\">\n\(charts.map(\.figure).joined())</div>\n"
    case .samples(let rows): rows.map(\.html).joined()
    case .claims(let claims): Self.html(of: claims)
    case .details(let summary, let text):
      "<details><summary>\(escape(summary))</summary><pre>\(escape(text))</pre></details>\n"
    }
  }

  private static func html(of claims: [Claim]) -> String {
    let cites = claims.contains { $0.paper != nil }
    let rows = claims.map { claim in
      let verdict =
        claim.held
        ? "<span class=\"held\">✓ held</span>" : "<span class=\"failed\">✗ did not hold</span>"
      let paper = cites ? "<td>\(escape(claim.paper ?? "–"))</td>" : ""
      return "<tr><td>\(escape(claim.name))</td>"
        + "<td class=\"n\">\(escape(claim.measuredText))</td>"
        + "<td class=\"n\">\(escape(claim.relation.sign)) "
        + "\(escape(NumberText.short(claim.bound)))</td><td>\(verdict)</td>\(paper)</tr>\n"
    }
    return "<div class=\"scroll\"><table><thead><tr><th>Claim</th><th class=\"n\">measured</th>"
      + "<th class=\"n\">bound</th><th></th>\(cites ? "<th>the paper</th>" : "")</tr></thead>"
      + "<tbody>\n\(rows.joined())"
      + "</tbody></table></div>\n"
  }
}

extension Claim.Relation {
  /// The sign for people.
  var sign: String {
    switch self {
    case .above: ">"
    case .atLeast: "≥"
    case .below: "<"
    case .atMost: "≤"
    }
  }
}

extension TextTable {
  fileprivate var html: String {
    func cells(_ texts: [String], _ tag: String) -> String {
      texts.enumerated().map { column, text in
        "<\(tag)\(isNumeric(column) ? " class=\"n\"" : "")>\(escape(text))</\(tag)>"
      }.joined()
    }
    let caption = title.isEmpty ? "" : "<caption>\(escape(title))</caption>"
    let body = rows.map { "<tr>\(cells($0, "td"))</tr>\n" }.joined()
    return "<div class=\"scroll\"><table>\(caption)<thead><tr>\(cells(columns, "th"))</tr></thead>"
      + "<tbody>\n\(body)</tbody></table></div>\n"
  }
}

extension Chart {
  fileprivate var figure: String {
    let text = caption.isEmpty ? "" : "<figcaption>\(escape(caption))</figcaption>\n"
    return "<figure>\n\(svg())\(text)</figure>\n"
  }
}

extension SampleRow {
  fileprivate var html: String {
    let columns = answers.map { answer in
      let note = answer.note.isEmpty ? "" : "<span>\(escape(answer.note))</span>"
      return "<div class=\"answer\"><header>\(escape(answer.model))\(note)</header>"
        + "<div>\(escape(answer.text))</div></div>\n"
    }
    return "<div class=\"sample\"><div class=\"prompt\"><header>Prompt</header>"
      + "\(escape(prompt))</div>\n<div class=\"answers\">\n\(columns.joined())</div></div>\n"
  }
}
