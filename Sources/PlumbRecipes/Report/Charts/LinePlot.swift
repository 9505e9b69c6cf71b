extension Chart {
  /// Longer series are drawn thin, with their moving mean over them.
  private static let smoothingThreshold = 80

  func drawLines(_ series: [Series], _ standalone: Bool) -> String {
    let points = series.flatMap(\.points)
    let values = points.flatMap { [$0.y] + ($0.interval ?? []) }
    let isNamed = series.count > 1 || !(series.first?.name ?? "").isEmpty
    var legend =
      isNamed
      ? series.enumerated().map { index, one in
        PlotFrame.LegendEntry(
          name: one.name, color: Self.color(index), isDashed: one.isDashed)
      } : []
    let windows = series.map(Self.window)
    if let window = windows.max(), window > 1 {
      legend.append(
        .init(name: "bold: moving mean of \(window) points", color: 1, isNote: true))
    }
    var frame = PlotFrame(
      self, legend: legend, tickLabels: verticalScale(values).ticks.map(\.label),
      standalone: standalone)
    let vertical = verticalScale(values, top: frame.top, bottom: frame.bottom)
    let horizontal = horizontalScale(points.map(\.x), in: frame)
    frame.drawVertical(vertical)
    frame.drawHorizontal(horizontal)
    func places(_ points: [Point], _ value: (Point) -> Double?) -> [(x: Double, y: Double)] {
      points.compactMap { point in
        guard let y = value(point).flatMap(vertical.clamped), let x = horizontal.clamped(point.x)
        else { return nil }
        return (x, y)
      }
    }
    for (index, one) in series.enumerated() where one.points.contains(where: { $0.interval != nil })
    {
      let banded = one.points.filter { $0.interval?.count == 2 }
      let upper = places(banded) { $0.interval?[1] }
      let lower = places(banded) { $0.interval?[0] }
      frame.canvas.path(upper + lower.reversed(), "band c\(Self.color(index))", closed: true)
    }
    for (index, one) in series.enumerated() {
      let style = "c\(Self.color(index))\(one.isDashed ? " dashed" : "")"
      let raw = places(one.points) { $0.y }
      if windows[index] > 1 {
        frame.canvas.path(Self.thinned(raw), "line raw \(style)")
        let mean = Self.movingMean(one.points, window: windows[index])
        frame.canvas.path(places(mean) { $0.y }, "line \(style)")
      } else {
        frame.canvas.path(raw, "line \(style)")
        if one.points.count <= 16, !one.isDashed {
          for (point, place) in zip(one.points, raw) {
            frame.canvas.circle(
              x: place.x, y: place.y, radius: 3, "dot c\(Self.color(index))",
              tip: point.tip(one.name))
          }
        }
      }
    }
    return frame.finish()
  }

  /// The window of the moving mean: a fortieth of the series, odd; 1 where none is needed.
  private static func window(_ series: Series) -> Int {
    let count = series.points.count
    guard count > smoothingThreshold, !series.isDashed,
      series.points.allSatisfy({ $0.interval == nil })
    else { return 1 }
    return max(3, count / 40 | 1)
  }

  /// Centred; the window shrinks evenly at both ends, so that the mean has no lag.
  static func movingMean(_ points: [Point], window: Int) -> [Point] {
    points.indices.map { index in
      let half = min(window / 2, index, points.count - 1 - index)
      let part = points[(index - half)...(index + half)]
      return Point(points[index].x, part.reduce(0) { $0 + $1.y } / Double(part.count))
    }
  }

  /// Least and greatest of each run of points, so that a long series stays small on the page.
  private static func thinned(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
    let limit = 600
    guard points.count > 2 * limit else { return points }
    let size = (points.count + limit - 1) / limit
    return stride(from: 0, to: points.count, by: size).flatMap { start in
      let part = points[start..<min(start + size, points.count)]
      let ends = [part.min { $0.y < $1.y }, part.max { $0.y < $1.y }].compactMap { $0 }
      return ends.sorted { $0.x < $1.x }
    }
  }
}
