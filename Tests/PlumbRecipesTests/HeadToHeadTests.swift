import Foundation
import PlumbData
import PlumbEvaluation
import PlumbPreferences
import PlumbRollouts
import Testing

@testable import PlumbRecipes

/// Every pair of policies under each held-out judge.
@Suite struct HeadToHeadTests {
  /// Answers of some lengths, prompt by prompt, one answer each.
  func answers(_ lengths: [(name: String, tokens: [Int])]) -> [PolicyAnswers] {
    lengths.map { policy in
      PolicyAnswers(
        name: policy.name,
        buffer: RolloutBuffer(
          groups: policy.tokens.enumerated().map { index, count in
            let response = Rollout(
              tokens: [Int32](repeating: 5, count: count), text: "", finishReason: .stop)
            return RolloutGroup(
              id: "\(index)", prompt: [], promptTokens: [1], responses: [response])
          }, provenance: .init(source: .sampled, origin: policy.name)))
    }
  }

  /// Answers of some lengths, prompt by prompt, several each.
  private func several(_ lengths: [(name: String, tokens: [[Int]])]) -> [PolicyAnswers] {
    lengths.map { policy in
      PolicyAnswers(
        name: policy.name,
        buffer: RolloutBuffer(
          groups: policy.tokens.enumerated().map { index, counts in
            RolloutGroup(
              id: "\(index)", prompt: [], promptTokens: [1],
              responses: counts.map {
                Rollout(tokens: [Int32](repeating: 5, count: $0), text: "", finishReason: .stop)
              })
          }, provenance: .init(source: .sampled, origin: policy.name)))
    }
  }

  /// The first answer is held against the first, the second against the second.
  @Test func answersOfOneNumberAreCompared() {
    let found = HeadToHead.comparisons(
      several([("sft", [[3, 9]]), ("ppo", [[5, 4]])]),
      judged: [Judgement(scores: [1, 3, 0, 2], source: "j")], 1, 0)
    #expect(found.map { $0.map(\.outcome) } == [[.loss, .loss]])
    #expect(found.map { $0.map(\.lengthDifference) } == [[2, -5]])
  }

  /// Rock beats scissors beats paper beats rock, for every prompt: all rates are known.
  @Test func aCyclicJudgeGivesACyclicMatrix() {
    let table = [[0.0, 1, -1], [-1, 0, 1], [1, -1, 0]]
    let lengths = [3, 4, 5, 6, 7, 8]
    let head = HeadToHead(
      answers([("rock", lengths), ("scissors", lengths), ("paper", lengths)]),
      judged: lengths.map { _ in Judgement(preferenceLogits: table, source: "rps") },
      judge: "rps", seed: 1)
    #expect(head.rates.map { $0.map(\.rate) } == [[0.5, 1, 0], [0, 0.5, 1], [1, 0, 0.5]])
    #expect(head.cyclicity.cyclicShare.value > 0.999)
    #expect(head.cyclicity.cycles.value == 1)
    #expect(head.controlled[0][1].isSeparated && head.controlled[0][1].rate > 0.95)
    #expect(abs(head.controlled[0][1].rate + head.controlled[1][0].rate - 1) < 1e-12)
    #expect(head.table.rows.map { $0[0] } == ["scissors", "paper"])
    #expect(head.table.rows.allSatisfy { $0[4].hasPrefix("separated") })
  }

  /// The frontier has each policy's own rate over the baseline, above its own KL.
  @Test func theFrontierHasRatesOverTheBaseline() {
    let table = [[0.0, 1, -1], [-1, 0, 1], [1, -1, 0]]
    let lengths = [3, 4, 5, 6]
    let head = HeadToHead(
      answers([("rock", lengths), ("scissors", lengths), ("paper", lengths)]),
      judged: lengths.map { _ in Judgement(preferenceLogits: table, source: "rps") },
      judge: "rps", seed: 1)
    guard case .scatter(let series) = KLFrontier(kl: [0, 2, 1]).winRates(head).content else {
      Issue.record("expected points")
      return
    }
    #expect(series.map(\.name) == ["rock", "scissors", "paper"])
    #expect(series.map { $0.points.map(\.x) } == [[0], [2], [1]])
    #expect(series.map { $0.points.map(\.y) } == [[0.5], [0], [1]])
    let ends = [1, 2].map { [head.rates[$0][0].interval.lower, head.rates[$0][0].interval.upper] }
    #expect(series.map { $0.points[0].interval } == [nil, ends[0], ends[1]])
  }

  /// The longer answer wins always, and both are longer as often: without length nobody is better.
  @Test func aJudgeOfLengthLeavesNothingAtEqualLength() {
    let own = (0..<40).map { 10 + $0 % 7 }
    let other = (0..<40).map { 10 + ($0 * 3 + 1) % 7 }
    let judged = zip(own, other).map {
      Judgement(scores: [Double($0), Double($1)], source: "length")
    }
    let head = HeadToHead(
      answers([("sft", other), ("ppo", own)]),
      judged: judged.map {
        Judgement(scores: Array(($0.scores ?? []).reversed()), source: "length")
      }, judge: "length", seed: 1)
    let counted = zip(own, other).map { Outcome(difference: Double($0 - $1)).points }
    #expect(head.rates[1][0].rate == counted.reduce(0, +) / 40)
    #expect(head.controlled[1][0].interval.contains(0.5))
    #expect(head.controlled[1][0].lengthWeight > 3)
    #expect(head.cyclicity.cyclicShare.value == 0)
  }

  @Test func everyFigureHasAnIntervalAndASampleSize() {
    let lengths = [3, 4, 5, 6, 7, 8]
    let judged = lengths.map { Judgement(scores: [0, Double($0 % 3) - 0.5], source: "j") }
    let head = HeadToHead(
      answers([("sft", lengths), ("ppo", lengths.reversed())]), judged: judged, judge: "j", seed: 2)
    let further = head.figures(isFurther: true)
    #expect(
      further.map(\.name) == [
        "sft/win_rate_vs_ppo/j", "sft/lc_win_rate_vs_ppo/j", "ppo/win_rate_vs_sft/j",
        "ppo/lc_win_rate_vs_sft/j", "cyclic_share/j", "strict_cycles/j",
      ])
    for figure in further + head.figures(isFurther: false) {
      let ends = figure.interval ?? []
      #expect(ends.count == 2 && figure.sampleSize == 6, "\(figure.name)")
      #expect(ends[0] <= figure.value + 1e-9 && figure.value <= ends[1] + 1e-9, "\(figure)")
    }
    #expect(head.figures(isFurther: false).map(\.name).first == "sft/lc_win_rate_vs_ppo")
  }

  /// Two runs of a method that are right on other prompts: the method's rate is their mean, and its interval
  /// knows of both runs.
  @Test func runsOfAMethodAreTakenTogether() throws {
    let lengths = [Int](repeating: 4, count: 8)
    // The first run wins six of eight prompts, the second two; another method ties everywhere.
    let judged = lengths.indices.map { prompt in
      Judgement(
        scores: [0, prompt < 6 ? 1 : -1, prompt < 2 ? 1 : -1, 0], source: "j")
    }
    let head = HeadToHead(
      answers([("sft", lengths), ("ppo-seed1", lengths), ("ppo-seed2", lengths), ("dpo", lengths)]),
      judged: judged, judge: "j", seed: 3)
    let methods = try #require(head.methods)
    #expect(methods.names == ["sft", "ppo", "dpo"] && methods.members == [[0], [1, 2], [3]])
    #expect(methods.rates[1][0].value == 0.5 && methods.rates[1][0].bySeed == [0.75, 0.25])
    #expect(methods.rates[2][0].value == 0.5 && methods.rates[2][0].interval.upper == 0.5)
    #expect(methods.rates[1][2].bySeed == [0.75, 0.25])
    // Wider than that of either run alone; that of a single run is its policy's.
    let (dpo, policy) = (methods.rates[2][0].interval, head.rates[3][0].interval)
    #expect(dpo == policy && methods.controlled[2][0] == head.controlled[3][0])
    let single = head.rates[1][0].interval
    let both = methods.rates[1][0].interval
    #expect(both.upper - both.lower > single.upper - single.lower)
    let figures = methods.figures(isFurther: false)
    #expect(
      figures.map(\.name) == [
        "ppo/win_rate_vs_sft", "ppo/win_rate_vs_dpo", "ppo/lc_win_rate_vs_sft",
        "ppo/lc_win_rate_vs_dpo", "ppo/kl_from_sft", "ppo/mean_length",
      ])
    #expect(figures.last?.value == 4 && figures.first?.sampleSize == 16)
    #expect(methods.wins.map(\.name) == ["ppo", "dpo"])
    #expect(
      HeadToHead(
        answers([("sft", lengths), ("dpo", lengths)]),
        judged: lengths.map { _ in Judgement(scores: [0, 1], source: "j") }, judge: "j", seed: 1
      ).methods == nil)
  }

  /// Two runs against three, of other lengths: what a method wins is what the other loses, to the bit, in the
  /// rate, at equal length and at the ends of the intervals.
  @Test func bothDirectionsOfTwoMethodsMirrorEachOther() throws {
    let prompts = 9
    func lengths(_ step: Int) -> [Int] { (0..<prompts).map { 3 + ($0 * step) % 7 } }
    let names = ["sft", "ppo-seed1", "ppo-seed2", "gpo-seed1", "gpo-seed2", "gpo-seed3"]
    let judged = (0..<prompts).map { prompt in
      Judgement(scores: names.indices.map { Double((prompt + 2) * ($0 + 3) % 5) }, source: "j")
    }
    let head = HeadToHead(
      answers(names.enumerated().map { ($0.element, lengths($0.offset + 1)) }), judged: judged,
      judge: "j", seed: 4)
    let methods = try #require(head.methods)
    #expect(methods.members == [[0], [1, 2], [3, 4, 5]])
    for (a, b) in [(1, 0), (2, 0), (2, 1)] {
      let (rate, other) = (methods.rates[a][b], methods.rates[b][a])
      let left = [rate.value, rate.interval.upper, rate.interval.lower].map { 1 - $0 }
      #expect(left == [other.value, other.interval.lower, other.interval.upper])
      let runs = rate.bySeed.map { 1 - $0 }
      #expect(runs == other.bySeed && rate.prompts == other.prompts)
      #expect(rate.interval.lower < rate.interval.upper)
      let (fair, turned) = (methods.controlled[a][b], methods.controlled[b][a])
      let fairLeft = [fair.rate, fair.interval.upper, fair.interval.lower].map { 1 - $0 }
      #expect(fairLeft == [turned.rate, turned.interval.lower, turned.interval.upper])
      #expect(fair.lengthWeight == turned.lengthWeight && fair.comparisons == turned.comparisons)
    }
    // Each of two runs against each of three.
    #expect(methods.rates[2][1].bySeed.count == 6 && methods.rates[1][2].bySeed.count == 6)
    let own = methods.rates.indices.map { methods.rates[$0][$0].value }
    #expect(own == [0.5, 0.5, 0.5])
  }

  /// Methods with as many runs each: runs of one number play each other, every answer counts once.
  @Test func runsOfOneNumberPlayEachOther() throws {
    let sft = [[Int]](repeating: [4, 4], count: 4)
    let runs = several([
      ("sft", sft), ("ppo-seed1", sft.map { _ in [5, 4] }), ("ppo-seed2", sft.map { _ in [7, 6] }),
      ("dpo-seed1", sft), ("dpo-seed2", sft),
    ])
    // The first run of either method scores low, the second high; of both, PPO's is the better one.
    let scores = [0.0, 0, 1, 1, 3, 3, 0.5, 0.5, 2, 2]
    let head = HeadToHead(
      runs, judged: sft.map { _ in Judgement(scores: scores, source: "j") }, judge: "j", seed: 1)
    let methods = try #require(head.methods)
    #expect(methods.rates[1][2].bySeed == [1, 1] && methods.rates[2][1].value == 0)
    #expect(methods.controlled[1][2].comparisons == 2 * 4 * 2)
    #expect(methods.lengths.map(\.value) == [4, 5.5, 4])
    #expect(methods.lengths[1].bySeed == [4.5, 6.5])
  }

  /// Rounds that every run has, in order, and only where a held-out judge looked.
  @Test func theWayToTheFrontierIsTheMeanOfTheRuns() throws {
    func rounds(_ values: [(Double, Double?)]) -> [(step: Int, values: [String: Double])] {
      values.enumerated().map { index, pair in
        var metrics = ["objective/kl": pair.0]
        metrics["held_out/score"] = pair.1
        return (index + 1, metrics)
      }
    }
    let chart = try #require(
      KLFrontier.paths([
        ("ppo-seed1", rounds([(0, 1), (2, 3), (4, nil)])), ("ppo-seed2", rounds([(1, 2), (4, 7)])),
        ("dpo", rounds([(0, nil)])),
      ]))
    guard case .lines(let series) = chart.content else {
      Issue.record("expected lines, found \(chart.content)")
      return
    }
    #expect(series.map(\.name) == ["ppo"])
    #expect(series[0].points == [Chart.Point(0.5, 1.5), Chart.Point(3, 5)])
    #expect(KLFrontier.paths([("dpo", rounds([(0, nil)]))]) == nil)
    #expect(chart.caption.hasSuffix("the mean of the round's responses, without interval."))
    // A run with 32 responses in its round, and two with 32 each.
    let counted = ["objective/kl": 1.0, "held_out/score": 2, "held_out/responses": 32]
    let counts = ["dpo", "ppo-seed1", "ppo-seed2"].map { run in
      KLFrontier.paths([(run, [(1, counted)]), ("ppo-seed1", [(1, counted)])])?.caption ?? ""
    }
    let expected = ["32 responses", "64 responses", "64 responses"]
    for (caption, text) in zip(counts, expected) {
      #expect(
        caption.hasSuffix("each point is the mean of \(text), without interval."), "\(caption)")
    }
  }

  /// A tenth of the prompts is a tenth of the work, also where that is less than the usual number.
  @Test func aLimitOfPromptsShortensThePlan() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = try TemporaryFolder()
    let text = try String(
      contentsOf: root.appending(path: "recipes/compare-gpo-ppo.yaml"), encoding: .utf8
    ).replacing("examples/", with: root.appending(path: "examples").path + "/")
    func seconds(_ prompts: Int) throws -> Double {
      let limited = text.replacing("max_prompts: 200", with: "max_prompts: \(prompts)")
      let plan = try Runner(
        try StageRegistry.standard.loader.load(yaml: limited), registry: .standard,
        directory: folder.url
      ).plan()
      return try #require(plan.last?.plan.seconds)
    }
    let (few, many) = (try seconds(30), try seconds(300))
    #expect(abs(many / few - 10) < 0.01, "\(few) \(many)")
  }

  /// A duel is won or lost by the method over its seeds, at its own length and at an equal one.
  @Test func aDuelIsAClaimForEachJudge() throws {
    let lengths = [Int](repeating: 4, count: 12)
    // Runs of 1, 11/12 and 1: of two of them alone Student's interval would reach below one half.
    let judged = lengths.indices.map { prompt in
      Judgement(scores: [0, 2, prompt == 0 ? 0 : 2, 2, 1], source: "j")
    }
    let runs = answers([
      ("sft", lengths), ("ppo-seed1", lengths), ("ppo-seed2", lengths), ("ppo-seed3", lengths),
      ("dpo", lengths),
    ])
    let heads = ["j", "k"].map { HeadToHead(runs, judged: judged, judge: $0, seed: 3) }
    var duel = Duel()
    (duel.policy, duel.over, duel.paper) = ("ppo", "dpo", "24 of 24 comparisons")
    let claims = duel.claims(heads)
    #expect(
      claims.map(\.name) == [
        "ppo beats dpo under 'j' (lower end of the 95 % interval)",
        "ppo beats dpo at equal length under 'j' (lower end of the 95 % interval)",
        "ppo beats dpo under 'k' (lower end of the 95 % interval)",
        "ppo beats dpo at equal length under 'k' (lower end of the 95 % interval)",
      ])
    let method = try #require(heads[0].methods).rates[1][2].interval.lower
    #expect(claims.first?.measured == method && method > 0.5 && method < 1)
    // What is claimed is the lower end; the whole interval stands beside it.
    let ends = claims.map { $0.interval?.first ?? .nan }
    #expect(ends == claims.map(\.measured))
    #expect(claims.allSatisfy { ($0.interval?.last ?? 0) >= $0.measured })
    let outcomes = claims.map(\.held)
    #expect(outcomes == [true, true, true, true])
    #expect(claims.first?.paper == "24 of 24 comparisons")
    // A single run by its name; and the other way round, which is lost.
    (duel.policy, duel.over, duel.paper) = ("dpo", "ppo-seed1", "")
    let lost = duel.claims([heads[0]])
    #expect(lost.count == 2 && lost[0].measured == 0 && lost[0].paper == nil)
    #expect(!lost[0].held && !lost[1].held)

    try duel.requireContestants(["sft", "ppo-seed1", "dpo"])
    #expect(throws: ConfigurationProblem.self) { try duel.requireContestants(["sft", "dpo"]) }
    duel.over = "dpo"
    #expect(throws: ConfigurationProblem.self) { try duel.validate() }
  }

  /// What an earlier stage cost, as a comparison reads it.
  private struct CostStage: Stage {
    struct Configuration: StageConfiguration {
      static let kind = "cost"
      var earlier = ""
    }

    let configuration: Configuration
    var inputs: [String] { [configuration.earlier] }

    func plan(_ context: PlanContext) -> StagePlan { StagePlan("cost") }

    func run(_ context: StageContext) throws -> StageResult {
      StageResult(figures: try PolicyCosts(context, configuration.earlier)?.figures ?? [])
    }
  }

  /// Killed in its fourth step, the stage goes on from its second: the third is done and timed twice.
  @Test func aStepThatIsDoneAgainCostsOnce() throws {
    let folder = try TemporaryFolder()
    let registry = StageRegistry([WalkStage.self, CostStage.self])
    let yaml =
      "name: c\nseed: 1\nthreads: 2\nstages:\n  walk: {steps: 6}\n  cost: {earlier: walk}\n"
    func run(_ mode: Runner.Mode) throws -> RunSummary {
      try Runner(
        try registry.loader.load(yaml: yaml), registry: registry, directory: folder.url, mode: mode
      ).run()
    }
    let dying = WalkStage.Control()
    dying.diesAt = ("walk", 4)
    #expect(throws: WalkStage.Death.self) {
      try WalkStage.$control.withValue(dying) { try run(.refusing) }
    }
    let summary = try run(.resuming)
    let times = try folder.text("timings.jsonl").split(separator: "\n").count {
      $0.contains("\"walk\"")
    }
    #expect(times == 7)
    let tokens = try #require(summary.figures["cost/walk/training_tokens"])
    #expect(tokens.value == 60 && tokens.sampleSize == 6)
  }

  /// At equal length the claim is that of the fit and not the plain rate once more.
  @Test func aDuelAtEqualLengthHasAnIntervalOfItsOwn() throws {
    let own = [3, 9, 4, 8, 5, 7, 6, 10, 4, 9, 3, 8]
    // Length wins, but for the third prompt.
    let judged = own.enumerated().map { index, length in
      Judgement(scores: [6, index == 2 ? 7 : Double(length)], source: "j")
    }
    let head = HeadToHead(
      answers([("sft", own.map { _ in 6 }), ("ppo", own)]), judged: judged, judge: "j", seed: 3)
    var duel = Duel()
    (duel.policy, duel.over) = ("ppo", "sft")
    let measured = duel.claims([head]).map(\.measured)
    #expect(
      measured == [head.rates[1][0].interval.lower, head.controlled[1][0].interval.lower])
    #expect(measured.first != measured.last)
    // With one run of each, the method is that run.
    let single = HeadToHead(
      answers([("sft", own.map { _ in 6 }), ("ppo-seed1", own)]), judged: judged, judge: "j",
      seed: 3)
    #expect(single.methods == nil)
    #expect(duel.claims([single]).map(\.measured) == measured)
  }

  /// What preference pretraining gains is the NLL without it less that with it.
  @Test func theGainOfPretrainingIsTheDifferenceOfNLL() throws {
    let world = try TinyWorld.shared()
    let claim = try #require(
      world.summary.claims.first { $0.name.hasPrefix("preference pretraining lowers") })
    let plain = try #require(world.summary.figures["reward-plain/test_nll"]).value
    let tuned = try #require(world.summary.figures["reward/test_nll"]).value
    #expect(claim.measured == plain - tuned && claim.name.contains("NLL of reward "))
    #expect(claim.paper?.contains("HelpSteer2 (7K) (arXiv 2505.10527, Table 2)") == true)
  }

  /// The same in a run: two held-out judges, what each policy cost, and the frontier.
  @Test func aComparisonHasAllOfIt() throws {
    let world = try TinyWorld.shared()
    let stage = try #require(world.summary.stages.first { $0.name == "compare" })
    let figures = Dictionary(
      uniqueKeysWithValues: stage.result.figures.map { ($0.name, $0) })
    for name in [
      "ppo/lc_win_rate_vs_sft", "sft/lc_win_rate_vs_gpo", "ppo/win_rate_vs_dpo/preference",
      "gpo/lc_win_rate_vs_sft/preference", "cyclic_share/judge", "cyclic_share/preference",
    ] { #expect(figures[name]?.interval?.count == 2, "\(name)") }
    // A scalar cannot run in circles; an embedding of four dimensions can.
    #expect((figures["cyclic_share/judge"]?.value ?? 1) < 1e-9)
    #expect((figures["cyclic_share/preference"]?.value ?? 0) > 1e-6)
    // Two passes over what was sampled, in two minibatches each; the off-line stage counts what it read.
    let sampled = try #require(figures["ppo/sampled_tokens"])
    #expect(sampled.sampleSize == 10 && sampled.value > 320)
    #expect(figures["ppo/training_tokens"]?.value == 2 * sampled.value)
    #expect(figures["ppo/optimizer_steps"]?.value == 40)
    #expect((figures["dpo/training_tokens"]?.value ?? 0) > 1000)
    #expect(figures["dpo/sampled_tokens"] == nil)
    // Ten rounds of 32 prompts with one response, and those that the scores were normalised on.
    let prompts = try DataFile.prompts(
      world.directory.appending(path: "stages/data/prompts.train.jsonl.zst")
    ).rows.count
    let judged = Double(320 + min(prompts, 128))
    #expect(figures["ppo/judged_responses"]?.value == judged)
    #expect(figures["dpo/judged_responses"] == nil)
    // The held-out judge saw rounds 1, 2, 3, 5 and 10 of PPO, and 1, 2, 3, 5 and 8 of GPO.
    let watched = ["ppo", "gpo"].map { figures["\($0)/watched_responses"]?.value }
    #expect(watched == [160, 320])
    #expect(figures["dpo/watched_responses"] == nil)
    let report = try String(
      contentsOf: world.directory.appending(path: "report.html"), encoding: .utf8)
    for text in [
      "Head to head", "at equal length", "win rate over sft against KL",
      "What each policy cost on this machine", "strict cycles",
    ] { #expect(report.contains(text), "\(text)") }
  }
}
