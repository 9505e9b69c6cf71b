import Foundation
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of the measurement of preference models on the three suites.
public struct PreferenceSuitesConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "preference-suites"

  /// Preference models of any kind: stages or folders.
  public var models: [String] = []
  /// Stages of which every snapshot is measured too, for the course of their training.
  public var courses: [String] = []
  /// The tests.
  public var suites = SuiteConfiguration()
  /// The longest prompt plus response, in tokens.
  public var maxLength = 384

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("models", !(models + courses).isEmpty, "at least one preference model", "none")
    try require(
      "max_length", (8...1_000_000).contains(maxLength), "an integer from 8 to 1000000", maxLength)
  }
}

/// Measures preference models on the adversarial, the objective and the subjective suite.
///
/// WorldPM, arXiv 2505.10527, 3.1.3: the test loss is the Bradley-Terry loss of the pairs. The pairs
/// of every task are written beside the figures; see `SuiteFiles`.
struct PreferenceSuitesStage: Stage {
  static let revision = 2

  let configuration: PreferenceSuitesConfiguration

  var inputs: [String] {
    configuration.models + configuration.courses + configuration.suites.files
  }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] { configuration.models.map { ModelUse($0, as: .judge) } }

  func plan(_ context: PlanContext) throws -> StagePlan {
    for file in configuration.suites.files { _ = try context.artifact(file) }
    let names = configuration.models + configuration.courses
    let parameters = try names.map { try parameterCount(context, model: $0) }
    let rows = suiteRows(configuration.suites)
    let tokens = rows * 2 * configuration.maxLength / 2
    return StagePlan(
      "\(names.count) models on about \(rows) tests",
      sizes: ["rows": rows],
      seconds: parameters.reduce(0) { $0 + Double($1) } * Double(tokens) * 2 / 100e9)
  }

  /// A model to be measured; `step` where it is a snapshot of a training.
  struct Subject {
    var name: String
    var reference: String
    var course: String?
    var step: Int?
  }

  func run(_ context: StageContext) throws -> StageResult {
    let pairs = try SuiteBuilder(
      configuration: configuration.suites, seed: context.seed, artifact: context.artifact
    ).pairs()
    try SuiteFiles(pairs).write(to: context.directory)
    let subjects = try self.subjects(context)
    var found: [(subject: Subject, scores: MeasuredSuites)] = []
    var predictions: [MeasuredModels.Predictions] = []
    for (index, subject) in subjects.enumerated() {
      try context.stopIfInterrupted()
      let tests = try suites(context, pairs, of: subject.reference, isFirst: index == 0)
      let model = try loadPreferenceModel(directory: context.artifact(subject.reference))
      let logOdds = try tests.logOdds(model)
      found.append(
        (subject, MeasuredSuites(tests.layout, logOdds: logOdds, seed: context.seed)))
      if subject.course == nil {
        // Trained elsewhere, so there are no validation pairs to fit a temperature on.
        predictions.append(
          .init(name: subject.name, test: .init(logOdds, tests.facts), validation: []))
      }
      context.progress(index + 1, of: subjects.count)
    }
    return SuiteReport(found).result(suites: configuration.suites)
      .adding(MeasuredModels(predictions, seed: context.seed))
  }

  private func subjects(_ context: StageContext) throws -> [Subject] {
    var subjects = configuration.models.map { Subject(name: $0, reference: $0) }
    for course in configuration.courses {
      let folder = try context.artifact(course).appending(path: snapshotsName)
      let names = RunFiles.names(in: folder)
      guard !names.isEmpty else {
        throw RunError.missingInput(
          reference: "\(course)/\(snapshotsName)", stage: context.stage,
          looked: [folder.relativePath])
      }
      for name in names {
        let reference = "\(course)/\(snapshotsName)/\(name)"
        subjects.append(
          Subject(
            name: reference, reference: reference, course: course,
            step: Int(name.drop { !$0.isNumber })))
      }
    }
    return subjects
  }

  private func suites(
    _ context: StageContext, _ pairs: [SuitePair], of reference: String, isFirst: Bool
  ) throws -> EncodedSuites {
    let folder = try context.artifact(reference)
    let encoder = try ConversationEncoder.load(from: folder)
    try requireFit(
      reference, stage: context.stage, configuration: ModelFolder(folder).configuration,
      encoder: encoder, longest: configuration.maxLength)
    let tests = try EncodedSuites(pairs, encoder: encoder, maxLength: configuration.maxLength)
    if isFirst { note(context, "suites", tests.report) }
    return tests
  }
}

/// An upper bound of the number of tests, for plans.
func suiteRows(_ suites: SuiteConfiguration) -> Int {
  let tasks =
    (suites.goodAnswers.isEmpty ? 0 : suites.corruptions.count) + suites.styleGrids.count * 9
    + suites.solutions.count * 2 + suites.options.count * 5 + suites.votes.count
    + suites.preferences.count * 3
  return tasks * suites.maxRowsPerTask
}
