import Foundation
import PlumbRecipes

/// The cost curves as a table, as files, and as a picture.
struct ScalingReport: Codable {
  var date: Date
  var threads: Int
  var machine: Machine
  var versions: [String: String]
  var results: [ScalingResult] = []

  init(_ options: BenchOptions) {
    date = Date()
    threads = options.threads
    machine = .current(threads: options.threads)
    versions = Versions.own
  }

  /// A run that was kept as JSON.
  init(contentsOf url: URL) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    decoder.dateDecodingStrategy = .iso8601
    do {
      self = try decoder.decode(ScalingReport.self, from: Data(contentsOf: url))
    } catch {
      throw BenchError("\(url.path): expected a kept run of the cost curves, found: \(error)")
    }
  }

  var table: String {
    var table = Table([
      "curve", "shape", "parameters", "length", "training tokens/s", "log-prob tokens/s",
      "sampled tokens/s", "training MB", "log-prob MB", "sampling MB",
    ])
    for result in results where result.point.work == .training {
      let point = result.point
      func find(_ work: ScalingPoint.Work) -> ScalingResult? {
        results.first {
          $0.point.work == work && $0.point.curve == point.curve
            && $0.point.shape == point.shape && $0.point.length == point.length
        }
      }
      let found = ScalingPoint.Work.allCases.map { find($0) }
      table.add(
        [point.curve.rawValue, point.shape, "\(result.parameters)", "\(point.length)"]
          + found.map { $0.map { number($0.tokensPerSecond) } ?? "" }
          + found.map { $0.map { number($0.peakMegabytes) } ?? "" })
    }
    return table.text
  }

  /// Writes JSON, CSV and SVG.
  func write(to folder: String) throws -> [URL] {
    let name = "scaling-\(stamp(date))"
    let json = try writeResult(self, named: "\(name).json", to: folder)
    var lines = ["curve,work,shape,parameters,length,tokens_per_second,peak_mb"]
    for result in results {
      let point = result.point
      lines.append(
        "\(point.curve.rawValue),\(point.work.rawValue),\(point.shape),\(result.parameters),"
          + "\(point.length),\(number(result.tokensPerSecond)),\(number(result.peakMegabytes))")
    }
    let csv = json.deletingPathExtension().appendingPathExtension("csv")
    try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: csv)
    let svg = json.deletingPathExtension().appendingPathExtension("svg")
    try Data(picture.utf8).write(to: svg)
    return [json, csv, svg]
  }

  /// Speed and memory over length and over parameters, two by two.
  var picture: String {
    let columns = ScalingPoint.Curve.allCases.map { curve in
      [
        chart(curve, "Speed over", "tokens/s") { $0.tokensPerSecond },
        chart(curve, "Peak memory over", "MB") { $0.peakMegabytes },
      ]
    }
    let (width, height) = (520, 350)
    var parts: [String] = []
    for (column, charts) in columns.enumerated() {
      for (row, chart) in charts.enumerated() {
        parts.append(
          "<g transform=\"translate(\(10 + column * width) \(10 + row * height))\">"
            + chart.svg(standalone: true).replacing(
              "<svg ", with: "<svg width=\"500\" height=\"340\" preserveAspectRatio=\"xMinYMin\" ",
              maxReplacements: 1) + "</g>")
      }
    }
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(2 * width + 10) "
      + "\(2 * height + 10)\" width=\"\(2 * width + 10)\" height=\"\(2 * height + 10)\">"
      + "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>" + parts.joined(separator: "\n")
      + "</svg>\n"
  }

  private func chart(
    _ curve: ScalingPoint.Curve, _ title: String, _ unit: String,
    value: (ScalingResult) -> Double
  ) -> Chart {
    let names: [ScalingPoint.Work: String] = [
      .training: "training", .logprobs: "log-probs", .sampling: "sampling, 16 rows",
    ]
    let series = ScalingPoint.Work.allCases.map { work in
      Chart.Series(
        names[work] ?? work.rawValue,
        results.filter { $0.point.work == work && $0.point.curve == curve }.map {
          Chart.Point(
            curve == .length ? Double($0.point.length) : Double($0.parameters) / 1e6, value($0))
        })
    }
    let isLength = curve == .length
    return Chart(
      title + (isLength ? " length (5M parameters)" : " parameters (length 256)"),
      x: Chart.Axis(
        isLength ? "length (tokens)" : "parameters (millions)", scale: .logarithmic),
      y: Chart.Axis(unit, scale: .logarithmic), .lines(series))
  }
}
