import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// The kinds of model that a suite compares.
public enum CyclicKind: String, Codable, Sendable, CaseIterable {
  /// A scalar reward, Bradley-Terry.
  case bt
  /// A preference embedding.
  case gpm
}

/// What one training found.
struct CyclicRecord: Codable {
  let suite: String
  let kind: CyclicKind
  /// Weights of trunk and head.
  let parameters: Int
  /// Weights of the head alone.
  let headParameters: Int
  let steps: Int
  /// Of the weights that were kept.
  let validationLoss: Double
  let validationAccuracy: Double
  /// Training accuracy over the steps, at most 50 points.
  let course: [CyclicCourse]
  /// Log-odds of every decided test pair, prompt by prompt.
  let testLogOdds: [[Double]]
  /// Embeddings of the answers to every test prompt; empty for scalar rewards.
  let embeddings: [PreferenceEmbeddings]
  /// Log-odds of every decided validation pair by the weights that were kept.
  var validationLogOdds: [Double]?

  /// The share of right test pairs, a tie counting half.
  var accuracy: Double {
    let values = testLogOdds.joined()
    return values.reduce(0.0) { $0 + ($1 > 0 ? 1 : $1 == 0 ? 0.5 : 0) }
      / Double(max(1, values.count))
  }

  var metrics: [String: Double] {
    [
      "loss": validationLoss, "eval_accuracy": validationAccuracy, "test_accuracy": accuracy,
    ]
  }
}

/// One point of a training's course.
struct CyclicCourse: Codable {
  let step: Int
  let accuracy: Double
}

/// Trains both kinds on the same prompts, in the same order, from the same trunk.
///
/// A step reads each prompt's answers once and compares them in all decided pairs: K passes through the
/// trunk for K (K - 1) / 2 pairs.
struct CyclicTrainer {
  let configuration: CyclicConfiguration
  let encoder: ConversationEncoder
  let decoder: DecoderConfiguration
  let trunk: ParameterBlock
  let seed: UInt64

  init(_ context: StageContext, _ configuration: CyclicConfiguration) throws {
    self.configuration = configuration
    seed = context.seed
    let source = try context.artifact(configuration.model)
    encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: source))
    let found = try preferenceTrunk(source)
    var decoder = found.configuration
    if configuration.trunkLayers > 0 {
      guard configuration.trunkLayers <= decoder.layerCount else {
        throw RunError.doesNotFit(
          stage: context.stage, what: "trunk_layers", model: configuration.model,
          limit: decoder.layerCount, found: configuration.trunkLayers)
      }
      decoder.layerCount = configuration.trunkLayers
    }
    self.decoder = decoder
    trunk = found.parameters
    try requireFit(
      configuration.model, stage: context.stage, configuration: decoder, encoder: encoder,
      longest: 0)
  }

  private func plan(_ suite: CyclicSuiteData) -> BatchPlan {
    BatchPlan(
      costs: (suite.groups["train"] ?? []).map(\.tokenCount),
      size: .examples(configuration.batchPrompts), seed: seed)
  }

  /// Optimizer steps of one training.
  func steps(_ suite: CyclicSuiteData) -> Int { plan(suite).steps(epochs: configuration.epochs) }

  func train(
    _ suite: CyclicSuiteData, _ kind: CyclicKind, in cell: CellContext
  ) throws -> CyclicRecord {
    switch kind {
    case .bt:
      // A two-layer head: no fewer weights than the embedding's, so that the trunk decides.
      let model = try RewardModel(
        configuration: decoder, trunk: trunk, head: .worldPM, endOfText: encoder.endOfText,
        seed: seed)
      let trained = try train(model, suite, in: cell) { model, batch, edges, batchCount in
        let rewards = model.rewards(batch)
        return bradleyTerry(
          chosen: rewards.elements(at: edges.winners),
          rejected: rewards.elements(at: edges.losers), batchCount: batchCount)
      } batch: {
        try $0.batch($1)
      } logOdds: {
        try PreferenceModel.reward($0).logOdds(pairs: $1)
      }
      if configuration.writeModels { try trained.model.write(to: cell.folder, encoder: encoder) }
      return try record(suite, kind, .reward(trained.model), trained.best, trained.journal)
    case .gpm:
      var model = try GeneralPreferenceModel(
        configuration: decoder, trunk: trunk,
        options: .init(
          dimension: configuration.dimension, normalises: configuration.l2Normalize,
          isGated: configuration.promptGate, tau: configuration.tau),
        endOfText: encoder.endOfText, seed: seed)
      if configuration.centreHead { try model.centreHead(on: suite.groups["train"] ?? []) }
      let trained = try train(model, suite, in: cell) { model, batch, edges, batchCount in
        let (embeddings, gates) = model.embeddings(batch)
        let scores = skewScores(
          embeddings.rows(at: edges.winners), embeddings.rows(at: edges.losers),
          gates: gates.map { $0.rows(at: edges.groups) })
        return generalPreference(
          scores: scores, tau: Float(model.tau), batchCount: batchCount)
      } batch: {
        try $0.batch($1)
      } logOdds: {
        try PreferenceModel.generalPreference($0).logOdds(pairs: $1)
      }
      if configuration.writeModels { try trained.model.write(to: cell.folder, encoder: encoder) }
      return try record(
        suite, kind, .generalPreference(trained.model), trained.best, trained.journal)
    }
  }

  /// Rows of winner and loser of every decided pair of a batch, and the prompt of each.
  struct Edges {
    var winners: [Int] = []
    var losers: [Int] = []
    var groups: [Int] = []
  }

  private func train<Model: TrainableModel>(
    _ model: Model, _ suite: CyclicSuiteData, in cell: CellContext,
    objective: (Model, PreferenceBatch, Edges, Int) throws -> Objective,
    batch: (Model, [PreferenceGroup]) throws -> PreferenceBatch,
    logOdds: @escaping (Model, [PreferenceGroup]) throws -> [Double]
  ) throws -> TrainedModel<Model> {
    var settings = PairTrainingSettings()
    settings.validations = configuration.validations
    settings.optimizer = configuration.optimizer
    let trainer = PairTrainer<Model>(
      settings: settings, seed: seed,
      objective: { _, _, _ in preconditionFailure("CyclicTrainer: expected its own step") },
      logOdds: logOdds)
    let groups = suite.groups["train"] ?? []
    let plan = plan(suite)
    return try trainer.train(
      model, steps: steps(suite), validation: suite.pairs("validation"), report: cell.step
    ) { step, model, gradients in
      let part = plan.examples(ofStep: step).map { groups[$0] }
      var edges = Edges()
      for index in part.indices {
        let first = index * suite.suite.judge.cycle.count
        for edge in suite.edges {
          edges.winners.append(first + edge.winner)
          edges.losers.append(first + edge.loser)
          edges.groups.append(index)
        }
      }
      let packed = try batch(model, part)
      let found = try objective(model, packed, edges, edges.winners.count)
      gradients.accumulate(found.loss)
      var statistics = found.statistics
      statistics["loss"] = statistics["nll"]
      return StepOutcome(statistics: statistics, tokens: packed.tokens.count)
    }
  }

  private func record(
    _ suite: CyclicSuiteData, _ kind: CyclicKind, _ model: PreferenceModel,
    _ best: (loss: Double, step: Int)?, _ journal: MemoryJournal
  ) throws -> CyclicRecord {
    let validation = try PreferenceEvaluation(
      model: model, pairs: suite.pairs("validation").map(\.group))
    let test = suite.groups["test"] ?? []
    var embeddings: [PreferenceEmbeddings] = []
    let tables: [[[Double]]]
    if case .generalPreference(let model) = model {
      // Read once, for the drawing too.
      embeddings = try model.embeddings(groups: test)
      tables = embeddings.map { $0.preferenceLogits(tau: model.tau) }
    } else {
      tables = try model.preferenceLogits(groups: test)
    }
    let layout = model.parameters.layout
    let heads = layout.entries.filter { entry in
      ["score.", "value_head.", "prompt_head."].contains { entry.name.hasPrefix($0) }
    }
    return CyclicRecord(
      suite: suite.suite.name, kind: kind, parameters: layout.count,
      headParameters: heads.reduce(0) { $0 + $1.shape.count }, steps: journal.metrics.count,
      validationLoss: best?.loss ?? validation.metrics.nll,
      validationAccuracy: validation.metrics.accuracy,
      course: smoothed(journal.series("accuracy"), points: 50).map {
        CyclicCourse(step: Int($0.x), accuracy: $0.y)
      },
      testLogOdds: tables.map { table in suite.edges.map { table[$0.winner][$0.loser] } },
      embeddings: embeddings, validationLogOdds: validation.logOdds)
  }
}
