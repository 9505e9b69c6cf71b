import Foundation
import PlumbData
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbEvaluation

/// The shipped tournaments: known counts, and fits against SciPy's.
@Suite struct TournamentTests {
  static func shipped(_ name: String) throws -> Tournament {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try Tournament(
      contentsOf: root.appending(path: "examples/data/tournament-\(name).jsonl.zst"))
  }

  struct File: Decodable {
    struct Fit: Decodable {
      let place, value: Double
      let ratings: [Double]?
      let table: [[Double]]?
      let log_tie: Double?
    }
    struct Hodge: Decodable {
      let energy: HodgeTests.File.Energy
      let ratings: [Double]
    }
    let systems: [String]
    let bt, skew, davidson: Fit
    let hodge: Hodge
  }

  @Test(arguments: [("vicuna80", 4467, 4480, 5), ("oasst953", 38544, 33023, 121)])
  func strictCyclesAreTheKnownOnes(expected: (String, Int, Int, Int)) throws {
    let tournament = try Self.shipped(expected.0)
    #expect(tournament.comparisons.count == expected.1)
    var counts = CycleCount()
    var listed = 0
    for graph in PreferenceGraph.graphs(of: tournament) {
      counts += graph.cycleCount
      listed += graph.strictCycles().cycles.count
    }
    #expect(counts.triples == expected.2)
    #expect(counts.cycles == expected.3)
    #expect(listed == expected.3)
    let study = TournamentStudy(tournament)
    #expect(study.strictCycleCount == expected.3)
  }

  @Test func fitsAreSciPys() throws {
    let golden = try Golden.json("tournament", as: File.self)
    let tournament = try Self.shipped("vicuna80")
    #expect(tournament.systems == golden.systems)
    let observations = tournament.comparisons.map {
      TournamentModel.Observation(first: $0.first, second: $0.second, points: $0.points)
    }
    func model(_ form: TournamentModel.Form) -> TournamentModel {
      TournamentModel(
        fitting: observations, systems: 8, form: form, penalty: .init(shared: 0.1))
    }
    let ratings = model(.ratings)
    expectClose(ratings.place, golden.bt.place, absolute: 1e-5)
    expectClose(
      ratings.shared.map { $0[0] }, try #require(golden.bt.ratings), absolute: 1e-4, relative: 1e-4)
    let skew = model(.skew(1))
    expectClose(skew.place, golden.skew.place, absolute: 1e-5)
    let table = try #require(golden.skew.table)
    for i in 0..<8 {
      // The embedding is only known up to a turn, the table is not.
      expectClose(
        (0..<8).map { skew.logOdds(i, over: $0) }, table[i], absolute: 1e-3, relative: 1e-3)
    }
    let penalty = skew.shared.joined().reduce(0) { $0 + 0.05 * $1 * $1 }
    expectClose(
      observations.reduce(penalty) { $0 + skew.loss($1) }, golden.skew.value, absolute: 1e-4,
      relative: 0)
  }

  @Test func tiesAndThePooledTableAreSciPys() throws {
    let golden = try Golden.json("tournament", as: File.self)
    let graphs = PreferenceGraph.graphs(of: try Self.shipped("vicuna80"))
    let model = DavidsonModel(fitting: graphs, sharesRatings: true, localPenalty: .infinity)
    expectClose(model.place, golden.davidson.place, absolute: 1e-4)
    expectClose(model.logTie, try #require(golden.davidson.log_tie), absolute: 1e-4)
    for ratings in model.ratings {
      expectClose(ratings, try #require(golden.davidson.ratings), absolute: 2e-3, relative: 1e-3)
    }
    let hodge = HodgeDecomposition(.pooled(graphs))
    expectClose(hodge.ratings, golden.hodge.ratings, absolute: 1e-9, relative: 1e-9)
    expectClose(hodge.energy.curl, golden.hodge.energy.curl, absolute: 1e-8, relative: 1e-9)
    expectClose(hodge.energy.total, golden.hodge.energy.total, absolute: 1e-8, relative: 1e-9)
  }

  @Test(arguments: [TournamentModel.Form.place, .ratings, .skew(1), .skew(2)], [false, true])
  func gradientIsThatOfFiniteDifferences(form: TournamentModel.Form, hasLocal: Bool) {
    var stream = RandomStream(seed: 5, purpose: "observations")
    let observations = (0..<30).map { _ in
      let first = stream.uniform(below: 4)
      return TournamentModel.Observation(
        first: first, second: (first + 1 + stream.uniform(below: 3)) % 4,
        group: stream.uniform(below: 3), points: Double(stream.uniform(below: 5)) / 2, count: 2)
    }
    let problem = TournamentModel.Problem(
      observations: observations, systems: 4, groups: hasLocal ? 3 : 0, form: form,
      penalty: .init(shared: 0.3, local: 0.7))
    let x = (0..<problem.size).map { _ in Double(stream.normal()) }
    let gradient = problem.value(x).gradient
    for index in x.indices {
      var (up, down) = (x, x)
      up[index] += 1e-5
      down[index] -= 1e-5
      let numeric = (problem.value(up).value - problem.value(down).value) / 2e-5
      expectClose(gradient[index], numeric, absolute: 1e-6, relative: 1e-6, "\(index)")
    }
  }

  /// A circle of three systems: no rating predicts it, one plane does.
  @Test func embeddingsPredictACircleThatRatingsCannot() throws {
    let tournament = Self.generated(prompts: 60) { i, j in (j - i + 3) % 3 == 1 ? 2 : -2 }
    let study = TournamentStudy(tournament, seed: 1, resamples: 100)
    let results = try study.results(.system, forms: [.place, .ratings, .skew(1)])
    #expect(results.map(\.form) == [.place, .ratings, .skew(1)])
    let skew = results[2]
    #expect(skew.gainInterval.lower > 0.2)
    #expect(skew.capturedCycles > 0.9)
    #expect(results[1].capturedCycles == 0)
    #expect(abs(results[1].nll - results[0].nll) < 0.05)
    #expect(skew.verdicts == tournament.comparisons.count)
    #expect(study.strictCycleCount > 10)
  }

  /// An order: embeddings have nothing to gain, and are not far behind.
  @Test func ratingsAreEnoughForAnOrder() throws {
    let tournament = Self.generated(prompts: 60) { i, j in Double(j - i) }
    let results = try TournamentStudy(tournament, seed: 1, resamples: 100)
      .results(.system, forms: [.ratings, .skew(1)])
    #expect(results[0].nll < 0.62)
    #expect(abs(results[1].gain) < 0.01)
  }

  @Test func theNullKnowsNoiseFromACircle() {
    func measured(_ strength: @escaping (Int, Int) -> Double) throws -> Cyclicity {
      let graphs = PreferenceGraph.graphs(of: Self.generated(prompts: 60, strength))
      return Cyclicity(
        graphs, pooled: true,
        null: DavidsonModel(fitting: graphs, sharesRatings: true, localPenalty: .infinity),
        draws: 100, resamples: 50)
    }
    let order = try? measured { i, j in Double(j - i) / 2 }
    #expect(order?.cyclicShare.null.map { $0.pValue > 0.05 } == true)
    let circle = try? measured { i, j in (j - i + 3) % 3 == 1 ? 2 : -2 }
    // No draw of a hundred reaches it.
    #expect((circle?.cyclicShare.null?.pValue ?? 1) < 0.0100)
    #expect(circle.map { $0.cyclicShare.value > 0.9 } == true)
  }

  /// Three systems, both orders, a first place worth 0.5, verdicts drawn from the strengths.
  static func generated(
    prompts: Int, _ strength: (Int, Int) -> Double
  ) -> Tournament {
    var comparisons: [Tournament.Comparison] = []
    for prompt in 0..<prompts {
      var stream = RandomStream(seed: 9, purpose: "tournament", row: prompt)
      for i in 0..<3 {
        for j in 0..<3 where i != j {
          let p = 1 / (1 + exp(-strength(i, j) - 0.5))
          comparisons.append(
            .init(prompt: prompt, first: i, second: j, points: Double(stream.uniform()) < p ? 1 : 0)
          )
        }
      }
    }
    return Tournament(
      systems: ["a", "b", "c"], prompts: (0..<prompts).map { .init(id: "\($0)") },
      comparisons: comparisons)
  }

  @Test func simulatedVerdictsHaveTheModelsShares() {
    let shares = DavidsonModel.shares(z: 0.8, logTie: -0.5)
    let (a, b, c) = (exp(0.4), exp(-0.4), exp(-0.5))
    expectClose(shares.first, a / (a + b + c), absolute: 1e-12)
    expectClose(shares.tie, c / (a + b + c), absolute: 1e-12)
    #expect(DavidsonModel.shares(z: 2000, logTie: -.infinity).first == 1)
    // Two items, ten thousand comparisons: counted back.
    let graph = PreferenceGraph(
      items: 2,
      comparisons: (0..<4000).map { index in
        .init(
          first: 0, second: 1, points: index % 10 < 6 ? 1 : index % 10 < 8 ? 0 : 0.5)
      })
    let model = DavidsonModel(
      fitting: [graph], sharesRatings: true, sharedPenalty: 1e-9, localPenalty: .infinity)
    let drawn = model.simulate([graph], seed: 1, draw: 0)[0].comparisons
    let wins = Double(drawn.count { $0.points == 1 }) / 4000
    let ties = Double(drawn.count { $0.points == 0.5 }) / 4000
    expectClose(wins, 0.6, absolute: 0.03, relative: 0)
    expectClose(ties, 0.2, absolute: 0.03, relative: 0)
  }

  @Test func tablesOfAModelAreMeasured() {
    let circle = [[0.0, 2, -2], [-2, 0, 2], [2, -2, 0]]
    let order = [[0.0, 1, 2], [-1, 0, 1], [-2, -1, 0]]
    let found = Cyclicity(tables: [circle, order], resamples: 20)
    #expect(found.counts.cycles == 1 && found.counts.decided == 2 && found.counts.triples == 2)
    // Energies 12 of the circle and 6 of the order.
    expectClose(found.cyclicShare.value, 12 / 18, absolute: 1e-12)
    #expect(found.cycles.null == nil)
  }

  @Test func pairsOfAPromptMakeAGraph() throws {
    func pair(_ prompt: String, _ chosen: String, _ rejected: String) throws -> PreferencePair {
      let json = """
        {"id": "", "source": "", "prompt": [{"role": "user", "content": "\(prompt)"}],
        "chosen": "\(chosen)", "rejected": "\(rejected)"}
        """
      return try JSONDecoder().decode(PreferencePair.self, from: Data(json.utf8))
    }
    let graphs = PreferenceGraph.graphs(
      of: try [
        pair("p", "a", "b"), pair("q", "a", "b"), pair("p", "b", "c"), pair("p", "c", "a"),
      ])
    #expect(graphs.map(\.items) == [3, 2])
    #expect(graphs.map(\.hasLoop) == [true, false])
    #expect(graphs[0].cycleCount.cycles == 1)
    #expect(graphs[0].strictCycles().cycles == [[0, 1, 2]])
    #expect(graphs[1].cycleCount == CycleCount())
  }

  @Test(arguments: [
    (#"{"first": "a", "second": "b", "winner": 1}"#, "question_id, message_id or id"),
    (#"{"id": 1, "first": "a", "second": "b", "winner": 3}"#, "0, 1 or 2"),
    (#"{"id": 1, "first": "a", "second": "a", "winner": 1}"#, "two different names"),
    (#"{"id": 1, "chosen": "a"}"#, "first, second and winner"),
    (#"{"id": 1, "comparisons": []}"#, "no verdict"),
  ])
  func badRowsAreNamed(row: (String, String)) throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).jsonl")
    defer { try? FileManager.default.removeItem(at: url) }
    try Data((row.0 + "\n").utf8).write(to: url)
    let error = #expect(throws: DataError.self) { try Tournament(contentsOf: url) }
    #expect(error.map { "\($0)".contains(row.1) } == true, "\(error.map { "\($0)" } ?? "")")
  }

  @Test func netVerdictsBecomePairsOfTexts() throws {
    let tournament = try Self.shipped("vicuna80")
    let pairs = tournament.pairs(source: "vicuna")
    #expect(pairs.count > 1000)
    #expect(pairs.allSatisfy { $0.chosen != $0.rejected && ($0.margin ?? 0) > 0 })
    #expect(try Self.shipped("oasst953").pairs(source: "oasst").isEmpty)
    #expect(Set(pairs.map(\.promptKey)).count == 80)
  }
}
