import Foundation
import PlumbEvaluation

/// Settings of preference games whose winner is known.
public struct TruthGamesConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "truth-games"

  /// The largest log-odds of every game.
  public var strength = 1.0
  /// The policy that training starts from on cycles of three, and that the reward model's pairs come from.
  public var cycleStart = [0.6, 0.2, 0.2]
  /// Sizes of random games.
  public var randomSizes = [5, 10, 20]
  /// Cyclic shares of mixtures of an order and a circle.
  public var mixtureShares = [0.25, 0.5, 0.75]
  /// Responses of a mixture.
  public var mixtureSize = 7
  /// Rounds of play with the exact expectation.
  public var rounds = 30_000
  /// Shorter plays, each with its own step size, for the gap against the number of rounds.
  public var horizons = [100, 300, 1000, 3000, 10_000]
  /// Rounds of play on samples; 0 for none.
  public var sampledRounds = 20_000
  /// Responses sampled in a round, each the opponent of the others.
  public var samples = 64
  /// Strength of the tie to the uniform policy in the play whose last policy converges; 0 for no such play.
  public var anchor = 0.02
  /// Strength of the reward-based methods' tie to the reference.
  public var rewardBeta = 0.05
  /// Rounds in which the reward model is fitted anew to the policy's own pairs.
  public var refits = 20
  /// PPO on samples.
  public var ppo = TruthSampledConfiguration()

  /// The defaults.
  public init() {
    ppo.seeds = 1
    ppo.steps = 600
  }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("strength", (0.01...20).contains(strength), "a number from 0.01 to 20", strength)
    try require(
      "cycle_start",
      cycleStart.count == 3 && cycleStart.allSatisfy { $0 > 0 }
        && abs(cycleStart.reduce(0, +) - 1) < 1e-9,
      "three probabilities above 0 that sum to 1", cycleStart)
    for size in randomSizes + [mixtureSize] {
      try require(
        "random_sizes, mixture_size", (2...200).contains(size), "integers from 2 to 200", size)
    }
    try require(
      "random_sizes", Set(randomSizes).count == randomSizes.count, "every size once", randomSizes)
    try require(
      "mixture_shares",
      mixtureShares.allSatisfy { (0...1).contains($0) }
        && Set(mixtureShares.map { Int(($0 * 100).rounded()) }).count == mixtureShares.count,
      "different numbers from 0 to 1, in steps of 0.01", mixtureShares)
    // Two actions have no cycle: such a game would have no payoffs at all.
    try require(
      "mixture_size", mixtureSize > 2 || mixtureShares.allSatisfy { $0 < 0.995 },
      "at least 3 where a share of mixture_shares is 1", mixtureSize)
    try requireCount("rounds", rounds)
    for horizon in horizons { try requireCount("horizons", horizon) }
    try require(
      "sampled_rounds", (0...1_000_000).contains(sampledRounds), "an integer from 0 to 1000000",
      sampledRounds)
    try require("samples", (2...10_000).contains(samples), "an integer from 2 to 10000", samples)
    try require("anchor", (0...1).contains(anchor), "a number from 0 to 1", anchor)
    try requirePositive("reward_beta", rewardBeta)
    try require("refits", (0...1000).contains(refits), "an integer from 0 to 1000", refits)
  }

  func games(seed: UInt64) -> [TruthGame] {
    [
      .cycle("rps", strengths: [strength, strength, strength], start: cycleStart),
      .cycle(
        "rps-weighted", strengths: [strength / 3, strength * 2 / 3, strength], start: cycleStart),
    ] + randomSizes.map { .random(size: $0, strength: strength, seed: seed) }
      + mixtureShares.map {
        .mixture(size: mixtureSize, cyclicShare: $0, strength: strength, seed: seed)
      }
  }
}

/// GPO and SPPO against reward-based PPO in games whose von Neumann winner is computed.
struct TruthGamesStage: Stage {
  let configuration: TruthGamesConfiguration

  var inputs: [String] { [] }

  static var product: StageProduct { .noModel }

  /// What one game found.
  struct Record: Codable {
    /// Of the game in log-odds and of that in win probabilities.
    let winners: [String: [Double]]
    let exact: [String: GameCourse]
    let sampled: [String: GameCourse]
    let anchored: [String: GameCourse]
    /// Final gaps of shorter plays, in the order of the horizons.
    let horizons: [String: [GameCourse.Point]]
    /// Rewards of the best fit to pairs of the start, and to pairs of all responses alike.
    let rewards: [Double]
    let uniformRewards: [Double]
    let optimum: [Double]
    let uniformOptimum: [Double]
    let ppo: [Double]
    let ppoCourse: TruthCourse
    let refitted: [[Double]]
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let games = configuration.games(seed: context.recipe.seed).count
    let rounds = games * 2 * (2 * configuration.rounds + configuration.horizons.reduce(0, +))
    let sampled = games * 2 * configuration.sampledRounds
    return StagePlan(
      "GPO, SPPO and reward-based PPO in \(games) games",
      sizes: ["games": games, "rounds": rounds + sampled],
      seconds: Double(rounds) * 2e-5 + Double(sampled) * 1e-4)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let games = configuration.games(seed: context.seed)
    let records = try CellRunner<Record>(context) { record in
      ["gap": record.exact["gpo"]?.points.last?.average ?? 0]
    }.run(games.map { GridCell($0.name, units: 1000) }) { index, place in
      try play(games[index], seed: context.seed, place: place)
    }
    return TruthGamesReport(
      stage: context.stage, configuration: configuration, games: games, records: records
    ).result
  }

  private func play(_ game: TruthGame, seed: UInt64, place: CellContext) throws -> Record {
    let total = 2 * (2 * configuration.rounds + 4 * configuration.sampledRounds)
    var done = 0
    func played(_ update: GameUpdate, _ rounds: Int, samples: Int = 0, anchor: Double = 0) throws
      -> GameCourse
    {
      let weight = samples > 0 ? 4 : 1
      defer { done += rounds * weight }
      return try GamePlay(
        game: game, update: update, rounds: rounds, samples: samples, anchor: anchor, seed: seed
      ).run { round in
        if round % 500 == 0 { try place.step(done + round * weight, of: total, loss: nil) }
      }
    }
    var (exact, sampled, anchored) = (
      [String: GameCourse](), [String: GameCourse](), [String: GameCourse]()
    )
    var horizons: [String: [GameCourse.Point]] = [:]
    for update in GameUpdate.allCases {
      exact[update.rawValue] = try played(update, configuration.rounds)
      if configuration.anchor > 0 {
        anchored[update.rawValue] = try played(
          update, configuration.rounds, anchor: configuration.anchor)
      }
      if configuration.sampledRounds > 0 {
        sampled[update.rawValue] = try played(
          update, configuration.sampledRounds, samples: configuration.samples)
      }
      horizons[update.rawValue] = configuration.horizons.compactMap {
        GamePlay(game: game, update: update, rounds: $0).run().points.last
      }
    }
    let reward = RewardPlay(game: game, beta: configuration.rewardBeta)
    let uniform = game.start.map { _ in 1 / Double(game.start.count) }
    let (rewards, uniformRewards) = (
      reward.rewards(data: game.start), reward.rewards(data: uniform)
    )
    let (policy, course) = try reward.ppo(rewards, settings: configuration.ppo, seed: seed) {
      step, _ in
      if step % 100 == 0 { try place.step(total - 1, of: total, loss: nil) }
    }
    return Record(
      winners: Dictionary(
        uniqueKeysWithValues: GameUpdate.allCases.map {
          ($0.rawValue, game.payoffs($0).vonNeumannWinner)
        }), exact: exact, sampled: sampled, anchored: anchored, horizons: horizons,
      rewards: rewards, uniformRewards: uniformRewards, optimum: reward.optimum(rewards),
      uniformOptimum: reward.optimum(uniformRewards), ppo: policy, ppoCourse: course,
      refitted: reward.refitted(rounds: configuration.refits, floor: 0.01))
  }
}
