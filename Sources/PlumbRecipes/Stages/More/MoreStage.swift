import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Trains reward models from several sources by every scheme and seed, and measures them side by side.
///
/// MORE, "Capturing the multiple sources of human preference without over-rewarding", arXiv 2312.07401.
struct MoreStage: Stage {
  static let revision = 2

  let configuration: MoreConfiguration

  var inputs: [String] { [configuration.model] + configuration.files }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] { [ModelUse(configuration.model, as: .policy)] }

  /// One training.
  struct Cell: Codable, Hashable {
    /// `top`, `multi-task` or `more`.
    let scheme: MoreConfiguration.Scheme
    /// The only source of a `top` model.
    let source: Int?
    /// From 1.
    let seed: Int
    let name: String
  }

  /// What one training gave.
  struct Record: Codable {
    /// Log-odds that the chosen response wins, on the test pairs of every source; [K] lists.
    let logOdds: [[Double]]
    /// λ of every step, [steps][K]; empty where none were solved for.
    let weights: [[Double]]
    /// The last validation loss that was the lowest, nats; nil without validation.
    let validationLoss: Double?
    /// Log-odds on the validation pairs of every source, by the weights that were kept; [K] lists.
    var validationLogOdds: [[Double]]?
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let sources = configuration.sources.count
    let schemes = Set(configuration.schemes)
    // Top and Averaging share their trainings; all of them together see as many pairs as MultiTask.
    let mixtures =
      (schemes.isDisjoint(with: [.top, .averaging]) ? 0 : 1)
      + [.multiTask, .more].count { schemes.contains($0) }
    let files = Set(configuration.sources.flatMap(\.train)).sorted()
    let one = try pairTrainingPlan(
      context, what: "", model: configuration.model, train: files,
      batch: configuration.batchPairsPerSource * sources, epochs: configuration.epochs,
      maxLength: configuration.maxLength)
    let rows = one.sizes["rows"] ?? 0
    let pairs =
      configuration.pairsPerSource > 0 ? configuration.pairsPerSource * sources : max(1, rows)
    let share = Double(pairs) / Double(max(1, rows)) * Double(mixtures * configuration.seeds)
    return StagePlan(
      "reward models of \(sources) sources by "
        + "\(configuration.schemes.map(\.rawValue).joined(separator: ", ")), "
        + "\(configuration.seeds) seed(s), \(pairs) pairs in each",
      sizes: ["parameters": one.sizes["parameters"] ?? 0, "pairs": pairs],
      // Half as much again for the test pairs, which every model reads.
      seconds: one.seconds.map { 1.5 * share * $0 })
  }

  func run(_ context: StageContext) throws -> StageResult {
    let folder = try context.artifact(configuration.model)
    let encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: folder))
    let base = try CausalLM(directory: folder)
    try requireFit(
      configuration.model, stage: context.stage, configuration: base.configuration,
      encoder: encoder, longest: configuration.maxLength)
    var sources = try PreferenceSourceReader(
      context: context, encoder: encoder, maxLength: configuration.maxLength
    ).read(configuration.sources)
    limitTests(&sources, seed: context.seed)
    let cells = cells(sources.map(\.name))
    let records = try CellRunner<Record>(context) { record in
      var values: [String: Double] = [:]
      values["loss"] = record.validationLoss
      for source in record.weights.first?.indices ?? 0..<0 {
        values["mean_lambda/\(sources[source].name)"] =
          record.weights.reduce(0) { $0 + $1[source] } / Double(record.weights.count)
      }
      return values
    }.run(
      cells.map {
        GridCell(
          $0.name,
          units: mixture($0, sources, seed: 0).batches(epochs: configuration.epochs)
            * ($0.source == nil ? sources.count : 1))
      }
    ) { index, cell in
      try train(cells[index], sources, base: base, encoder: encoder, context: context, cell: cell)
    }
    let results = SchemeResults(
      held: HeldOutSources(sources), cells: cells, records: records, schemes: configuration.schemes)
    if configuration.keepModels {
      try ModelIndex(models: results.indexEntries).write(to: context.directory)
    }
    return MoreReport(
      results: results, sources: sources, configuration: configuration, stage: context.stage,
      seed: context.seed
    ).result.adding(MeasuredModels(results.predictions(sources), seed: context.seed))
  }

  /// Every training: the single-source models also where only their average is asked for.
  private func cells(_ names: [String]) -> [Cell] {
    let wants = Set(configuration.schemes)
    return (1...configuration.seeds).flatMap { seed -> [Cell] in
      var cells: [Cell] = []
      if wants.contains(.top) || wants.contains(.averaging) {
        cells += names.enumerated().map { index, name in
          let safe = name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
          return Cell(
            scheme: .top, source: index, seed: seed,
            name: "top-\(index + 1)-\(String(safe))-seed\(seed)")
        }
      }
      for scheme in [MoreConfiguration.Scheme.multiTask, .more] where wants.contains(scheme) {
        cells.append(
          Cell(scheme: scheme, source: nil, seed: seed, name: "\(scheme.rawValue)-seed\(seed)"))
      }
      return cells
    }
  }

  /// The batches of a training: one source's, or those of all.
  private func mixture(_ cell: Cell, _ sources: [PreferenceSource], seed: UInt64) -> SourceMixture {
    let own = cell.source.map { [sources[$0]] } ?? sources
    // A source is drawn as often alone as in the mixture, so that all schemes see the same pairs.
    let rows =
      configuration.pairsPerSource > 0
      ? configuration.pairsPerSource : sources.map(\.train.count).max() ?? 0
    return SourceMixture(
      own.map { .init($0.name, count: $0.train.count) }, share: configuration.batchPairsPerSource,
      sampling: configuration.sampling, rowsPerSource: rows, seed: seed)
  }

  private func train(
    _ cell: Cell, _ sources: [PreferenceSource], base: CausalLM, encoder: ConversationEncoder,
    context: StageContext, cell place: CellContext
  ) throws -> Record {
    let seed = context.seed &+ UInt64(cell.seed - 1) &* 1_000_003
    let own = cell.source.map { [sources[$0]] } ?? sources
    let mixture = mixture(cell, sources, seed: seed)
    var weights: [[Double]] = []
    var balance = SourceBalance(
      sources: own.count, alpha: configuration.alpha, normalisation: configuration.normalisation,
      solver: configuration.solver)
    let trained = try PairTrainer.bradleyTerry(configuration.training, seed: seed).train(
      RewardModel(
        from: base, head: configuration.head.head, endOfText: encoder.endOfText, seed: seed),
      steps: mixture.batches(epochs: configuration.epochs),
      validation: own.flatMap(\.validation), report: place.step
    ) { step, model, gradients in
      var mixed = MixtureStep(microBatchTokens: configuration.microBatchTokens)
      if cell.scheme == .more {
        mixed.solve = { balance.weights(gradients: $0, losses: $1) }
      }
      let batch = zip(own, mixture.batch(step - 1)).map { source, rows in
        rows.map { source.train[$0] }
      }
      let outcome = try mixed.run(batch, model: model, gradients: &gradients)
      if cell.scheme == .more { weights.append(outcome.weights) }
      return outcome.step
    }
    for warning in trained.journal.warnings { context.warn("\(cell.name): \(warning)") }
    if configuration.keepModels { try trained.model.write(to: place.folder, encoder: encoder) }
    func logOdds(_ pairs: [EncodedPair]) throws -> [Double] {
      try PreferenceModel.reward(trained.model).logOdds(pairs: pairs.map(\.group))
    }
    return Record(
      logOdds: try sources.map { try logOdds($0.test) }, weights: weights,
      validationLoss: trained.best?.loss,
      validationLogOdds: try sources.map { try logOdds($0.validation) })
  }

  /// Keeps so many test pairs of each source as the settings say, drawn at random.
  private func limitTests(_ sources: inout [PreferenceSource], seed: UInt64) {
    let limit = configuration.maxTestPairs
    for index in sources.indices where limit > 0 && sources[index].test.count > limit {
      var stream = RandomStream(seed: seed, purpose: "test pairs", row: index)
      let kept = stream.permutation(sources[index].test.count).prefix(limit).sorted()
      sources[index].test = kept.map { sources[index].test[$0] }
    }
  }
}
