import Foundation
import PlumbData
import PlumbEvaluation
import PlumbPreferences
import PlumbTokenizers

/// One source of preferences, such as a group of annotators or a task.
public struct PreferenceSourceConfiguration: ConfigurationSection {
  /// The name in tables and figures.
  public var name = ""
  /// The `source` of the rows to keep; empty keeps all rows of the files.
  public var rows: [String] = []
  /// Files of preference pairs to train on.
  public var train: [String] = []
  /// Files that temperature and style control are fitted on, and whose loss decides which weights are kept
  /// where the stage measures it.
  public var validation: [String] = []
  /// Files to measure the result on.
  public var test: [String] = []
  /// Whether the labels are turned round: made-up people of the opposite taste.
  public var opposite = false

  /// The defaults.
  public init() {}

  /// Refuses a source that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("name", !name.isEmpty, "a name", "nothing")
    try require("train", !train.isEmpty, "at least one file", "none")
  }

  var files: [String] { train + validation + test }
}

/// Refuses sources that share a name.
func requireDistinct(_ sources: [PreferenceSourceConfiguration]) throws {
  try require("sources", !sources.isEmpty, "at least one source", "none")
  let names = sources.map(\.name)
  try require(
    "sources", Set(names).count == names.count, "different names",
    names.joined(separator: ", "))
}

/// The pairs of one source, encoded and cut to length.
struct PreferenceSource {
  let name: String
  var train: [EncodedPair]
  var validation: [EncodedPair]
  var test: [EncodedPair]
}

/// Reads preference pairs of several sources.
///
/// What is wrong with one source does not stop the others: a source without a usable pair to train on
/// is left out, one without pairs to test on is not measured, and both are told to the user. Only when
/// no source is left does the stage stop.
struct PreferenceSourceReader {
  let context: StageContext
  let encoder: ConversationEncoder
  let maxLength: Int
  /// The key under which rows say who chose.
  var groupField = "group"
  /// The name that a pair carries as its source.
  var label: (PreferencePair, PreferenceSourceConfiguration) -> String = { $1.name }

  /// The sources that can be trained on.
  /// - Throws: `RunError.nothingToTrain` where there is none; what reading throws for damaged files.
  func read(_ configurations: [PreferenceSourceConfiguration]) throws -> [PreferenceSource] {
    var sources: [PreferenceSource] = []
    for configuration in configurations {
      let source = PreferenceSource(
        name: configuration.name,
        train: try pairs(configuration.train, of: configuration, withFacts: false),
        validation: try pairs(configuration.validation, of: configuration, withFacts: true),
        test: try pairs(configuration.test, of: configuration, withFacts: true))
      guard !source.train.isEmpty else {
        context.warn(
          "source '\(source.name)' is left out: no usable pair to train on in "
            + configuration.train.joined(separator: ", "))
        continue
      }
      if source.test.isEmpty {
        context.warn("source '\(source.name)' is not measured: it has no usable test pair")
      }
      if source.validation.isEmpty, configurations.contains(where: { !$0.validation.isEmpty }) {
        context.warn("source '\(source.name)' has no usable validation pair")
      }
      sources.append(source)
    }
    guard !sources.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: configurations.flatMap(\.train),
        why: "no source has a usable pair")
    }
    return sources
  }

  private func pairs(
    _ files: [String], of configuration: PreferenceSourceConfiguration, withFacts: Bool
  ) throws -> [EncodedPair] {
    let examples = ExampleEncoder(encoder, limits: try TokenLimits(context: maxLength))
    var options = ReadOptions()
    options.groupField = groupField
    var pairs: [EncodedPair] = []
    for file in files {
      let rows: [PreferencePair]
      do {
        rows = context.usable(
          try DataFile.preferencePairs(context.artifact(file), options: options)
        ).filter { configuration.rows.isEmpty || configuration.rows.contains($0.source) }
      } catch let error as DataError where error.kind == .noUsableRows {
        // One class only, ties, equal or empty answers: the message counts them by reason.
        context.warn("source '\(configuration.name)': \(error)")
        continue
      }
      let (groups, report) = examples.groups(of: rows, form: .scored)
      note(context, "\(configuration.name), \(file)", report)
      pairs += groups.map {
        EncodedPair(
          group: PreferenceGroup(
            prompt: $0.prompt,
            responses: configuration.opposite ? $0.responses.reversed() : $0.responses),
          source: label(rows[$0.example], configuration),
          facts: withFacts ? facts(rows[$0.example], of: configuration) : nil)
      }
    }
    return pairs
  }

  /// The pair belongs to the source that was configured, whoever in it made the choice.
  private func facts(
    _ row: PreferencePair, of configuration: PreferenceSourceConfiguration
  ) -> PairFacts {
    var facts = PairFacts(row, encoder: encoder, source: configuration.name)
    if configuration.opposite { (facts.chosen, facts.rejected) = (facts.rejected, facts.chosen) }
    return facts
  }
}
