import Foundation
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of a comparison of a preference model with an untrained one.
public struct ZeroShotConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "zero-shot"

  /// The language model whose likelihoods are the baseline.
  public var languageModel = ""
  /// The preference model that has to beat it.
  public var model = ""
  /// Files of held-out pairs.
  public var test: [String] = []
  /// The source of rows that the claims are about; all rows if empty.
  public var source = ""
  /// The accuracy that the preference model shall exceed; 0 makes no such claim.
  public var accuracyBound = 0.0
  /// What a paper found at its own scale, with its source, to stand beside the claims; empty for none.
  public var paper = ""
  /// The longest prompt plus response, in tokens; longer prompts lose their beginning, longer
  /// responses their end.
  public var maxLength = 384
  /// Tokens that go through a model at once.
  public var microBatchTokens = 4096

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("language_model", !languageModel.isEmpty, "a stage or a model folder", "nothing")
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try require("test", !test.isEmpty, "at least one file", "none")
    try require(
      "accuracy_bound", (0...1).contains(accuracyBound), "a share from 0 to 1", accuracyBound)
    try require(
      "max_length", (8...1_000_000).contains(maxLength), "an integer from 8 to 1000000", maxLength)
    try requireCount("micro_batch_tokens", microBatchTokens)
  }
}

/// Compares a trained preference model with what a language model finds likely, without training.
///
/// The baseline prefers the response with the higher mean log-probability per token (and, in a second
/// row, the higher sum, which favours short responses). Both read the same rows, so the difference is
/// a paired one; its interval draws whole prompts.
struct ZeroShotStage: Stage {
  let configuration: ZeroShotConfiguration

  var inputs: [String] {
    [configuration.languageModel, configuration.model] + configuration.test
  }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] {
    [
      ModelUse(configuration.languageModel, as: .policy),
      ModelUse(configuration.model, as: .judge),
    ]
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    StagePlan("likelihoods against a preference model, on held-out pairs")
  }

  func run(_ context: StageContext) throws -> StageResult {
    let rows = try heldOutRows(context)
    let likely = try likelihoods(context, rows)
    let hits = [
      ("zero-shot, mean log-probability", likely.means.map { hit($0.chosen - $0.rejected) }),
      ("zero-shot, summed log-probability", likely.sums.map { hit($0.chosen - $0.rejected) }),
      ("preference model", try modelHits(context, rows)),
    ]
    let table = HitTable(rows: rows, hits: hits, seed: context.seed)
    let own = table.accuracy(2, of: configuration.source)
    let gain = table.difference(2, 0, of: configuration.source)
    let name = configuration.source.isEmpty ? "the held-out pairs" : configuration.source
    let paper = configuration.paper.isEmpty ? nil : configuration.paper
    var claims = [
      Claim(
        "\(configuration.model) beats the zero-shot log-probability on \(name), lower end of the 95 % interval",
        measured: gain.interval.lower, .above, 0, paper: paper)
    ]
    if configuration.accuracyBound > 0 {
      claims.insert(
        Claim(
          "accuracy of \(configuration.model) on \(name)", measured: own.value, .above,
          configuration.accuracyBound, paper: paper), at: 0)
    }
    return StageResult(
      figures: table.figures + [
        Figure(
          "gain_over_zero_shot", gain.value, interval: gain.interval.range,
          sampleSize: gain.count)
      ],
      claims: claims, tables: [table.text],
      sections: [
        ReportSection(
          "\(context.stage): against no training",
          [
            .paragraph(
              "Accuracy on held-out pairs; a tie counts half, intervals draw whole prompts. "
                + "Gain on \(name): \(NumberText.percent(gain.value)) "
                + "[\(NumberText.percent(gain.interval.lower)), "
                + "\(NumberText.percent(gain.interval.upper))]."), .table(table.text),
          ])
      ])
  }

  private func heldOutRows(_ context: StageContext) throws -> [PreferencePair] {
    var rows: [PreferencePair] = []
    for file in configuration.test {
      rows += context.usable(try DataFile.preferencePairs(context.artifact(file)))
    }
    let sources = Set(rows.map(\.source)).sorted()
    guard configuration.source.isEmpty || sources.contains(configuration.source) else {
      throw DataError(
        .noUsableRows, file: configuration.test.joined(separator: ", "),
        "no row of the source that the claims are about",
        expected: "'\(configuration.source)'", found: sources.joined(separator: ", "))
    }
    return rows
  }

  private func likelihoods(
    _ context: StageContext, _ rows: [PreferencePair]
  ) throws -> ResponseLikelihoods {
    let (model, encoder) = try loadPolicy(
      context, configuration.languageModel, longest: configuration.maxLength)
    let pairs = try groups(rows, encoder, form: .generated)
    return try ResponseLikelihoods(
      pairs, under: model, tokenBudget: configuration.microBatchTokens
    ) { done in
      // The preference model reads the same pairs after it.
      context.progress(done, of: 2 * pairs.count)
      try context.stopIfInterrupted()
    }
  }

  private func modelHits(_ context: StageContext, _ rows: [PreferencePair]) throws -> [Double] {
    let folder = try context.artifact(configuration.model)
    let encoder = try ConversationEncoder.load(from: folder)
    let pairs = try groups(rows, encoder, form: .scored)
    var done = pairs.count
    return try PreferenceEvaluation(
      model: loadPreferenceModel(directory: folder), pairs: pairs.map { PreferenceGroup($0) },
      tokenBudget: configuration.microBatchTokens
    ) { more in
      done += more
      context.progress(done, of: 2 * pairs.count)
    }.logOdds.map(hit)
  }

  /// Every row as ids, in order; a row that leaves nothing to compare is an error.
  private func groups(
    _ rows: [PreferencePair], _ encoder: ConversationEncoder, form: ExampleEncoder.Form
  ) throws -> [TokenGroup] {
    let limits = try TokenLimits(context: configuration.maxLength)
    let (groups, _) = ExampleEncoder(encoder, limits: limits).groups(of: rows, form: form)
    guard groups.count == rows.count else {
      throw DataError(
        .noUsableRows, file: configuration.test.joined(separator: ", "),
        "both models must read every row", expected: "\(rows.count) pairs within max_length",
        found: "\(groups.count)")
    }
    return groups
  }

  /// 1 where the chosen response came out ahead, ½ for a tie.
  private func hit(_ difference: Double) -> Double {
    difference == 0 ? 0.5 : difference > 0 ? 1 : 0
  }
}

/// Accuracies of several predictors on the same pairs, over all and by source.
private struct HitTable {
  typealias Measured = (value: Double, interval: Interval, count: Int)

  let rows: [PreferencePair]
  let hits: [(name: String, values: [Double])]
  let seed: UInt64

  private var sources: [String] {
    let all = Set(rows.map(\.source)).sorted()
    return [""] + (all.count > 1 ? all : [])
  }

  func accuracy(_ predictor: Int, of source: String) -> Measured {
    let values = hits[predictor].values
    return measured(source) { values[$0] }
  }

  func difference(_ first: Int, _ second: Int, of source: String) -> Measured {
    let (own, other) = (hits[first].values, hits[second].values)
    return measured(source) { own[$0] - other[$0] }
  }

  private func measured(_ source: String, _ value: (Int) -> Double) -> Measured {
    let members = rows.indices.filter { source.isEmpty || rows[$0].source == source }
    let prompts = Dictionary(grouping: members) { rows[$0].prompt }.values.sorted { $0[0] < $1[0] }
    func mean(_ rows: [Int]) -> Double { rows.reduce(0) { $0 + value($1) } / Double(rows.count) }
    return (
      mean(members), .bootstrap(groups: prompts, seed: seed, statistic: mean), members.count
    )
  }

  var figures: [Figure] {
    let names = ["zero_shot_mean", "zero_shot_sum", "model"]
    return sources.flatMap { source in
      names.indices.map { index in
        let found = accuracy(index, of: source)
        return Figure(
          "accuracy/\(names[index])\(source.isEmpty ? "" : "/\(source)")", found.value,
          interval: found.interval.range, sampleSize: found.count)
      }
    }
  }

  var text: TextTable {
    func cell(_ found: Measured) -> String {
      "\(NumberText.percent(found.value)) [\(NumberText.percent(found.interval.lower)), "
        + "\(NumberText.percent(found.interval.upper))]"
    }
    return TextTable(
      title: "Accuracy against no training", columns: ["source", "pairs"] + hits.map(\.name),
      rows: sources.map { source in
        [source.isEmpty ? "all" : source, "\(accuracy(0, of: source).count)"]
          + hits.indices.map { cell(accuracy($0, of: source)) }
      })
  }
}
