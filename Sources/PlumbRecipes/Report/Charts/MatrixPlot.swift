extension Chart {
  /// A heat table: the row's share of wins against the column; colour says how far from one half.
  func drawMatrix(_ matrix: WinMatrix, _ standalone: Bool) -> String {
    let count = Double(max(1, matrix.names.count))
    let widest = matrix.names.map { SVGCanvas.width(of: $0, size: 12) }.max() ?? 0
    let left = min(180, widest + 12) + (y.label.isEmpty ? 0 : 22)
    let cell = min(104, (PlotFrame.width - left - 8) / count)
    let height = min(64, max(34, cell * 0.62))
    var canvas = SVGCanvas(width: PlotFrame.width)
    var top = 4.0
    if !title.isEmpty {
      for line in SVGCanvas.wrapped(title, size: 15, width: PlotFrame.width - 8) {
        top += 18
        canvas.text(line, x: 4, y: top - 3, "title")
      }
      top += 6
    }
    if !x.label.isEmpty {
      top += 18
      canvas.text(x.label, x: left + cell * count / 2, y: top - 4, "axis-label", anchor: .middle)
    }
    let heads = matrix.names.map { SVGCanvas.wrapped($0, size: 12, width: cell - 6) }
    let headLines = Double(heads.map(\.count).max() ?? 1)
    for (column, lines) in heads.enumerated() {
      let start = top + 15 * (headLines - Double(lines.count))
      for (row, line) in lines.enumerated() {
        canvas.text(
          line, x: left + (Double(column) + 0.5) * cell, y: start + 13 + 15 * Double(row),
          "label strong", anchor: .middle)
      }
    }
    top += 15 * headLines + 6
    if !y.label.isEmpty {
      canvas.text(
        y.label, x: 14, y: top + height * count / 2, "axis-label", anchor: .middle, rotated: -90)
    }
    for (row, name) in matrix.names.enumerated() {
      let y = top + Double(row) * height
      canvas.text(name, x: left - 8, y: y + height / 2 + 4, "label strong", anchor: .end)
      for column in matrix.names.indices {
        let x = left + Double(column) * cell
        let share = matrix.shares[row][column]
        if row == column || !share.isFinite {
          canvas.rectangle(x: x + 1, y: y + 1, width: cell - 2, height: height - 2, "empty")
          continue
        }
        canvas.rectangle(
          x: x + 1, y: y + 1, width: cell - 2, height: height - 2,
          "fill c\(share >= 0.5 ? 1 : 2)", opacity: 0.04 + min(1, abs(share - 0.5) * 2) * 0.6,
          tip: "\(name) beats \(matrix.names[column]) in \(NumberText.percent(share))")
        let half = matrix.halfWidths.isEmpty ? nil : matrix.halfWidths[row][column]
        let middle = y + height / 2
        canvas.text(
          NumberText.percent(share), x: x + cell / 2, y: half == nil ? middle + 4 : middle - 1,
          "cell", anchor: .middle)
        if let half {
          canvas.text(
            "± \(NumberText.fixed(half * 100, 1))", x: x + cell / 2, y: middle + 14, "value",
            anchor: .middle)
        }
      }
    }
    return canvas.finished(
      height: top + height * count + 8, title: title, standalone: standalone)
  }
}
