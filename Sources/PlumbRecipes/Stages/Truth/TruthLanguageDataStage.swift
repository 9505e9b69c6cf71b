import Foundation
import PlumbData
import PlumbEvaluation

/// Settings of the texts of a language game.
public struct TruthLanguageDataConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "truth-language-data"

  /// The judge, by the name of its suite in the cyclic benchmark.
  public var suite = "without-list"
  /// Log-odds of every verdict.
  public var strength = 2.0
  /// Shares of the classes in demonstrations and pairs: the roles in the order of the circle, then no role.
  public var shares = [0.5, 0.2, 0.2, 0.1]
  /// Prompts to train on.
  public var trainPrompts = 200
  /// Prompts to measure on.
  public var testPrompts = 80
  /// Demonstrations of each training prompt.
  public var demonstrations = 20
  /// Pairs of each training prompt, even ones included, which are left out.
  public var pairs = 20

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    let game = try LanguageGame(suite: suite, strength: strength)
    try require("strength", (0.01...20).contains(strength), "a number from 0.01 to 20", strength)
    try require(
      "shares",
      shares.count == game.classes.count && shares.allSatisfy { $0 >= 0 }
        && abs(shares.reduce(0, +) - 1) < 1e-9,
      "\(game.classes.count) shares that sum to 1: \(game.classes.joined(separator: ", "))", shares)
    for (name, value) in [
      ("train_prompts", trainPrompts), ("test_prompts", testPrompts),
      ("demonstrations", demonstrations), ("pairs", pairs),
    ] { try requireCount(name, value) }
  }
}

/// Writes demonstrations, preference pairs and prompts of a language game.
///
/// `demonstrations.train|validation`, `pairs.train|validation|test`, `prompts.train|test`, each
/// `.jsonl.zst`; test prompts occur in no training file.
struct TruthLanguageDataStage: Stage {
  let configuration: TruthLanguageDataConfiguration

  var inputs: [String] { [] }

  static var product: StageProduct { .noModel }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let game = try LanguageGame(suite: configuration.suite, strength: configuration.strength)
    let payoffs = game.scores.payoffs
    let shares = configuration.shares
    // Of two answers drawn by the shares; those that the judge does not tell apart make no pair.
    var decided = 0.0
    for a in shares.indices {
      for b in shares.indices where payoffs[a][b] != 0 { decided += shares[a] * shares[b] }
    }
    let pairs = Double(configuration.trainPrompts * configuration.pairs) * decided
    return StagePlan(
      "demonstrations and pairs of a language game",
      sizes: [
        "demonstrations.train.jsonl.zst": configuration.trainPrompts * configuration.demonstrations,
        "pairs.train.jsonl.zst": Int(pairs.rounded()),
      ], seconds: 2)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let game = try LanguageGame(suite: configuration.suite, strength: configuration.strength)
    let data = LanguageGameData(game: game, shares: configuration.shares, seed: context.seed)
    let (train, test) = (configuration.trainPrompts, configuration.testPrompts)
    // The last sets of answers are for validation; a set is new wordings for every prompt.
    let sets = try data.rows(
      prompts: train + test,
      sets: max(configuration.demonstrations, configuration.pairs) + 2)
    func part(_ count: Int, from first: Int = 0) -> [[LanguageGameData.Row]] {
      sets[first..<first + count].map { Array($0.prefix(train)) }
    }
    let held = sets.count - 2
    let pairs = data.pairs(part(configuration.pairs))
    func url(_ name: String) -> URL { context.directory.appending(path: "\(name).jsonl.zst") }
    try DataFile.write(
      data.demonstrations(part(configuration.demonstrations)), to: url("demonstrations.train"))
    try DataFile.write(
      data.demonstrations(part(1, from: held)), to: url("demonstrations.validation"))
    try DataFile.write(pairs, to: url("pairs.train"))
    try DataFile.write(data.pairs(part(2, from: held)), to: url("pairs.validation"))
    let unseen = sets.map { Array($0.suffix(test)) }
    try DataFile.write(data.pairs(Array(unseen.prefix(4))), to: url("pairs.test"))
    func prompts(_ rows: some Sequence<LanguageGameData.Row>) -> [PromptRow] {
      rows.map { PromptRow(id: $0.id, source: game.suite.name, prompt: $0.prompt) }
    }
    try DataFile.write(prompts(sets[0].prefix(train)), to: url("prompts.train"))
    try DataFile.write(prompts(sets[0].suffix(test)), to: url("prompts.test"))
    let start = game.scores.winGame.dualityGap(configuration.shares)
    return StageResult(figures: [
      Figure("pairs", Double(pairs.count), sampleSize: pairs.count),
      Figure("shares_win_gap", start, sampleSize: configuration.shares.count),
    ])
  }
}
