import ArgumentParser
import Foundation
import PlumbTensors

/// Measures how cost grows with the length of a sequence and with the number of parameters.
struct ScalingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scaling",
    abstract: "Measures speed and memory over sequence length and over parameters.",
    subcommands: [MeasureCommand.self, DrawCommand.self, PointCommand.self],
    defaultSubcommand: MeasureCommand.self)

  /// All points, each in a process of its own.
  struct MeasureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "measure", abstract: "Measures all points and draws them.")

    @OptionGroup var options: BenchOptions

    @Option(help: "Timed repetitions of each point.")
    var repeats = 3

    @Option(help: "The largest shape of the curve over parameters, in millions.")
    var largest = 135

    func validate() throws {
      guard (1...1000).contains(repeats) else {
        throw ValidationError("--repeats: expected a number from 1 to 1000, found \(repeats)")
      }
    }

    func run() throws {
      let bench = try Bench(options)
      var report = ScalingReport(options)
      for point in ScalingPoint.all where point.millions <= largest {
        let result = try measure(point)
        bench.tell(
          "\(point.work.rawValue), \(point.shape), length \(point.length): "
            + "\(number(result.tokensPerSecond)) tokens/s, \(number(result.peakMegabytes)) MB")
        report.results.append(result)
      }
      let files = try report.write(to: options.folder)
      print(report.table)
      bench.tell("kept as " + files.map(\.path).joined(separator: ", "))
    }

    private func measure(_ point: ScalingPoint) throws -> ScalingResult {
      let process = Process()
      process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
      process.arguments = [
        "scaling", "point", point.work.rawValue, point.shape, "\(point.length)", "--curve",
        point.curve.rawValue, "--threads", "\(options.threads)", "--repeats", "\(repeats)",
      ]
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      let data = output.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else {
        throw BenchError("\(point): ended with status \(process.terminationStatus)")
      }
      return try JSONDecoder().decode(ScalingResult.self, from: data)
    }
  }

  /// The picture of a run that was kept.
  struct DrawCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "draw", abstract: "Draws a kept run again, as an SVG beside it.")

    @Argument(help: "The JSON file of the run.")
    var file: String

    func run() throws {
      let json = URL(filePath: file)
      let report = try ScalingReport(contentsOf: json)
      let svg = json.deletingPathExtension().appendingPathExtension("svg")
      try Data(report.picture.utf8).write(to: svg)
      print(report.table)
    }
  }

  /// One point, in this process.
  struct PointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "point", abstract: "Measures one point and prints it as JSON.")

    @OptionGroup var options: BenchOptions

    @Argument(help: "training, logprobs or sampling.")
    var work: String

    @Argument(help: "The name of a shape.")
    var shape: String

    @Argument(help: "Tokens of a sequence.")
    var length: Int

    @Option(help: "The curve it belongs to.")
    var curve = "length"

    @Option(help: "Timed repetitions.")
    var repeats = 3

    func run() throws {
      guard let work = ScalingPoint.Work(rawValue: work),
        let curve = ScalingPoint.Curve(rawValue: curve), (2...2048).contains(length)
      else {
        throw ValidationError("expected training, logprobs or sampling, and 2 to 2048 tokens")
      }
      Threads.configure(options.threads)
      let point = ScalingPoint(curve: curve, work: work, shape: shape, length: length)
      var (workload, parameters) = try point.load()
      try workload.run()
      var seconds: [Double] = []
      for _ in 0..<max(1, repeats) { seconds.append(try secondsTaken { try workload.run() }) }
      let result = ScalingResult(
        point: point, parameters: parameters, tokensPerSecond: workload.units / median(seconds),
        peakMegabytes: Machine.peakMegabytes)
      FileHandle.standardOutput.write(try JSONEncoder().encode(result))
    }
  }
}

extension ScalingPoint {
  /// The shape's parameters in millions, 0 on the other curve.
  fileprivate var millions: Int {
    curve == .length ? 0 : Int(shape.dropLast()) ?? 0
  }
}

/// How long something takes.
func secondsTaken(_ body: () throws -> Void) rethrows -> Double {
  let components = try ContinuousClock().measure { try body() }.components
  return Double(components.seconds) + Double(components.attoseconds) * 1e-18
}
