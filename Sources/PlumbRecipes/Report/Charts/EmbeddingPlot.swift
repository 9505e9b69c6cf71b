import Foundation

extension Chart {
  /// Both axes have one scale and the origin in the middle, so that angles are what they look like.
  func drawEmbedding(_ embedding: Embedding, _ standalone: Bool) -> String {
    let all = embedding.clouds.flatMap(\.points) + embedding.points.map(\.point)
    let reach = max(1e-9, all.map { max(abs($0.x), abs($0.y)) }.filter(\.isFinite).max() ?? 1)
    var square = self
    square.x.range = [-1.15 * reach, 1.15 * reach]
    square.y.range = square.x.range
    var legend = embedding.clouds.enumerated().map {
      PlotFrame.LegendEntry(name: $1.name, color: Self.color($0), isBox: true)
    }
    if !embedding.arrows.isEmpty {
      legend.append(.init(name: "arrows: from the winner to the loser", color: 0, isNote: true))
    }
    var frame = PlotFrame(
      square, legend: legend, tickLabels: square.verticalScale([]).ticks.map(\.label), aspect: 1,
      standalone: standalone)
    let vertical = square.verticalScale([], top: frame.top, bottom: frame.bottom)
    let horizontal = square.horizontalScale([], in: frame)
    frame.drawVertical(vertical)
    frame.drawHorizontal(horizontal)
    func place(_ point: Point) -> (x: Double, y: Double)? {
      horizontal(point.x).flatMap { x in vertical(point.y).map { (x, $0) } }
    }
    if let top = place(Point(0, 1.15 * reach)), let bottom = place(Point(0, -1.15 * reach)) {
      frame.canvas.line(top.x, top.y, bottom.x, bottom.y, "axis")
    }
    // The mean length of what is drawn: with embeddings of length 1, the unit circle.
    let radius = all.map { hypot($0.x, $0.y) }.reduce(0, +) / Double(max(1, all.count))
    frame.canvas.path(
      (0...72).compactMap { step in
        let angle = 2 * Double.pi * Double(step) / 72
        return place(Point(radius * cos(angle), radius * sin(angle)))
      }, "line thin dashed c0")
    for (index, cloud) in embedding.clouds.enumerated() {
      for point in cloud.points {
        guard let place = place(point) else { continue }
        frame.canvas.circle(
          x: place.x, y: place.y, radius: cloud.points.count > 60 ? 2.2 : 3.2,
          "cloud c\(Self.color(index))", tip: point.tip(cloud.name))
      }
    }
    let places = embedding.points.map { place($0.point) }
    for arrow in embedding.arrows {
      guard let from = places[arrow[0]], let to = places[arrow[1]] else { continue }
      Self.drawArrow(from: from, to: to, on: &frame.canvas)
    }
    var taken: [Box] = []
    for place in places.compactMap(\.self) {
      frame.canvas.circle(x: place.x, y: place.y, radius: 5, "dot c0")
      taken.append(Box(x: place.x - 6, y: place.y - 6, width: 12, height: 12))
    }
    for (named, place) in zip(embedding.points, places) {
      guard let place else { continue }
      let box = Self.place(
        named.name, beside: place, avoiding: taken,
        inside: (frame.left, frame.right, frame.top, frame.bottom))
      taken.append(box)
      frame.canvas.text(named.name, x: box.x, y: box.y + 11, "label strong")
    }
    return frame.finish()
  }

  /// An arrow that leaves room for the dots at its ends; points that coincide get none.
  private static func drawArrow(
    from: (x: Double, y: Double), to: (x: Double, y: Double), on canvas: inout SVGCanvas
  ) {
    let (dx, dy) = (to.x - from.x, to.y - from.y)
    let length = hypot(dx, dy)
    guard length > 20 else { return }
    let (ux, uy) = (dx / length, dy / length)
    let tip = (x: to.x - 8 * ux, y: to.y - 8 * uy)
    canvas.line(from.x + 7 * ux, from.y + 7 * uy, tip.x - 6 * ux, tip.y - 6 * uy, "line thin c0")
    let back = (x: tip.x - 9 * ux, y: tip.y - 9 * uy)
    canvas.path(
      [tip, (back.x - 4 * uy, back.y + 4 * ux), (back.x + 4 * uy, back.y - 4 * ux)], "fill c0",
      closed: true)
  }
}
