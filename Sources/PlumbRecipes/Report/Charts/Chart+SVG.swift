extension Chart {
  /// The plot as an SVG element.
  ///
  /// - Parameter standalone: Whether it shall be a file of its own, with namespace and style.
  public func svg(standalone: Bool = false) -> String {
    switch content {
    case .lines(let series): drawLines(series, standalone)
    case .bars(let bars): drawBars(bars, standalone)
    case .scatter(let series): drawScatter(series, standalone)
    case .reliability(let series): drawReliability(series, standalone)
    case .matrix(let matrix): drawMatrix(matrix, standalone)
    case .histogram(let histograms): drawHistogram(histograms, standalone)
    case .embedding(let embedding): drawEmbedding(embedding, standalone)
    }
  }

  /// Colours are numbered from 1 to 8 and then begin again.
  static func color(_ index: Int) -> Int { index % 8 + 1 }

  /// Scales for a frame, which in turn needs the labels of the vertical one.
  func verticalScale(
    _ values: [Double], top: Double = 0, bottom: Double = 1, includesZero: Bool = false
  ) -> Scale {
    Scale(
      y, values: values, pixels: (bottom, top), tickCount: PlotFrame.verticalTicks,
      includesZero: includesZero)
  }

  func horizontalScale(_ values: [Double], in frame: PlotFrame) -> Scale {
    Scale(
      x, values: values, pixels: (frame.left, frame.right), tickCount: PlotFrame.horizontalTicks)
  }
}

extension Chart.Point {
  /// What a pointer over the point shows.
  func tip(_ name: String) -> String {
    let ends = interval.map { ends in
      " [\(ends.map { NumberText.short($0) }.joined(separator: ", "))]"
    }
    return
      "\(name.isEmpty ? "" : "\(name): ")\(NumberText.short(x)), \(NumberText.short(y))\(ends ?? "")"
  }
}
