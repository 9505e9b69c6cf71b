/// The parts that all plots with two axes share: title, legend, grid, ticks and labels.
struct PlotFrame {
  static let width = 500.0
  private static let titleSize = 15.0
  private static let textSize = 12.0
  private static let plotHeight = 230.0

  var canvas = SVGCanvas(width: Self.width)
  /// The plotting area.
  let left: Double
  let right: Double
  let top: Double
  let bottom: Double
  private let chart: Chart
  private let standalone: Bool
  private let labelDepth: Double

  /// - Parameters:
  ///   - legend: Names with the number of their colour; drawn over the plot, in as many rows as it
  ///     takes.
  ///   - tickLabels: What will stand left of the axis; the widest decides the margin.
  ///   - labelDepth: The height of the names under the axis.
  ///   - aspect: Height of the plotting area over its width, where that matters.
  init(
    _ chart: Chart, legend: [LegendEntry], tickLabels: [String], labelDepth: Double = 16,
    aspect: Double? = nil, standalone: Bool
  ) {
    self.chart = chart
    self.standalone = standalone
    self.labelDepth = labelDepth
    var y = 4.0
    if !chart.title.isEmpty {
      for line in SVGCanvas.wrapped(chart.title, size: Self.titleSize, width: Self.width - 8) {
        y += 18
        canvas.text(line, x: 4, y: y - 3, "title")
      }
      y += 4
    }
    y = Self.draw(legend, from: y, on: &canvas)
    let widest = tickLabels.map { SVGCanvas.width(of: $0, size: Self.textSize) }.max() ?? 0
    let margin = max(44, widest + 12 + (chart.y.label.isEmpty ? 4 : 22))
    let free = Self.width - 18 - margin
    left = margin
    let height = aspect.map { min(free * $0, 340) } ?? Self.plotHeight
    right = margin + (aspect.map { height / $0 } ?? free)
    top = y + 12
    bottom = top + height
  }

  struct LegendEntry {
    let name: String
    let color: Int
    var isDashed = false
    var isBox = false
    var isNote = false
  }

  private static func draw(
    _ legend: [LegendEntry], from y: Double, on canvas: inout SVGCanvas
  ) -> Double {
    guard !legend.isEmpty else { return y }
    var (x, y) = (4.0, y + 14)
    for entry in legend {
      let swatch = entry.isNote ? 0.0 : 26
      let lines = SVGCanvas.wrapped(
        entry.name, size: textSize, width: PlotFrame.width - 12 - swatch)
      let widest = lines.map { SVGCanvas.width(of: $0, size: textSize) }.max() ?? 0
      if x > 4, x + swatch + widest > PlotFrame.width - 4 { (x, y) = (4, y + 18) }
      if entry.isBox {
        canvas.rectangle(x: x + 6, y: y - 9, width: 12, height: 10, "fill c\(entry.color)")
      } else if !entry.isNote {
        canvas.line(
          x, y - 4, x + 20, y - 4, "line c\(entry.color)\(entry.isDashed ? " dashed" : "")")
      }
      for (index, line) in lines.enumerated() {
        canvas.text(
          line, x: x + swatch, y: y + 16 * Double(index), entry.isNote ? "label note" : "label")
      }
      y += 16 * Double(lines.count - 1)
      x += swatch + widest + 18
    }
    return y + 4
  }

  /// Grid lines and labels of the vertical axis.
  mutating func drawVertical(_ scale: Scale) {
    for tick in scale.ticks {
      guard let y = scale(tick.value) else { continue }
      canvas.line(left, y, right, y, tick.value == 0 ? "axis" : "grid")
      canvas.text(tick.label, x: left - 8, y: y + 4, "label", anchor: .end)
    }
    if !chart.y.label.isEmpty {
      canvas.text(
        chart.y.label, x: 14, y: (top + bottom) / 2, "axis-label", anchor: .middle, rotated: -90)
    }
  }

  /// Tick marks and labels of the horizontal axis; labels that would touch are left out.
  mutating func drawHorizontal(_ scale: Scale) {
    canvas.line(left, bottom, right, bottom, "axis")
    var free = -Double.infinity
    for tick in scale.ticks {
      guard let x = scale(tick.value) else { continue }
      canvas.line(x, bottom, x, bottom + 4, "axis")
      let half = SVGCanvas.width(of: tick.label, size: Self.textSize) / 2
      guard x - half > free + 4 else { continue }
      free = x + half
      canvas.text(tick.label, x: x, y: bottom + 18, "label", anchor: .middle)
    }
  }

  /// The label of the horizontal axis, and the drawing as text.
  mutating func finish() -> String {
    var end = bottom + labelDepth + 6
    if !chart.x.label.isEmpty {
      end += 18
      canvas.text(chart.x.label, x: (left + right) / 2, y: end - 2, "axis-label", anchor: .middle)
    }
    return canvas.finished(height: end + 4, title: chart.title, standalone: standalone)
  }

  /// About how many ticks fit.
  static let horizontalTicks = 6
  static let verticalTicks = 5
}
