import Foundation
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of the cyclic benchmark.
public struct CyclicConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "cyclic"

  /// The trunk of both models: a language or preference model.
  public var model = ""
  /// How many layers of the trunk are used, from the first; 0 for all.
  public var trunkLayers = 0
  /// Suites to run; none runs all: `without-list`, `without-number`, `without-polite`,
  /// `without-question`, `four`, `five`.
  public var suites: [String] = []
  /// The models to train: `bt`, a scalar reward, and `gpm`, a preference embedding.
  public var models = CyclicKind.allCases
  /// Prompts to train on, in each suite.
  public var trainPrompts = 240
  /// Sets of answers to each training prompt, one of each role in a set.
  public var answerSets = 8
  /// Prompts whose loss decides which weights are kept.
  public var validationPrompts = 60
  /// Prompts to test on; their topics, sentences and numbers occur in no other part.
  public var testPrompts = 220
  /// The dimension of the embeddings, 2k.
  public var dimension = 2
  /// Whether embeddings are scaled to length 1.
  public var l2Normalize = false
  /// Whether the prompt weighs the k planes (softmax).
  public var promptGate = false
  /// Whether the embeddings of the training answers begin with mean 0, off the saddle that cycles have.
  public var centreHead = true
  /// The temperature of the general preference model.
  public var tau = 1.0
  /// Passes over the training prompts.
  public var epochs = 1.0
  /// Prompts in one optimizer step, with all their answers.
  public var batchPrompts = 8
  /// Validations over each training.
  public var validations = 4
  /// Whether the trained models are kept, in `cells/SUITE-KIND`.
  public var writeModels = true
  /// The optimizer of both models.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() { optimizer.learningRate = 3e-4 }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try require(
      "trunk_layers", (0...1000).contains(trunkLayers), "an integer from 0 to 1000", trunkLayers)
    let known = CyclicSuite.standard.map(\.name)
    for name in suites {
      try require(
        "suites", known.contains(name), "some of \(known.joined(separator: ", "))", name)
    }
    try require("models", !models.isEmpty && Set(models).count == models.count, "bt, gpm", models)
    try require("suites", Set(suites).count == suites.count, "every suite once", suites)
    for (name, count) in [
      ("train_prompts", trainPrompts), ("validation_prompts", validationPrompts),
      ("test_prompts", testPrompts), ("batch_prompts", batchPrompts),
    ] { try requireCount(name, count) }
    try require(
      "dimension", (2...4096).contains(dimension) && dimension.isMultiple(of: 2),
      "an even number from 2 to 4096", dimension)
    try requireCount("answer_sets", answerSets)
    try requirePositive("tau", tau)
    try require(
      "epochs", (1e-6...10_000).contains(epochs), "a number above 0, at most 10000", epochs)
    try require(
      "validations", (1...1_000_000).contains(validations), "an integer from 1 to 1000000",
      validations)
  }

  /// The suites to run, in their order.
  var chosenSuites: [CyclicSuite] {
    CyclicSuite.standard.filter { suites.isEmpty || suites.contains($0.name) }
  }
}

/// Judges that cycle over criteria: a general preference model against a scalar one of equal trunk.
///
/// The cyclic data sets of arXiv 2410.02197, §6.2 and Table 1, in small, on prompts and answers that
/// training has not seen.
struct CyclicStage: Stage {
  static let revision = 2

  let configuration: CyclicConfiguration

  var inputs: [String] { [configuration.model] }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] { [ModelUse(configuration.model, as: .trunk)] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let suites = configuration.chosenSuites
    let answers = suites.reduce(0) { $0 + $1.judge.cycle.count }
    let rows = Double(configuration.trainPrompts * configuration.answerSets) * configuration.epochs
    // Every count may be a million: more than an integer holds.
    let tokens = Int(min(1e18, rows * Double(configuration.models.count * answers * 40)))
    let parameters = try parameterCount(context, model: configuration.model)
    return StagePlan(
      "\(suites.count) cyclic suites of \(configuration.trainPrompts) prompts, \(configuration.models.count) models each",
      sizes: ["models": configuration.models.count * suites.count, "tokens": tokens],
      seconds: Double(tokens) * Double(parameters) * 3 / 100e9)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let trainer = try CyclicTrainer(context, configuration)
    var suites: [CyclicSuiteData] = []
    for suite in configuration.chosenSuites {
      let data = try CyclicSuiteData(
        suite, configuration, encoder: trainer.encoder, seed: context.seed)
      try data.write(to: context.directory)
      suites.append(data)
    }
    let cells = suites.flatMap { suite in
      configuration.models.map { kind in
        GridCell(
          "\(suite.suite.name)-\(kind.rawValue)", units: trainer.steps(suite))
      }
    }
    let records = try CellRunner<CyclicRecord>(context, metrics: \.metrics).run(cells) {
      index, cell in
      let kinds = configuration.models
      return try trainer.train(
        suites[index / kinds.count], kinds[index % kinds.count], in: cell)
    }
    return CyclicReport(suites: suites, records: records, configuration: configuration)
      .result(stage: context.stage, seed: context.seed)
      .adding(
        MeasuredModels(
          zip(cells, records).enumerated().map { index, found in
            suites[index / configuration.models.count].predictions(
              found.0.name, found.1, encoder: trainer.encoder)
          }, seed: context.seed))
  }
}

/// The data of one suite, as texts and as ids.
struct CyclicSuiteData {
  let suite: CyclicSuite
  let generator: CyclicGenerator
  /// By part.
  let prompts: [String: [CyclicPrompt]]
  let groups: [String: [PreferenceGroup]]

  init(
    _ suite: CyclicSuite, _ configuration: CyclicConfiguration, encoder: ConversationEncoder,
    seed: UInt64
  ) throws {
    self.suite = suite
    generator = CyclicGenerator(suite: suite, seed: seed)
    var prompts: [String: [CyclicPrompt]] = [:]
    for (part, count) in zip(
      CyclicWords.parts,
      [configuration.trainPrompts, configuration.validationPrompts, configuration.testPrompts])
    {
      prompts[part] = try generator.prompts(
        part, count: count, sets: part == "train" ? configuration.answerSets : 1)
    }
    self.prompts = prompts
    groups = prompts.mapValues { CyclicGenerator.groups($0, encoder: encoder) }
  }

  /// The decided pairs of a prompt's answers; the same for every prompt of the suite.
  var edges: [(winner: Int, loser: Int)] {
    suite.judge.cycle.indices.flatMap { i in
      suite.judge.cycle.indices.compactMap { suite.judge.beats(i, $0) && i != $0 ? (i, $0) : nil }
    }
  }

  /// The pairs of a part, encoded.
  func pairs(_ part: String) -> [EncodedPair] {
    (groups[part] ?? []).flatMap { group in
      edges.map { edge in
        EncodedPair(
          group: PreferenceGroup(
            prompt: group.prompt, chosen: group.responses[edge.winner],
            rejected: group.responses[edge.loser]),
          source: suite.name)
      }
    }
  }

  /// What is known of the pairs of a part, in the order of ``pairs(_:)``.
  private func facts(_ part: String, encoder: ConversationEncoder) -> [PairFacts] {
    (prompts[part] ?? []).flatMap { prompt in
      edges.map { edge in
        PairFacts(
          PreferencePair(
            id: "", source: suite.name, prompt: prompt.prompt,
            chosen: prompt.responses[edge.winner], rejected: prompt.responses[edge.loser]),
          encoder: encoder)
      }
    }
  }

  /// What one model of the suite said.
  func predictions(
    _ name: String, _ record: CyclicRecord, encoder: ConversationEncoder
  ) -> MeasuredModels.Predictions {
    .init(
      name: name, test: .init(record.testLogOdds.flatMap { $0 }, facts("test", encoder: encoder)),
      validation: .init(record.validationLogOdds, facts("validation", encoder: encoder)))
  }

  /// Writes the pairs of every part, so that any other stage or command can use them.
  func write(to folder: URL) throws {
    for part in CyclicWords.parts {
      try DataFile.write(
        generator.pairs(of: prompts[part] ?? [], part: part),
        to: folder.appending(path: "\(suite.name).\(part).jsonl.zst"))
    }
  }
}
