import Foundation

/// Both sides of every comparison, and what they were measured on.
struct PeersResult: Codable {
  /// One workload of Plumb's against one peer.
  struct Row: Codable {
    var ours: Measurement
    var theirs: Measurement

    /// How many times better we are: the median over the pairs of repetitions.
    var ratio: Double {
      median(
        zip(ours.seconds, theirs.seconds).map { own, other in
          (ours.units / own) / (theirs.units / other)
        })
    }
  }

  /// The row of the last line that is printed.
  private struct Summary: Encodable {
    var model: String
    var workload: String
    var peer: String
    var ours: Double
    var theirs: Double
    var unit: String
    var ratio: Double
    var ourPeakMb: Double
    var theirPeakMb: Double
    var shareOfGemmTime: Double?
  }

  var date: Date
  var model: String
  var threads: Int
  var machine: Machine
  var versions: [String: String] = [:]
  var rows: [Row] = []

  init(_ options: BenchOptions) {
    date = Date()
    model = options.model
    threads = options.threads
    machine = .current(threads: options.threads)
  }

  /// Adds the rows of a contest: every workload of ours against every peer.
  mutating func add(_ measurements: [Measurement], pairs: Contest.Entrants) {
    let own = measurements.filter { $0.side == "plumb" }
    let peers = measurements.filter { $0.side != "plumb" }
    for ours in own {
      for theirs in peers { rows.append(Row(ours: ours, theirs: theirs)) }
    }
  }

  /// What was found about some workloads, for a person who waits.
  func lines(of workloads: [WorkloadName]) -> [String] {
    let names = Set(workloads.map(\.description))
    return rows.filter { names.contains($0.ours.workload) }.map {
      "\($0.ours.workload): \(number($0.ours.value)) against \(number($0.theirs.value)) "
        + "\($0.ours.unit) of \($0.theirs.side), \(number($0.ratio)) times"
    }
  }

  /// One line per workload.
  var table: String {
    var table = Table([
      model, "unit", "ours", "PyTorch", "TRL", "ratio", "ratio TRL", "GFLOP/s", "products' share",
      "without attention", "peak MB", "PyTorch's", "TRL's",
    ])
    var seen: Set<String> = []
    for row in rows where seen.insert(row.ours.workload).inserted {
      let ours = row.ours
      let torch = rows.first { $0.ours.workload == ours.workload && $0.theirs.side != "trl" }
      let trl = rows.first { $0.ours.workload == ours.workload && $0.theirs.side == "trl" }
      func text(_ value: Double?) -> String { value.map(number) ?? "" }
      table.add([
        ours.workload, ours.unit, number(ours.value), text(torch?.theirs.value),
        text(trl?.theirs.value), text(torch?.ratio), text(trl?.ratio), text(ours.gigaflops),
        ours.shareOfProducts.map(percentage) ?? "",
        ours.shareOfLinearProducts.map(percentage) ?? "", number(ours.peakMegabytes),
        text(torch?.theirs.peakMegabytes), text(trl?.theirs.peakMegabytes),
      ])
    }
    return table.text
  }

  /// All comparisons as one JSON object on one line.
  func lastLine() throws -> String {
    let summaries = rows.map { row in
      Summary(
        model: model, workload: row.ours.workload, peer: row.theirs.side,
        ours: row.ours.value.rounded(digits: 3), theirs: row.theirs.value.rounded(digits: 3),
        unit: row.ours.unit, ratio: row.ratio.rounded(digits: 3),
        ourPeakMb: row.ours.peakMegabytes.rounded(digits: 1),
        theirPeakMb: row.theirs.peakMegabytes.rounded(digits: 1),
        shareOfGemmTime: row.ours.shareOfProducts?.rounded(digits: 3))
    }
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(["rows": summaries]), as: UTF8.self)
  }

  /// Keeps everything in a folder's `results`, under model and date.
  func write(to folder: String) throws -> URL {
    try writeResult(self, named: "\(model)-\(stamp(date)).json", to: folder)
  }
}

/// A date for the name of a file: 2025-01-31T120000Z.
func stamp(_ date: Date) -> String {
  date.formatted(
    .iso8601.year().month().day().dateSeparator(.dash).time(includingFractionalSeconds: false)
      .timeSeparator(.omitted))
}

/// Writes a result as indented JSON into a folder's `results`.
func writeResult(_ result: some Encodable, named name: String, to folder: String) throws -> URL {
  let encoder = JSONEncoder()
  encoder.keyEncodingStrategy = .convertToSnakeCase
  encoder.dateEncodingStrategy = .iso8601
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  let results = URL(filePath: folder).appending(path: "results")
  try FileManager.default.createDirectory(at: results, withIntermediateDirectories: true)
  let url = results.appending(path: name)
  try encoder.encode(result).write(to: url)
  return url
}

extension Double {
  fileprivate func rounded(digits: Int) -> Double {
    let scale = pow(10, Double(digits))
    return (self * scale).rounded() / scale
  }
}
