extension Chart {
  func drawScatter(_ series: [Series], _ standalone: Bool) -> String {
    let points = series.flatMap(\.points)
    let values = points.flatMap { [$0.y] + ($0.interval ?? []) }
    // A single point is named beside it; clouds are named in the legend.
    let legend = series.enumerated().filter { $0.element.points.count > 1 }.map {
      PlotFrame.LegendEntry(
        name: $0.element.name, color: Self.color($0.offset), isDashed: $0.element.isDashed,
        isBox: !$0.element.isDashed)
    }
    var frame = PlotFrame(
      self, legend: legend, tickLabels: verticalScale(values).ticks.map(\.label),
      standalone: standalone)
    let vertical = verticalScale(values, top: frame.top, bottom: frame.bottom)
    let horizontal = horizontalScale(points.map(\.x), in: frame)
    frame.drawVertical(vertical)
    frame.drawHorizontal(horizontal)
    var taken: [Box] = []
    var named: [(name: String, x: Double, y: Double)] = []
    for (index, one) in series.enumerated() {
      let color = Self.color(index)
      let places = one.points.compactMap { point in
        horizontal.clamped(point.x).flatMap { x in
          vertical.clamped(point.y).map { (point: point, x: x, y: $0) }
        }
      }
      if one.isDashed {
        frame.canvas.path(places.map { ($0.x, $0.y) }, "line dashed c\(color)")
        continue
      }
      for place in places {
        if let interval = place.point.interval, interval.count == 2,
          let low = vertical.clamped(interval[0]), let high = vertical.clamped(interval[1])
        {
          frame.canvas.interval(x: place.x, low: low, high: high, "line thin c\(color)")
          if one.points.count == 1 {
            taken.append(Box(x: place.x - 3, y: high, width: 6, height: low - high))
          }
        }
        let radius = one.points.count > 60 ? 2.2 : one.points.count > 1 ? 3.2 : 5
        frame.canvas.circle(
          x: place.x, y: place.y, radius: radius,
          one.points.count > 1 ? "cloud c\(color)" : "dot c\(color)",
          tip: place.point.tip(one.name))
        if one.points.count == 1 {
          taken.append(Box(x: place.x - 6, y: place.y - 6, width: 12, height: 12))
          named.append((one.name, place.x, place.y))
        }
      }
    }
    for entry in named {
      let box = Self.place(
        entry.name, beside: (entry.x, entry.y), avoiding: taken,
        inside: (frame.left, frame.right, frame.top, frame.bottom))
      taken.append(box)
      frame.canvas.text(entry.name, x: box.x, y: box.y + 11, "label strong")
    }
    return frame.finish()
  }

  struct Box {
    var x: Double
    var y: Double
    var width: Double
    var height: Double

    func overlap(_ other: Box) -> Double {
      let w = min(x + width, other.x + other.width) - max(x, other.x)
      let h = min(y + height, other.y + other.height) - max(y, other.y)
      return w > 0 && h > 0 ? w * h : 0
    }
  }

  /// The place around a point where its name covers the least of what is drawn already.
  static func place(
    _ name: String, beside point: (x: Double, y: Double), avoiding taken: [Box],
    inside frame: (left: Double, right: Double, top: Double, bottom: Double)
  ) -> Box {
    let width = SVGCanvas.width(of: name, size: 12)
    let (x, y) = point
    let corners = [
      (x + 9, y - 7), (x - 9 - width, y - 7), (x - width / 2, y - 23), (x - width / 2, y + 9),
      (x + 7, y - 20), (x + 7, y + 6), (x - 7 - width, y - 20), (x - 7 - width, y + 6),
    ]
    func cost(_ box: Box) -> Double {
      let beyond =
        max(0, frame.left - box.x) + max(0, box.x + box.width - frame.right)
        + max(0, frame.top - box.y) + max(0, box.y + box.height - frame.bottom)
      return taken.reduce(beyond * 20) { $0 + $1.overlap(box) }
    }
    let boxes = corners.map { Box(x: $0.0, y: $0.1, width: width, height: 14) }
    return boxes.min { cost($0) < cost($1) } ?? boxes[0]
  }

  func drawReliability(_ series: [Series], _ standalone: Bool) -> String {
    var square = self
    square.x.range = x.range ?? [0, 1]
    square.y.range = y.range ?? [0, 1]
    let legend =
      series.enumerated().map {
        PlotFrame.LegendEntry(name: $1.name, color: Self.color($0))
      } + [PlotFrame.LegendEntry(name: "perfect calibration", color: 0, isDashed: true)]
    var frame = PlotFrame(
      square, legend: legend, tickLabels: square.verticalScale([]).ticks.map(\.label), aspect: 0.76,
      standalone: standalone)
    let vertical = square.verticalScale([], top: frame.top, bottom: frame.bottom)
    let horizontal = square.horizontalScale([], in: frame)
    frame.drawVertical(vertical)
    frame.drawHorizontal(horizontal)
    let low = max(vertical.low, horizontal.low)
    let high = min(vertical.high, horizontal.high)
    let diagonal = [low, high].compactMap { value in
      horizontal(value).flatMap { x in vertical(value).map { (x: x, y: $0) } }
    }
    frame.canvas.path(diagonal, "line dashed c0")
    let heaviest = series.flatMap(\.points).map(\.weight).max() ?? 1
    for (index, one) in series.enumerated() {
      let color = Self.color(index)
      let places = one.points.compactMap { point in
        horizontal.clamped(point.x).flatMap { x in
          vertical.clamped(point.y).map { (point: point, x: x, y: $0) }
        }
      }
      frame.canvas.path(places.map { ($0.x, $0.y) }, "line c\(color)")
      for place in places {
        if let interval = place.point.interval, interval.count == 2,
          let low = vertical.clamped(interval[0]), let high = vertical.clamped(interval[1])
        {
          frame.canvas.interval(x: place.x, low: low, high: high, "line thin c\(color)")
        }
        // The area of a dot is its share of the pairs.
        let radius = 2 + 5 * (max(0, place.point.weight) / max(heaviest, 1e-12)).squareRoot()
        frame.canvas.circle(
          x: place.x, y: place.y, radius: radius, "dot c\(color)",
          tip: "\(place.point.tip(one.name)), n = \(NumberText.short(place.point.weight))")
      }
    }
    return frame.finish()
  }
}
