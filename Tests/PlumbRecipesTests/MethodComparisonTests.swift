import PlumbEvaluation
import PlumbPreferences
import Testing

@testable import PlumbRecipes

/// What holds of methods with several runs: which runs are one chance, and where there is no rate to claim.
@Suite struct MethodComparisonTests {
  /// PPO's runs win every prompt and are about a hundred tokens longer: it wins, and nothing tells whether by length.
  @Test func noClaimGoesByARateThatIsNotIdentified() throws {
    let short = Array(1...8)
    let long = short.map { 101 + $0 % 2 }
    let names = ["sft", "ppo-seed1", "ppo-seed2"]
    let head = HeadToHead(
      HeadToHeadTests().answers(names.map { ($0, $0 == "sft" ? short : long) }),
      judged: short.map { _ in Judgement(scores: [0, 1, 1], source: "j") }, judge: "j", seed: 3)
    let methods = try #require(head.methods)
    for found in [head.controlled[1][0], head.controlled[0][2], methods.controlled[1][0]] {
      #expect(!found.isIdentified && found.isSeparated && found.rate == 0.5)
    }
    var duel = Duel()
    (duel.policy, duel.over) = ("ppo", "sft")
    let claims = duel.claims([head])
    let (outcomes, measured) = (claims.map(\.held), claims.map(\.measured))
    #expect(outcomes == [true, false] && measured == [1, 0])
    // A dash for the rate, and both words beside it.
    let words = ["separated", "not identified"]
    let rows = head.table.rows.map { ($0[2], $0[4]) } + methods.table.rows.map { ($0[4], $0[7]) }
    #expect(rows.count == 3)
    for (rate, note) in rows {
      let said = words.filter { note.contains($0) }
      #expect(rate == "–" && said == words, "\(rate) \(note)")
    }
    let weights = head.table.rows.map { $0[3] }
    #expect(weights == ["–", "–"])
    let captions = head.matrices.map { $0.caption.contains("not identified") }
    #expect(captions == [false, true])
    let figure = methods.figures(isFurther: false).first { $0.name == "ppo/lc_win_rate_vs_sft" }
    #expect(figure?.value == 0.5 && figure?.interval == [0, 1])
  }

  /// Three runs against two: each side's runs are drawn for themselves, in the rate and at equal length.
  @Test func runsThatShareRowsAreCountedOnce() {
    let even = RunPairing([1, 2], [3, 4])
    let evenPairs = even.pairs.map { [$0.0, $0.1] }
    #expect(evenPairs == [[1, 3], [2, 4]] && even.sides.count == 1)
    let crossed = RunPairing([1, 2, 5], [3, 4])
    let crossedPairs = crossed.pairs.map { [$0.0, $0.1] }
    #expect(crossedPairs == [[1, 3], [1, 4], [2, 3], [2, 4], [5, 3], [5, 4]])
    #expect(crossed.sides == [[1, 1, 2, 2, 5, 5], [3, 4, 3, 4, 3, 4]])
    // The baseline has one run, and adds nothing.
    #expect(RunPairing([1, 2], [0]).sides == [[1, 2], [0, 0]])
  }

  /// Rates as they are and at equal length, and lengths: each side's runs are one source of chance.
  @Test func everyFigureHasTheIntervalOfItsRuns() throws {
    let prompts = 20
    func lengths(_ run: Int) -> [Int] { (0..<prompts).map { 10 + ($0 * (run + 2)) % 7 + run } }
    let names = ["sft", "ppo-seed1", "ppo-seed2", "ppo-seed3", "gpo-seed1", "gpo-seed2"]
    let judged = (0..<prompts).map { prompt in
      Judgement(scores: names.indices.map { Double((prompt + 2) * ($0 + 3) % 5) }, source: "j")
    }
    let answers = HeadToHeadTests().answers(
      names.enumerated().map { ($0.element, lengths($0.offset)) })
    let head = HeadToHead(answers, judged: judged, judge: "j", seed: 4)
    let methods = try #require(head.methods)
    let rows = [4, 5].flatMap { own in
      (1...3).map { HeadToHead.comparisons(answers, judged: judged, own, $0) }
    }
    let points = rows.map { $0.map { $0[0].outcome.points } }
    let sides = [[4, 4, 4, 5, 5, 5], [1, 2, 3, 1, 2, 3]]
    // Each of GPO's runs wins 0.5, 0.9 and 0.5 of PPO's: it is PPO's runs that differ, and they are three.
    let rate = methods.rates[2][1]
    let own = rate.bySeed.map { ($0 * 100).rounded() }
    #expect(own == [50, 90, 50, 50, 90, 50])
    #expect(rate == CrossedMean(points, sides: sides, within: 0...1, seed: 4))
    let student = Interval.studentMean([0.5, 0.9, 0.5])
    let below = student.lower + 0.005
    #expect(rate.interval.lower < below && rate.interval.lower > 0 && rate.interval.upper == 1)
    let fair = LengthControlledWinRate(byRun: rows, sides: sides, seed: 4)
    #expect(methods.controlled[2][1] == fair)
    let length = CrossedMean((1...3).map { lengths($0).map(Double.init) }, seed: 4)
    #expect(methods.lengths[1] == length)
  }

  /// A name that stands twice would give two figures of one name.
  @Test func aContestantThatStandsTwiceIsRefused() throws {
    func configuration(_ baseline: String, _ policies: [String], bestOf: [String] = [])
      -> CompareConfiguration
    {
      var made = CompareConfiguration()
      (made.baseline, made.policies, made.prompts) = (baseline, policies, ["p"])
      made.judge = JudgeChoice(model: "judge")
      made.bestOf = bestOf.map { name in
        var contestant = BestOfPolicy()
        (contestant.name, contestant.policy, contestant.n) = (name, "sft", 2)
        return contestant
      }
      return made
    }
    try configuration("sft", ["ppo-seed1", "ppo-seed2", "dpo"], bestOf: ["best"]).validate()
    for (made, field) in [
      (configuration("sft", ["ppo", "ppo"]), "policies"),
      (configuration("sft", ["ppo", "sft"]), "policies"),
      (configuration("sft", ["ppo-seed1", "ppo-seed2", "ppo"]), "policies"),
      (configuration("sft", ["ppo"], bestOf: ["ppo"]), "best_of"),
      (configuration("sft", [], bestOf: ["best", "best"]), "best_of"),
      (configuration("sft", ["ppo-seed1", "ppo-seed2"], bestOf: ["ppo"]), "best_of"),
    ] {
      let problem = #expect(throws: ConfigurationProblem.self) { try made.validate() }
      #expect(problem?.field == field)
    }
  }
}
