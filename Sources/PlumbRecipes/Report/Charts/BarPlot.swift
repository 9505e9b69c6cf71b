extension Chart {
  func drawBars(_ bars: [Bar], _ standalone: Bool) -> String {
    var names: [String] = []
    var groups: [String] = []
    for bar in bars {
      if !names.contains(bar.name) { names.append(bar.name) }
      if !groups.contains(bar.series) { groups.append(bar.series) }
    }
    var values = bars.flatMap { [$0.value] + ($0.interval ?? []) }
    // Room for the numbers over the bars.
    let (low, high) = (min(0, values.min() ?? 0), max(0, values.max() ?? 0))
    values += [high > 0 ? high + 0.06 * (high - low) : 0, low < 0 ? low - 0.06 * (high - low) : 0]
    let legend =
      groups.count < 2
      ? []
      : groups.enumerated().map {
        PlotFrame.LegendEntry(name: $1, color: Self.color($0), isBox: true)
      }
    let labels = verticalScale(values, includesZero: true).ticks.map(\.label)
    // Names stand in lines under their bars, or aslant where a word is too long for that.
    let slot = (PlotFrame.width - 80) / Double(max(1, names.count))
    let lines = names.map { SVGCanvas.wrapped($0, size: 12, width: slot - 8) }
    let fits = lines.allSatisfy { $0.allSatisfy { SVGCanvas.width(of: $0, size: 12) <= slot - 4 } }
    let short = names.map { SVGCanvas.shortened($0, size: 12, width: 100) }
    let longest = short.map { SVGCanvas.width(of: $0, size: 12) }.max() ?? 0
    let depth = fits ? 4 + 15 * Double(lines.map(\.count).max() ?? 1) : 12 + 0.6 * longest
    var frame = PlotFrame(
      self, legend: legend, tickLabels: labels, labelDepth: depth, standalone: standalone)
    let scale = verticalScale(values, top: frame.top, bottom: frame.bottom, includesZero: true)
    frame.drawVertical(scale)
    let zero = scale.clamped(0) ?? frame.bottom
    frame.canvas.line(frame.left, zero, frame.right, zero, "axis")
    let step = (frame.right - frame.left) / Double(max(1, names.count))
    let thickness = min(52, step * 0.72 / Double(max(1, groups.count)))
    for (index, name) in names.enumerated() {
      let center = frame.left + (Double(index) + 0.5) * step
      for bar in bars where bar.name == name {
        let group = groups.firstIndex(of: bar.series) ?? 0
        let x = center + (Double(group) - Double(groups.count) / 2) * thickness
        draw(
          bar, x: x + 1, width: thickness - 2, zero: zero, color: Self.color(group), scale: scale,
          on: &frame.canvas)
      }
      if fits {
        for (row, line) in lines[index].enumerated() {
          frame.canvas.text(
            line, x: center, y: frame.bottom + 17 + 15 * Double(row), "label", anchor: .middle)
        }
      } else {
        frame.canvas.text(
          short[index], x: center + 4, y: frame.bottom + 14, "label", anchor: .end, rotated: -35)
      }
    }
    return frame.finish()
  }

  private func draw(
    _ bar: Bar, x: Double, width: Double, zero: Double, color: Int, scale: Scale,
    on canvas: inout SVGCanvas
  ) {
    guard let y = scale.clamped(bar.value) else { return }
    let text = NumberText.short(bar.value, digits: 3)
    let ends = bar.interval.map { ends in
      " [\(ends.map { NumberText.short($0) }.joined(separator: ", "))]"
    }
    canvas.rectangle(
      x: x, y: min(y, zero), width: width, height: abs(zero - y), "fill c\(color)",
      tip: "\(bar.series.isEmpty ? bar.name : "\(bar.name), \(bar.series)"): \(text)\(ends ?? "")")
    var (upper, lower) = (min(y, zero), max(y, zero))
    if let interval = bar.interval, interval.count == 2, let low = scale.clamped(interval[0]),
      let high = scale.clamped(interval[1])
    {
      canvas.interval(x: x + width / 2, low: low, high: high, "whisker")
      (upper, lower) = (min(upper, high), max(lower, low))
    }
    guard SVGCanvas.width(of: text, size: 11) <= width + 14 else { return }
    canvas.text(
      text, x: x + width / 2, y: bar.value < 0 ? lower + 13 : upper - 5, "value", anchor: .middle)
  }
}
