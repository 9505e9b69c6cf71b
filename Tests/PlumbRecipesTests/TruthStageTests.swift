import Foundation
import PlumbData
import PlumbEvaluation
import PlumbPreferences
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// The stages of the ground truth, run in small, stopped and resumed, and refusing what makes no sense.
@Suite struct TruthStageTests {
  private static let worlds = """
    name: truth
    seed: 3
    threads: 2
    stages:
      bandit:
        kind: truth-bandit
        prompts: 2
        arms: 4
        methods: [ppo, dpo, kto-wins]
        exact: {steps: 300}
        sampled: {steps: 150, seeds: 2}
      tokens:
        kind: truth-tokens
        letters: 2
        longest: 2
        methods: [rloo]
        exact: {steps: 300}
        sampled: {steps: 150, seeds: 1}
        language_model:
          methods: [ppo, dpo]
          hidden_size: 16
          layers: 1
          fitting_steps: 60
          sampled: {steps: 60, seeds: 1, responses: 64, pairs: 64}
      games:
        kind: truth-games
        random_sizes: [4]
        mixture_shares: [0.5]
        mixture_size: 5
        rounds: 4000
        horizons: [50, 500]
        sampled_rounds: 500
        refits: 4
        ppo: {steps: 150}

    """

  /// Every metric of the run can be looked up, as one that its kind of stage writes, and the other way round.
  private func expectMetricsHaveEntries(_ directory: URL, _ summary: RunSummary) throws {
    let kinds = Dictionary(uniqueKeysWithValues: summary.stages.map { ($0.name, $0.kind) })
    var written: [String: Set<String>] = [:]
    for line in try MetricsLog.lines(of: directory.appending(path: "metrics.jsonl")) {
      written[kinds[line.stage] ?? "", default: []].formUnion(line.values.keys)
    }
    for kind in ["truth-bandit", "truth-tokens", "truth-games"] {
      let names = MetricTable.entries.filter { $0.stages.contains(kind) }.map(\.name)
      #expect(!names.isEmpty && written[kind] == Set(names), "\(kind)")
    }
  }

  @Test func worldsRunAndResumeToTheSameBytes() throws {
    let whole = try TemporaryFolder()
    let summary = try runTiny(Self.worlds, in: whole.url)
    let stopped = try TemporaryFolder()
    try runTinyWithStops(Self.worlds, in: stopped.url, polls: 45, fewerThan: 40)
    for stage in ["bandit", "tokens", "games"] {
      let record = "stages/\(stage)/metrics.jsonl"
      #expect(try whole.data(record) == stopped.data(record))
    }
    try expectMetricsHaveEntries(whole.url, summary)
    let again = try runTiny(Self.worlds, in: stopped.url, mode: .resuming)
    #expect(again.figures == summary.figures && again.claims == summary.claims)
    func figure(_ name: String) throws -> Figure {
      try #require(summary.figures.first { $0.name == name }, "\(name)")
    }
    #expect(try figure("bandit/exact/dpo/kl_optimum_to_policy").value < 1e-4)
    let sampled = try figure("bandit/sampled/ppo/kl_optimum_to_policy")
    #expect(sampled.sampleSize == 2 && sampled.interval != nil)
    #expect(try figure("bandit/exact/kto-wins/kl_star_to_policy").value > 1e-2)
    #expect(!summary.figures.contains { $0.name == "bandit/exact/kto-wins/kl_policy_to_optimum" })
    #expect(try figure("games/rps/ppo_win_gap").value > 0.2)
    #expect(try figure("games/rps/gpo/winner_gap").value < 1e-9)
    let model = try figure("tokens/model/ppo/kl_optimum_to_policy").value
    let start = try figure("tokens/reference/kl_star").value
    #expect(model < start)
    // Every claim has a measured value, and those on exact gradients held.
    let unmeasured = summary.claims.filter { !$0.measured.isFinite }
    #expect(unmeasured.isEmpty)
    let failed = summary.claims.filter { $0.name.contains("exact gradient") && !$0.held }
    #expect(failed.isEmpty, "\(failed)")
  }

  /// Reports of two trainings of DPO on samples that end at other distances.
  private struct ReportStage: Stage {
    struct Configuration: StageConfiguration { static let kind = "report" }

    let configuration: Configuration
    var inputs: [String] { [] }

    func plan(_ context: PlanContext) -> StagePlan { StagePlan("report") }

    func run(_ context: StageContext) throws -> StageResult {
      var samples = TruthSampledConfiguration()
      samples.seeds = 2
      let study = TruthStudy(
        context: context,
        world: EnumeratedWorld(banditRewards: [[0, 1]], reference: [[0.5, 0.5]]), beta: 1,
        methods: [.dpo], exact: TruthExactConfiguration(), sampled: samples, languageModel: nil)
      return study.report(
        [(1e-5, 2e-5), (0.001, 0.002), (0.02, 0.01)].map { to, from in
          TruthCourse(
            points: [.init(step: 1, toPolicy: to, fromPolicy: from, starToPolicy: to)])
        })
    }
  }

  /// The claim is about the worst training in its worse direction, not about the mean or the best.
  @Test func oneTrainingThatEndsElsewhereFailsTheClaim() throws {
    let folder = try TemporaryFolder()
    let registry = StageRegistry([ReportStage.self])
    let recipe = try registry.loader.load(
      yaml: "name: r\nseed: 1\nthreads: 2\nstages:\n  report: {}\n")
    let summary = try Runner(recipe, registry: registry, directory: folder.url).run()
    let claims = summary.claims
    #expect(claims.map(\.measured) == [2e-5, 0.02] && claims.map(\.held) == [true, false])
    let mean = try #require(summary.figures["report/sampled/dpo/kl_optimum_to_policy"])
    #expect(abs(mean.value - 0.0105) < 1e-12 && mean.sampleSize == 2)
  }

  private static let language = """
    name: language
    seed: 5
    threads: 2
    stages:
      data:
        kind: truth-language-data
        train_prompts: 24
        test_prompts: 8
        demonstrations: 12
        pairs: 12
      tokenizer: {files: [data/demonstrations.train.jsonl.zst], vocabulary_size: 500}
      base:
        kind: pretrain
        tokenizer: tokenizer
        files: [data/demonstrations.train.jsonl.zst]
        hidden_size: 32
        intermediate_size: 64
        layers: 2
        heads: 4
        key_value_heads: 2
        context_length: 160
        sequence_length: 64
        batch_tokens: 1024
        steps: 60
        validation_share: 0.1
        samples: 1
        sample_tokens: 8
        stored_as: float32
        optimizer: {learning_rate: 0.005}
      reward:
        kind: reward-model
        model: base
        train: [data/pairs.train.jsonl.zst]
        validation: [data/pairs.validation.jsonl.zst]
        test: [data/pairs.test.jsonl.zst]
        max_length: 128
        optimizer: {learning_rate: 0.002}
      game:
        kind: truth-language
        policy: base
        reward: reward
        prompts: [data/prompts.train.jsonl.zst]
        test_prompts: [data/prompts.test.jsonl.zst]
        sampling: {max_new_tokens: 16}
        test_responses: 2
        ppo: {updates: 2, prompts_per_update: 4, responses_per_prompt: 2}
        gpo: {updates: 3, prompts_per_update: 4, responses_per_prompt: 3}
        sppo: {updates: 2, prompts_per_update: 4, responses_per_prompt: 3}

    """

  /// A dry run knows what the stages will train on before the game's files are there.
  @Test func thePlanCountsTheRowsOfALanguageGame() throws {
    let folder = try TemporaryFolder()
    let plans = try Runner(
      try StageRegistry.standard.loader.load(yaml: Self.language), registry: .standard,
      directory: folder.url
    ).plan()
    let sizes = try #require(plans.first { $0.stage == "data" }).plan.sizes
    #expect(sizes["demonstrations.train.jsonl.zst"] == 24 * 12)
    // Two answers drawn by 0.5, 0.2, 0.2 and 0.1 are of different kinds in 1 - 0.34 of all pairs.
    #expect(sizes["pairs.train.jsonl.zst"] == 190)
    let reward = try #require(plans.first { $0.stage == "reward" }).plan.sizes
    #expect(reward["rows"] == 190)
  }

  @Test func languageGamesRunAndResumeToTheSameBytes() throws {
    let whole = try TemporaryFolder()
    let summary = try runTiny(Self.language, in: whole.url)
    let stopped = try TemporaryFolder()
    try runTinyWithStops(Self.language, in: stopped.url, polls: 20, fewerThan: 200)
    for file in [
      "game/cells/gpo/model.safetensors", "game/cells/ppo/model.safetensors", "game/metrics.jsonl",
    ] {
      #expect(try whole.data("stages/\(file)") == stopped.data("stages/\(file)"))
    }
    let names = Set(summary.figures.map(\.name))
    for player in ["start", "ppo", "gpo", "sppo"] {
      #expect(names.contains("game/\(player)/last_win_gap"))
      let shares = summary.figures.filter { $0.name.hasPrefix("game/\(player)/share_") }
      #expect(shares.count == 4 && abs(shares.reduce(0) { $0 + $1.value } - 1) < 1e-9)
    }
    #expect(summary.claims.count == 3)
  }

  /// PPO said the first class in all rounds, which another beats; GPO says all three alike.
  ///
  /// What PPO's last policy says is a claim of its own.
  @Test func aLanguageGameClaimsWhatPPOLosesMore() throws {
    let game = try LanguageGame(suite: "without-list", strength: 2)
    let (one, all) = ([12, 0, 0, 0], [4, 4, 4, 0])
    func record(_ counts: [Int], _ test: [Int]) -> TruthLanguageStage.Record {
      .init(
        rounds: [counts, counts], test: [[Int]](repeating: test, count: 4), samples: [],
        kl: [0, 1.5])
    }
    let report = TruthLanguageReport(
      stage: "game", configuration: TruthLanguageConfiguration(), game: game,
      names: ["ppo", "gpo"], records: [record(one, [0, 1, 2]), record(all, [0, 1, 2])],
      prompts: [], seed: 1)
    #expect(report.result.figures.first { $0.name == "gpo/kl" }?.value == 1.5)
    let claims = report.result.claims
    #expect(claims.count == 2)
    // Whoever says one class loses σ(2) − ½ to the class that beats it, and the gap is twice that.
    let gap = 2 * (1 / (1 + exp(-2.0)) - 0.5)
    #expect(abs(claims[0].measured) < 1e-9 && !claims[0].held, "\(claims[0])")
    #expect(abs(claims[1].measured - gap) < 1e-9 && claims[1].held, "\(claims[1])")
  }

  /// Lets GPO play and tells the KL of its rounds.
  private struct PlayStage: Stage {
    struct Configuration: StageConfiguration {
      static let kind = "play"
      var policy = ""
      var prompts: [String] = []
    }

    let configuration: Configuration
    var inputs: [String] { [configuration.policy] + configuration.prompts }

    func plan(_ context: PlanContext) -> StagePlan { StagePlan("play") }

    func run(_ context: StageContext) throws -> StageResult {
      var settings = TruthLanguageConfiguration()
      settings.policy = configuration.policy
      (settings.prompts, settings.testPrompts) = (configuration.prompts, configuration.prompts)
      (settings.players, settings.testResponses) = ([.gpo], 1)
      settings.sampling.maxNewTokens = 8
      (settings.gpo.updates, settings.gpo.promptsPerUpdate) = (3, 4)
      settings.gpo.optimizer.warmupFraction = 0
      let match = try LanguageMatch(
        context, settings, game: LanguageGame(suite: settings.suite, strength: settings.strength))
      let records = try CellRunner<TruthLanguageStage.Record>(context)
        .run([GridCell("gpo", units: 1)]) { _, place in try match.train(.gpo, place: place) }
      return StageResult(figures: records[0].kl.map { Figure("kl", $0, sampleSize: 1) })
    }
  }

  /// The reference is the policy that all players start from, in every round.
  @Test func theReferenceOfALanguageGameStaysTheStart() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let registry = StageRegistry([PlayStage.self])
    let yaml = """
      name: p
      seed: 1
      threads: 2
      stages:
        play: {policy: '\(world("sft"))', prompts: ['\(world("data/prompts.train.jsonl.zst"))']}
      """
    let recipe = try registry.loader.load(yaml: yaml)
    let summary = try Runner(recipe, registry: registry, directory: folder.url).run()
    let kl = summary.figures.map(\.value)
    #expect(kl.count == 3 && abs(kl[0]) < 1e-4, "\(kl)")
    #expect(abs(kl[1]) > 1e-3 && abs(kl[2]) > 1e-3, "\(kl)")
  }

  @Test func theJudgeOfALanguageGameReadsTheText() throws {
    let game = try LanguageGame(suite: "without-list", strength: 2)
    #expect(game.classes == ["number", "polite", "question", "none"])
    let texts = ["It takes 7 days.", "Please wait.", "Is it so?", "Nobody knows."]
    #expect(texts.map { game.number(of: $0) } == [0, 1, 2, 3])
    let encoder = try ConversationEncoder.load(
      from: URL(fileURLWithPath: TinyWorld.shared()("sft")))
    let group = JudgeGroup(
      prompt: [Message(role: "user", content: "why?")], responses: texts, encoder: encoder)
    let table = try game.judge.judge(group).preferenceLogits
    #expect(table == game.scores.payoffs)
    #expect(table[0] == [0, 2, -2, 2] && table[3] == [-2, -2, -2, 0])
    let winner = game.scores.winGame.vonNeumannWinner
    for (share, truth) in zip(winner, [1.0 / 3, 1.0 / 3, 1.0 / 3, 0]) {
      #expect(abs(share - truth) < 1e-9)
    }
  }

  @Test func languageGameDataKeepsItsShares() throws {
    let game = try LanguageGame(suite: "without-list", strength: 2)
    let data = LanguageGameData(game: game, shares: [0.5, 0.2, 0.2, 0.1], seed: 1)
    let sets = try data.rows(prompts: 60, sets: 20)
    for row in sets.joined() {
      #expect(row.answers.map { game.number(of: $0) } == [0, 1, 2, 3], "\(row.answers)")
    }
    let shown = data.demonstrations(sets).map { game.number(of: $0.messages.last?.content ?? "") }
    for (number, share) in [0.5, 0.2, 0.2, 0.1].enumerated() {
      let found = Double(shown.count { $0 == number }) / Double(shown.count)
      // Three standard errors of 1200 draws are below 0.045.
      #expect(abs(found - share) < 0.045, "\(number): \(found)")
    }
    let pairs = data.pairs(sets)
    let right = pairs.count { pair in
      game.scores.payoffs[game.number(of: pair.chosen)][game.number(of: pair.rejected)] > 0
    }
    // σ(2) = 0.881 of the verdicts go to the favourite.
    #expect(abs(Double(right) / Double(pairs.count) - 0.881) < 0.04)
  }

  @Test(arguments: [
    ("bandit: {kind: truth-bandit, arms: 1}", "arms"),
    ("bandit: {kind: truth-bandit, beta: 0.01}", "reward_spread"),
    ("bandit: {kind: truth-bandit, methods: [dpo, dpo]}", "methods"),
    ("tokens: {kind: truth-tokens, letters: 9, longest: 5}", "longest"),
    ("tokens: {kind: truth-tokens, language_model: {hidden_size: 6}}", "hidden_size"),
    ("games: {kind: truth-games, cycle_start: [0.5, 0.5, 0]}", "cycle_start"),
    ("games: {kind: truth-games, mixture_shares: [0.5, 0.501]}", "mixture_shares"),
    ("games: {kind: truth-games, samples: 1}", "samples"),
    ("data: {kind: truth-language-data, shares: [1, 0, 0]}", "shares"),
    ("data: {kind: truth-language-data, suite: circle}", "suite"),
    ("game: {kind: truth-language, policy: p, prompts: [a], test_prompts: [b]}", "reward"),
  ])
  func settingsThatMakeNoSenseAreRefused(example: (String, String)) throws {
    let yaml = "name: bad\nstages:\n  \(example.0)\n"
    do {
      _ = try StageRegistry.standard.loader.load(yaml: yaml)
      Issue.record("\(example.0) was accepted")
    } catch {
      #expect("\(error)".contains(example.1), "\(error)")
    }
  }
}
