import ArgumentParser
import Foundation

/// Measures Plumb's side of the workloads, each in a process of its own.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Measures Plumb's side of the workloads.")

  @OptionGroup var options: BenchOptions

  @Option(help: "Timed repetitions of each workload.")
  var repeats = 5

  @Argument(help: "The workloads; all if none is named.")
  var workloads: [String] = []

  func validate() throws {
    guard (1...1000).contains(repeats) else {
      throw ValidationError("--repeats: expected a number from 1 to 1000, found \(repeats)")
    }
  }

  func run() throws {
    let bench = try Bench(options)
    var rows: [Measurement] = []
    for workload in try bench.workloads(workloads) {
      let session = try bench.ownSession(workload)
      defer { session.quit() }
      try session.load()
      _ = try session.go()
      var measurement = try bench.measurement("plumb", workload)
      for _ in 0..<repeats { measurement.add(try session.go()) }
      measurement.products = try session.trace()
      bench.tell("\(workload): \(number(measurement.value)) \(measurement.unit)")
      rows.append(measurement)
    }
    print(ownTable(rows, model: options.model))
  }
}

/// Plumb's side alone.
func ownTable(_ rows: [Measurement], model: String) -> String {
  var table = Table([
    "\(model)", "value", "unit", "GFLOP/s", "products' share", "without attention", "peak MB",
  ])
  for row in rows {
    table.add([
      row.workload, number(row.value), row.unit, row.gigaflops.map(number) ?? "",
      row.shareOfProducts.map(percentage) ?? "", row.shareOfLinearProducts.map(percentage) ?? "",
      number(row.peakMegabytes),
    ])
  }
  return table.text
}
