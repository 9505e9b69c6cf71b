import Foundation
import PlumbData
import PlumbEvaluation
import PlumbTensors

/// Settings of the study of real tournaments.
public struct TournamentConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "tournament"

  /// Files of verdicts between systems; each is studied by itself.
  public var files: [String] = []
  /// Planes of the skew embeddings, k.
  public var planes = [1, 2, 3, 4]
  /// Planes of the embeddings with a vector for every prompt and system, which are many.
  public var promptPlanes = [1, 2]
  /// Parts that prompts fall into; each is held out once.
  public var folds = 5
  /// Draws of the null model, which has an order and noise only.
  public var nullDraws = 200
  /// Resamples of every bootstrap.
  public var resamples = 500
  /// Net verdicts of a prompt that become pairs of texts, drawn at random; 0 for all.
  public var pairsPerPrompt = 0
  /// The share of prompts whose pairs of texts are for validation, and the same for tests.
  public var validationShare = 0.1
  /// The share of prompts whose pairs of texts are for tests.
  public var testShare = 0.2

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("files", !files.isEmpty, "at least one file", "none")
    for (name, list) in [("planes", planes), ("prompt_planes", promptPlanes)] {
      for k in list { try require(name, (1...64).contains(k), "integers from 1 to 64", k) }
      try require(name, Set(list).count == list.count, "every number once", list)
    }
    try require("folds", (3...1000).contains(folds), "an integer from 3 to 1000", folds)
    try requireCount("null_draws", nullDraws)
    try requireCount("resamples", resamples)
    try require(
      "pairs_per_prompt", (0...1_000_000).contains(pairsPerPrompt), "an integer from 0 to 1000000",
      pairsPerPrompt)
    for (name, share) in [("validation_share", validationShare), ("test_share", testShare)] {
      try require(name, (0.01...0.5).contains(share), "a number from 0.01 to 0.5", share)
    }
  }
}

/// Ratings against low-rank skew embeddings on verdicts between real systems, and how cyclic they are.
///
/// The question that reviewers asked of general preference models: are real preferences cyclic, or is it
/// noise that the embeddings fit?
struct TournamentStage: Stage {
  let configuration: TournamentConfiguration

  var inputs: [String] { configuration.files }

  static var product: StageProduct { .noModel }

  func plan(_ context: PlanContext) throws -> StagePlan {
    for file in configuration.files { _ = try context.artifact(file) }
    return StagePlan(
      "\(configuration.files.count) tournaments: ratings against skew embeddings, cyclicity",
      seconds: Double(60 * configuration.files.count))
  }

  func run(_ context: StageContext) throws -> StageResult {
    var tournaments: [(name: String, tournament: Tournament)] = []
    for file in configuration.files {
      let url = try context.artifact(file)
      let name = String(url.lastPathComponent.prefix { $0 != "." })
      guard !tournaments.contains(where: { $0.name == name }) else {
        throw ConfigurationProblem(
          "files", expected: "files with different names", found: "two named \(name)")
      }
      tournaments.append((name, try Tournament(contentsOf: url)))
      try writePairs(context, name, tournaments[tournaments.count - 1].tournament)
    }
    let cells = tournaments.flatMap { name, tournament in
      levels(of: tournament).map { GridCell("\(name).\($0.rawValue)", units: 1) }
        + [GridCell("\(name).cyclicity", units: 1)]
    }
    let records = try CellRunner<TournamentRecord>(context).run(cells) { index, cell in
      let name = String(cell.name.prefix { $0 != "." })
      let part = String(cell.name.drop { $0 != "." }.dropFirst())
      guard let tournament = tournaments.first(where: { $0.name == name })?.tournament else {
        preconditionFailure("TournamentStage: no tournament \(name)")
      }
      guard let level = TournamentStudy.Level(rawValue: part) else {
        return TournamentRecord(cyclicity: try cyclicity(tournament, context))
      }
      let study = TournamentStudy(
        tournament, seed: context.seed, resamples: configuration.resamples)
      let planes = level == .prompt ? configuration.promptPlanes : configuration.planes
      let results = try study.results(
        level, forms: [.place, .ratings] + planes.map { .skew($0) }, folds: configuration.folds
      ) { _ in try context.stopIfInterrupted() }
      return TournamentRecord(results: results)
    }
    var result = StageResult()
    for (name, tournament) in tournaments {
      let own = zip(cells, records).filter { $0.0.name.hasPrefix("\(name).") }.map(\.1)
      let report = TournamentReport(
        name: name, tournament: tournament, results: own.compactMap(\.results),
        cyclicity: own.compactMap(\.cyclicity).first)
      result.figures += report.figures
      result.claims += report.claims
      result.tables += report.tables
      result.sections.append(report.section(stage: context.stage))
    }
    return result
  }

  private func levels(of tournament: Tournament) -> [TournamentStudy.Level] {
    TournamentStudy.Level.allCases.filter { $0 != .category || tournament.categories.count > 1 }
  }

  /// Measured against two nulls: one order for all prompts, and an order of its own for each prompt.
  private func cyclicity(
    _ tournament: Tournament, _ context: StageContext
  ) throws -> TournamentCyclicity {
    let graphs = PreferenceGraph.graphs(of: tournament).filter { !$0.comparisons.isEmpty }
    func measured(local: Double) throws -> Cyclicity {
      try context.stopIfInterrupted()
      return Cyclicity(
        graphs, pooled: true,
        null: DavidsonModel(fitting: graphs, sharesRatings: true, localPenalty: local),
        draws: configuration.nullDraws, resamples: configuration.resamples, seed: context.seed)
    }
    return TournamentCyclicity(
      oneOrder: try measured(local: .infinity), orderPerPrompt: try measured(local: 1))
  }

  /// The net verdicts as pairs of texts, split by prompt, for models that read texts.
  private func writePairs(
    _ context: StageContext, _ name: String, _ tournament: Tournament
  ) throws {
    let pairs = tournament.pairs(source: name)
    guard !pairs.isEmpty else { return }
    let split = try Split.trainValidationTest(
      validation: configuration.validationShare, test: configuration.testShare,
      seed: context.seed)
    for (part, rows) in split.divide(pairs) {
      let kept =
        configuration.pairsPerPrompt == 0
        ? rows
        : Dictionary(grouping: rows.indices) { rows[$0].promptKey }.values.flatMap { indices in
          let order = indices.sorted {
            StableHash.of(rows[$0].id, seed: context.seed)
              < StableHash.of(rows[$1].id, seed: context.seed)
          }
          return order.prefix(configuration.pairsPerPrompt)
        }.sorted().map { rows[$0] }
      try DataFile.write(
        kept, to: context.directory.appending(path: "\(name).\(part).jsonl.zst"))
    }
  }
}

/// What one part of the study of one tournament found.
struct TournamentRecord: Codable {
  var results: [TournamentStudy.Result]?
  var cyclicity: TournamentCyclicity?
}

/// The same measurements against two null models.
struct TournamentCyclicity: Codable {
  let oneOrder: Cyclicity
  let orderPerPrompt: Cyclicity
}
