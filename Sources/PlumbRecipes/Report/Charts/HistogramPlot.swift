extension Chart {
  /// Bins as filled steps; several series lie over each other, half transparent.
  func drawHistogram(_ histograms: [Histogram], _ standalone: Bool) -> String {
    let values = histograms.flatMap(\.counts)
    let isNamed = histograms.count > 1 || !(histograms.first?.name ?? "").isEmpty
    let legend =
      isNamed
      ? histograms.enumerated().map {
        PlotFrame.LegendEntry(name: $1.name, color: Self.color($0), isBox: true)
      } : []
    var frame = PlotFrame(
      self, legend: legend,
      tickLabels: verticalScale(values, includesZero: true).ticks.map(\.label),
      standalone: standalone)
    let vertical = verticalScale(
      values, top: frame.top, bottom: frame.bottom, includesZero: true)
    let edges = histograms.flatMap(\.edges)
    var exact = self
    if x.range == nil, let low = edges.min(), let high = edges.max(), low < high {
      exact.x.range = [low, high]
    }
    let horizontal = exact.horizontalScale(edges, in: frame)
    frame.drawVertical(vertical)
    for (index, one) in histograms.enumerated() {
      var outline: [(x: Double, y: Double)] = []
      for (bin, count) in one.counts.enumerated() {
        guard let left = horizontal.clamped(one.edges[bin]),
          let right = horizontal.clamped(one.edges[bin + 1]), let y = vertical.clamped(count)
        else { continue }
        outline += [(left, y), (right, y)]
      }
      guard let first = outline.first, let last = outline.last else { continue }
      let zero = vertical.clamped(0) ?? frame.bottom
      let closed = [(first.x, zero)] + outline + [(last.x, zero)]
      frame.canvas.path(closed, "area c\(Self.color(index))", closed: true)
      frame.canvas.path(closed, "line thin c\(Self.color(index))")
    }
    frame.drawHorizontal(horizontal)
    return frame.finish()
  }
}
