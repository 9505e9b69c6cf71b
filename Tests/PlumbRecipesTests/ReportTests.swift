import Foundation
import FoundationXML
import PlumbTestSupport
import Testing

@testable import PlumbRecipes

@Suite struct ReportTests {
  /// Text that would break a page that forgets to escape it.
  static let hostile = "</style><script>alert(1)</script> & \"quotes\" 'single' <b> \u{7}"

  @Test func everyTextIsEscaped() {
    let text = Self.hostile
    let series = [Chart.Series(text, [.init(1, 2), .init(2, 3)]), .init(text, [.init(1, 1)])]
    let charts: [Chart.Content] = [
      .lines(series), .scatter(series), .reliability(series), .bars([.init(text, 1, series: text)]),
      .matrix(.init(names: [text], shares: [[0.5]])),
      .histogram([.init(text, of: [1, 2], bins: 2)]),
    ]
    let blocks: [ReportBlock] = [
      .heading(text), .paragraph(text),
      .table(TextTable(title: text, columns: [text], rows: [[text]])),
      .charts(charts.map { Chart(text, caption: text, x: .init(text), y: .init(text), $0) }),
      .samples([.init(prompt: text, answers: [.init(model: text, text: text, note: text)])]),
      .claims([Claim(text, measured: 1, .above, 0)]), .details(summary: text, text: text),
    ]
    let report = Report(
      title: text, lead: text, facts: [.init(text, text)], sections: [.init(text, blocks)])
    let html = report.html
    #expect(!html.contains("<script"))
    #expect(!html.contains("<b> "))
    #expect(!html.contains("\u{7}"))
    #expect(html.components(separatedBy: "</style>").count == 2)
    #expect(wellFormedness(of: html) == nil)
  }

  /// The paper's number stands beside ours, in a column that only claims with a paper bring.
  @Test func aClaimShowsThePapersNumber() {
    let own = Claim("own", measured: 1, .above, 2)
    let cited = Claim("cited", measured: 3, .above, 2, paper: "62.4 % (Table 1) <&>")
    func page(_ claims: [Claim]) -> String {
      Report(title: "t", sections: [ReportSection("s", [.claims(claims)])]).html
    }
    #expect(page([own]).contains("✗ did not hold</span></td></tr>"))
    #expect(!page([own]).contains("the paper"))
    #expect(page([own, cited]).contains("<th>the paper</th>"))
    #expect(
      page([own, cited]).contains("✓ held</span></td><td>62.4 % (Table 1) &lt;&amp;&gt;</td>"))
    #expect(page([own, cited]).contains("✗ did not hold</span></td><td>–</td>"))
    let bounded = Claim("bounded", measured: 3, .above, 2, interval: 3...4.5)
    #expect(page([own, bounded]).contains("<td class=\"n\">3.000 [3.000, 4.500]</td>"))
    #expect(page([own, bounded]).contains("<td class=\"n\">1.000</td>"))
  }

  @Test func thePageIsWellFormedAndLoadsNothing() throws {
    let html = DemoReport.report.html
    #expect(wellFormedness(of: html) == nil)
    for source in ["http:", "https:", "src=", "@import", "url(", "<link", "<script"] {
      #expect(!html.contains(source), "\(source)")
    }
    if let path = ProcessInfo.processInfo.environment["PLUMB_DEMO"] {
      try Data(html.utf8).write(to: URL(filePath: path))
    }
  }

  @Test func numbersThatAreNotFiniteLeaveTheChartsWhole() {
    let points = [0, 1, .nan, .infinity, -1].map { Chart.Point($0, $0) }
    for content in [
      Chart.Content.lines([.init("a", points)]), .scatter([.init("a", points)]),
      .reliability([.init("a", points)]), .bars([.init("a", .nan), .init("b", .infinity)]),
      .lines([]), .bars([]), .scatter([]), .histogram([.init("", of: [.nan], bins: 3)]),
      .matrix(.init(names: ["a", "b"], shares: [[0, .nan], [0.2, 0]])),
      .lines([.init("constant", [.init(0, 3), .init(1, 3)])]),
    ] {
      for scale in [Chart.Axis.Scale.linear, .logarithmic] {
        let axis = Chart.Axis("x", scale: scale)
        let svg = Chart("t", x: axis, y: axis, content).svg(standalone: true)
        #expect(!svg.contains("nan") && !svg.contains("inf"), "\(content)")
        #expect(wellFormedness(of: svg) == nil)
      }
    }
  }

  /// Set `PLUMB_RECORD` to write the snapshot anew, and look at it before it is committed.
  @Test func aSmallChartKeepsItsShape() throws {
    let chart = Chart(
      "Win rate", x: .init("KL (nats)"), y: .init("win rate", range: 0...1),
      .lines([
        .init("PPO", [.init(0, 0.5), .init(2, 0.6, interval: 0.55...0.65), .init(4, 0.7)]),
        .init("bound", [.init(0, 0.5), .init(4, 0.5)], dashed: true),
      ]))
    let url = Fixtures.root.appending(path: "recipes/line-chart.svg")
    let svg = chart.svg(standalone: true)
    if ProcessInfo.processInfo.environment["PLUMB_RECORD"] != nil {
      try Data(svg.utf8).write(to: url)
    }
    #expect(try String(contentsOf: url, encoding: .utf8) == svg)
  }

  static let tickCases: [(low: Double, high: Double, scale: Chart.Axis.Scale, [String])] = [
    (0, 1, .linear, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    (0, 400, .linear, ["0", "100", "200", "300", "400"]),
    (-1.5, 1.5, .linear, ["−1.5", "−1.0", "−0.5", "0", "0.5", "1.0", "1.5"]),
    (0, 1e-5, .linear, ["0", "2e−6", "4e−6", "6e−6", "8e−6", "1e−5"]),
    (0, 8000, .linear, ["0", "2\u{2009}000", "4\u{2009}000", "6\u{2009}000", "8\u{2009}000"]),
    (0, 50_000, .linear, ["0", "10k", "20k", "30k", "40k", "50k"]),
    (0.69, 0.7, .linear, ["0.690", "0.692", "0.694", "0.696", "0.698", "0.700"]),
    (1000, 100_000, .logarithmic, ["1k", "3k", "10k", "30k", "100k"]),
    (1e-6, 1, .logarithmic, ["1e−6", "1e−4", "0.01", "1"]),
  ]

  @Test(arguments: tickCases)
  func ticksAreNumbersThatPeopleLike(
    _ test: (low: Double, high: Double, scale: Chart.Axis.Scale, labels: [String])
  ) {
    let axis = Chart.Axis("x", scale: test.scale, range: test.low...test.high)
    let scale = Scale(axis, values: [], pixels: (0, 100), tickCount: 5)
    #expect(scale.ticks.map(\.label) == test.labels)
    #expect(scale.ticks.allSatisfy { scale($0.value).map { $0 > -0.01 && $0 < 100.01 } ?? false })
  }

  @Test func theMovingMeanHasNoLag() {
    let line = (0..<9).map { Chart.Point(Double($0), 2 * Double($0)) }
    #expect(Chart.movingMean(line, window: 5).map(\.y) == line.map(\.y))
  }

  @Test func histogramsCountEveryValueOnce() {
    let histogram = Chart.Histogram("", of: [0, 0.5, 1, 1.5, 2, .nan], bins: 2)
    #expect(histogram.edges == [0, 1, 2])
    #expect(histogram.counts == [2, 3])
  }

  /// The reader's complaint about a page; nil where there is none.
  func wellFormedness(of html: String) -> String? {
    // The page is written so that an XML reader takes it, but for the two tags HTML leaves open.
    let xml = html.replacing("<!DOCTYPE html>", with: "").replacing(
      "<meta charset=\"utf-8\">", with: ""
    ).replacing("initial-scale=1\">", with: "initial-scale=1\"/>")
    let parser = XMLParser(data: Data(xml.utf8))
    return parser.parse() ? nil : "\(String(describing: parser.parserError)), \(parser.lineNumber)"
  }
}
