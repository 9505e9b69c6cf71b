/// One step of a recipe: typed configuration in, artifacts in its own folder out.
///
/// A stage is a value that is made from its configuration. It asks the context for the artifacts of
/// earlier stages, works in steps, and returns what it found. An example in full:
///
/// ```swift
/// struct CountConfiguration: StageConfiguration {
///   static let kind = "count"
///   var updates = 100              // every field has a default, none is an optional
///   var base = "sft"               // the name of an earlier stage, or a path
///   func validate() throws {
///     if updates < 1 {
///       throw ConfigurationProblem("updates", expected: "an integer above 0", found: "\(updates)")
///     }
///   }
/// }
///
/// struct CountStage: Stage {
///   let configuration: CountConfiguration
///   var inputs: [String] { [configuration.base] }
///
///   func plan(_ context: PlanContext) throws -> StagePlan {
///     StagePlan("count to \(configuration.updates)", seconds: Double(configuration.updates) / 50)
///   }
///
///   func run(_ context: StageContext) throws -> StageResult {
///     let base = try context.artifact(configuration.base)      // a folder to read from
///     var model = try Model(directory: base, seed: context.seed)
///     let first = try context.resume { model = try Model(checkpoint: $0) }   // 1 where fresh
///     for step in first..<(configuration.updates + 1) {
///       let loss = model.update()
///       try context.finishStep(
///         step, of: configuration.updates, metrics: ["loss": loss], loss: loss, tokens: 512,
///         checkpointEvery: 50) { try model.write(to: $0) }     // also stops on an interrupt
///     }
///     try model.write(to: context.directory)
///     return StageResult(
///       figures: [Figure("final_loss", model.loss, unit: "nats/token", sampleSize: 512)])
///   }
/// }
/// ```
/// Wall-clock times, rates and absolute paths may enter neither `metrics`, nor figures, nor
/// artifacts: the same recipe and seed must give the same bytes twice. `finishStep` measures the rate
/// itself and writes it to `timings.jsonl`.
public protocol Stage: Sendable {
  /// The settings of the stage; its `kind` is how recipes name the stage.
  associatedtype Configuration: StageConfiguration

  /// Raised when the stage's code changes its results, so that finished stages run again.
  static var revision: Int { get }

  /// A stage with these settings.
  init(configuration: Configuration)

  /// What the stage reads: names of earlier stages (`sft`, or `sft/model` for a file in its folder)
  /// or paths. The stage runs again when one of them has changed. Empty strings are left out.
  var inputs: [String] { get }

  /// The model that the stage leaves in its own folder, so that whoever names the wrong stage learns it at the start.
  static var product: StageProduct { get }

  /// The models among the inputs, with what they must be; whoever names a wrong one learns it at the start.
  var models: [ModelUse] { get }

  /// Sizes and time of the stage before it runs, for `--dry-run`; reads files, writes none.
  func plan(_ context: PlanContext) throws -> StagePlan

  /// Does the work and writes the artifacts into `context.directory`.
  func run(_ context: StageContext) throws -> StageResult
}

extension Stage {
  /// The first revision.
  public static var revision: Int { 1 }

  /// Unknown before it is loaded.
  public static var product: StageProduct { .unknown }

  /// None that could be told apart before it is loaded.
  public var models: [ModelUse] { [] }
}

/// What a stage will do: a sentence, sizes and a time.
public struct StagePlan: Sendable, Equatable {
  /// What the stage does, such as "Bradley–Terry on 12 000 pairs, 2 epochs".
  public let summary: String
  /// Named sizes: `parameters`, `pairs`, `tokens`, `steps`, …; later stages can read them.
  public let sizes: [String: Int]
  /// The estimated time in seconds; nil where nothing is known.
  public let seconds: Double?

  /// A plan.
  public init(_ summary: String, sizes: [String: Int] = [:], seconds: Double? = nil) {
    self.summary = summary
    self.sizes = sizes
    self.seconds = seconds
  }
}

/// A measured quantity of the report and of `summary.json`.
public struct Figure: Codable, Hashable, Sendable {
  /// The name; `summary.json` puts the stage's name and a slash before it.
  public var name: String
  /// The value.
  public var value: Double
  /// The ends of the 95 % interval, lower first; nil where there is none.
  public var interval: [Double]?
  /// The unit, such as `nats/token`; empty for a share or a count.
  public var unit: String
  /// The number of independent things the value was measured on.
  public var sampleSize: Int

  /// A figure.
  public init(
    _ name: String, _ value: Double, interval: ClosedRange<Double>? = nil, unit: String = "",
    sampleSize: Int
  ) {
    self.name = name
    self.value = value
    self.interval = interval.map { [$0.lowerBound, $0.upperBound] }
    self.unit = unit
    self.sampleSize = sampleSize
  }
}

/// A statement that a run set out to test, and whether it held.
public struct Claim: Codable, Hashable, Sendable {
  /// How the measured value is held against the bound.
  public enum Relation: String, Codable, Sendable {
    case above = ">"
    case atLeast = ">="
    case below = "<"
    case atMost = "<="
  }

  /// The statement, such as "PPO beats SFT under the held-out judge".
  public let name: String
  /// The value that was measured.
  public let measured: Double
  /// What must hold between the measured value and the bound.
  public let relation: Relation
  /// The bound.
  public let bound: Double
  /// The ends of the 95 % interval of what the claim is about, lower first; nil where there is none.
  ///
  /// A claim that goes by the lower end has that as its measured value.
  public let interval: [Double]?
  /// What a paper found at its own scale, with its source, such as "GPM 100.0 %, BT 62.4 % (arXiv
  /// 2410.02197, Table 1)"; nil where the claim is not a paper's.
  public let paper: String?

  /// A claim that `measured` is above, below, … `bound`.
  public init(
    _ name: String, measured: Double, _ relation: Relation, _ bound: Double,
    interval: ClosedRange<Double>? = nil, paper: String? = nil
  ) {
    self.name = name
    self.measured = measured
    self.relation = relation
    self.bound = bound
    self.interval = interval.map { [$0.lowerBound, $0.upperBound] }
    self.paper = paper
  }

  /// The measured value for a person, with the interval where there is one.
  var measuredText: String {
    let ends = interval.map { " [\($0.map { NumberText.short($0) }.joined(separator: ", "))]" }
    return NumberText.short(measured) + (ends ?? "")
  }

  /// Whether the statement held; never for a value that is not a number.
  public var held: Bool {
    switch relation {
    case .above: measured > bound
    case .atLeast: measured >= bound
    case .below: measured < bound
    case .atMost: measured <= bound
    }
  }
}

/// What a stage found, beside its artifacts.
public struct StageResult: Codable, Sendable, Equatable {
  /// Measured quantities.
  public var figures: [Figure]
  /// Statements with their bounds.
  public var claims: [Claim]
  /// Tables for the terminal; the report has what `sections` say.
  public var tables: [TextTable]
  /// The stage's part of the report.
  public var sections: [ReportSection]

  /// A result.
  public init(
    figures: [Figure] = [], claims: [Claim] = [], tables: [TextTable] = [],
    sections: [ReportSection] = []
  ) {
    self.figures = figures
    self.claims = claims
    self.tables = tables
    self.sections = sections
  }
}
