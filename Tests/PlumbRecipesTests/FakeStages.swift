import Foundation
import PlumbRecipes
import PlumbTestSupport

/// A configuration with a field of every type.
struct AllTypesConfiguration: StageConfiguration {
  static let kind = "all-types"

  enum Optimiser: String, Codable, CaseIterable, Sendable {
    case adamw, sgd
    case off
  }

  struct Schedule: ConfigurationSection {
    var warmupSteps = 10
    var peak = 1e-3
  }

  /// Written beside the fields of the stage.
  struct Common: InlineSection {
    var batchRows = 4
    var peak = Schedule()

    func validate() throws {
      if batchRows < 1 {
        throw ConfigurationProblem("batchRows", expected: "at least 1", found: "\(batchRows)")
      }
    }
  }

  struct Source: ConfigurationSection {
    var path = ""
    var weight = 1.0
  }

  var updates = 8
  var learningRate = 1e-5
  var temperature: Float = 0.7
  var shuffle = true
  var note = ""
  var optimiser = Optimiser.adamw
  var schedule = Schedule()
  var common = Common()
  var sources: [Source] = []
  var layers: [Int] = [1, 2]
  var texts: [String] = []
  var weights: [String: Double] = ["forum": 1]
  var klCoefficient = 0.05

  func validate() throws {
    if klCoefficient < 0 {
      throw ConfigurationProblem(
        "klCoefficient", expected: "a number of at least 0", found: "\(klCoefficient)")
    }
  }
}

struct WalkConfiguration: StageConfiguration {
  static let kind = "walk"
  var steps = 6
  var base = ""
}

/// A random walk: its state depends on every step, so a wrong resume shows in the last bits.
struct WalkStage: Stage {
  struct Death: Error {}

  /// What a test steers and sees; a configuration would change the fingerprint.
  final class Control: @unchecked Sendable {
    var diesAt: (stage: String, step: Int)?
    var death: () throws -> Void = { throw Death() }
    var interruptsAfter: (stage: String, step: Int)?
    var isInterrupted = false
    /// `stage:step` of every step that was done.
    var steps: [String] = []
  }

  @TaskLocal static var control = Control()

  let configuration: WalkConfiguration
  var inputs: [String] { [configuration.base] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let earlier = context.plan(of: configuration.base)?.sizes["steps"] ?? 0
    return StagePlan(
      "walk \(configuration.steps) steps after \(earlier)",
      sizes: ["steps": configuration.steps], seconds: 2)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let control = Self.control
    var position = context.seed
    if !configuration.base.isEmpty {
      let base = try context.artifact(configuration.base)
      position ^= try Self.read(base.hasDirectoryPath ? base.appending(path: "position") : base)
    }
    let first = try context.resume { position = try Self.read($0.appending(path: "position")) }
    for step in first..<(configuration.steps + 1) {
      if let death = control.diesAt, death == (context.stage, step) { try control.death() }
      position = position &* 6_364_136_223_846_793_005 &+ UInt64(step)
      control.steps.append("\(context.stage):\(step)")
      if let end = control.interruptsAfter, end == (context.stage, step) {
        control.isInterrupted = true
      }
      try context.finishStep(
        step, of: configuration.steps, metrics: ["position": Double(position % 1000) / 7],
        loss: 1 / Double(step), tokens: 10, checkpointEvery: 2
      ) { try Self.write(position, to: $0.appending(path: "position")) }
    }
    try Self.write(position, to: context.directory.appending(path: "position"))
    let value = Double(position % 1000)
    return StageResult(
      figures: [Figure("position", value, interval: (value - 1)...(value + 1), sampleSize: 3)],
      claims: [
        Claim(
          "\(context.stage) moved", measured: value, .above, 0, interval: (value - 1)...(value + 1),
          paper: "moved too")
      ])
  }

  private static func read(_ url: URL) throws -> UInt64 {
    UInt64(try String(contentsOf: url, encoding: .utf8)) ?? 0
  }

  private static func write(_ position: UInt64, to url: URL) throws {
    try Data("\(position)".utf8).write(to: url)
  }
}

/// A folder that is removed with the value.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "plumb-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func text(_ path: String) throws -> String {
    try String(contentsOf: url.appending(path: path), encoding: .utf8)
  }

  func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: url.appending(path: path).path)
  }
}
