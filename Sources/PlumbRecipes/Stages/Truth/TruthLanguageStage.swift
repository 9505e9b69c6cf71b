import Foundation
import PlumbData
import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Who plays a language game.
public enum LanguagePlayer: String, Codable, Sendable, CaseIterable {
  /// PPO with a Bradley-Terry reward model.
  case ppo
  /// GPO with the judge itself.
  case gpo
  /// SPPO with the judge itself.
  case sppo
}

/// Settings of one player's training.
public struct LanguagePlayConfiguration: ConfigurationSection {
  /// Rounds of sampling.
  public var updates = 40
  /// Prompts in one round.
  public var promptsPerUpdate = 32
  /// Responses to each prompt, K.
  public var responsesPerPrompt = 8
  /// Passes over the responses of a round.
  public var epochs = 2
  /// Parts that a pass is cut into, one optimizer step each.
  public var minibatches = 2
  /// The inverse of the step size of GPO and SPPO, and for PPO the weight of the KL in the token rewards.
  public var beta = 2.0
  /// The optimizer.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {
    optimizer.learningRate = 1e-3
    optimizer.schedule = .constant
  }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    for (name, value) in [
      ("updates", updates), ("prompts_per_update", promptsPerUpdate), ("epochs", epochs),
      ("minibatches", minibatches),
    ] { try requireCount(name, value) }
    try require(
      "responses_per_prompt", (2...1000).contains(responsesPerPrompt), "an integer from 2 to 1000",
      responsesPerPrompt)
    try require(
      "minibatches", minibatches <= promptsPerUpdate,
      "at most one per prompt (\(promptsPerUpdate))",
      minibatches)
    try requirePositive("beta", beta)
  }
}

/// Settings of a language game between policies.
public struct TruthLanguageConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "truth-language"

  /// The policy that every player starts from.
  public var policy = ""
  /// The reward model of PPO.
  public var reward = ""
  /// Files of prompts to train on.
  public var prompts: [String] = []
  /// Files of prompts to measure the trained policies on.
  public var testPrompts: [String] = []
  /// The judge, by the name of its suite in the cyclic benchmark.
  public var suite = "without-list"
  /// Log-odds of every verdict.
  public var strength = 2.0
  /// Who plays.
  public var players = LanguagePlayer.allCases
  /// PPO's training.
  public var ppo = LanguagePlayConfiguration()
  /// GPO's training.
  public var gpo = LanguagePlayConfiguration()
  /// SPPO's training.
  public var sppo = LanguagePlayConfiguration()
  /// How responses are sampled.
  public var sampling = SamplingConfiguration()
  /// Responses to each test prompt.
  public var testResponses = 8

  /// The defaults.
  public init() { ppo.beta = 0.03 }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a stage or a model folder", "nothing")
    try require(
      "players", !players.isEmpty && Set(players).count == players.count, "every player once",
      players)
    try require(
      "reward", !reward.isEmpty || !players.contains(.ppo), "a stage or a model folder for PPO",
      "nothing")
    try require("prompts", !prompts.isEmpty, "at least one file", "none")
    try require("test_prompts", !testPrompts.isEmpty, "at least one file", "none")
    _ = try LanguageGame(suite: suite, strength: strength)
    try require("strength", (0.01...20).contains(strength), "a number from 0.01 to 20", strength)
    try requireCount("test_responses", testResponses)
  }

  func play(_ player: LanguagePlayer) -> LanguagePlayConfiguration {
    switch player {
    case .ppo: ppo
    case .gpo: gpo
    case .sppo: sppo
    }
  }
}

/// Language models in a game whose judge runs in circles: self-play against a reward.
struct TruthLanguageStage: Stage {
  let configuration: TruthLanguageConfiguration

  var inputs: [String] {
    [configuration.policy, configuration.reward] + configuration.prompts
      + configuration.testPrompts
  }

  static var product: StageProduct { .noModel }

  var models: [ModelUse] {
    [
      ModelUse(configuration.policy, as: .policy),
      ModelUse(configuration.players.contains(.ppo) ? configuration.reward : "", as: .reward),
    ]
  }

  /// What one player left behind.
  struct Record: Codable {
    /// Counts of the classes in the samples of every round; none for the start.
    let rounds: [[Int]]
    /// Class of each test response, by prompt.
    let test: [[Int]]
    /// The first response to the first test prompts.
    let samples: [String]
    /// `KL(π ‖ π_ref)` of each round, nats per response.
    let kl: [Double]
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let plays = configuration.players.map { configuration.play($0) }
    return policyPlan(
      "\(configuration.players.map(\.rawValue).joined(separator: ", ")) under a cyclic judge",
      parameters: try parameterCount(context, model: configuration.policy),
      responses: plays.reduce(0) {
        $0 + $1.updates * $1.promptsPerUpdate * $1.responsesPerPrompt
      }, newTokens: configuration.sampling.maxNewTokens,
      trainingPasses: plays.map(\.epochs).max() ?? 1)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let game = try LanguageGame(suite: configuration.suite, strength: configuration.strength)
    let match = try LanguageMatch(context, configuration, game: game)
    let players = [nil] + configuration.players.map { Optional($0) }
    let records = try CellRunner<Record>(context).run(
      players.map { player in
        GridCell(
          player?.rawValue ?? "start",
          units: player.map { configuration.play($0).updates * 10 } ?? 1)
      }
    ) { index, place in
      guard let player = players[index] else {
        let measured = try match.measure(match.start, seed: context.seed)
        return Record(rounds: [], test: measured.classes, samples: measured.texts, kl: [])
      }
      return try match.train(player, place: place)
    }
    return TruthLanguageReport(
      stage: context.stage, configuration: configuration, game: game,
      names: players.map { $0?.rawValue ?? "start" }, records: records,
      prompts: match.testPrompts.map { $0.messages.last?.content ?? "" }, seed: context.seed
    ).result
  }
}
