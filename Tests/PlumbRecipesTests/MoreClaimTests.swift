import PlumbEvaluation
import PlumbPreferences
import PlumbRollouts
import Testing

@testable import PlumbRecipes

/// Verdicts on the schemes: a difference whose interval holds 0 is none.
@Suite struct MoreClaimTests {
  /// Log-odds of both schemes on 40 pairs of different prompts, one seed.
  static func claims(multiTask: (_ pair: Int) -> Double, more: (_ pair: Int) -> Double) -> [Claim] {
    let pairs = Int32(0)..<40
    let source = PreferenceSource(
      name: "s", train: [], validation: [],
      test: pairs.map {
        EncodedPair(
          group: PreferenceGroup(prompt: [$0], chosen: [1], rejected: [2]), source: "s")
      })
    func cell(_ scheme: MoreConfiguration.Scheme) -> MoreStage.Cell {
      .init(scheme: scheme, source: nil, seed: 1, name: scheme.rawValue)
    }
    func record(_ odds: (Int) -> Double) -> MoreStage.Record {
      .init(logOdds: [(0..<40).map(odds)], weights: [], validationLoss: nil)
    }
    let results = SchemeResults(
      held: HeldOutSources([source]), cells: [cell(.multiTask), cell(.more)],
      records: [record(multiTask), record(more)], schemes: [.multiTask, .more])
    return MoreReport(
      results: results, sources: [source], configuration: MoreConfiguration(), stage: "more",
      seed: 1
    ).result.claims
  }

  /// Both are right on half of the pairs and MORE is a little less sure, so its ECE is 0.002 below
  /// MultiTask's; but it is right on the *other* half, so either difference may as well be the opposite.
  @Test func aDifferenceWithinItsIntervalDoesNotHold() throws {
    let claims = Self.claims(
      multiTask: { $0 % 2 == 0 ? 1 : -1 }, more: { $0 % 2 == 0 ? -0.99 : 0.99 })
    #expect(claims.count == 2)
    let (ece, accuracy) = (try #require(claims.first), try #require(claims.last))
    #expect(ece.name.contains("better calibrated") && ece.measured > 0 && !ece.held)
    #expect(accuracy.name.contains("at most 1 point") && accuracy.measured < -0.01)
    #expect(!accuracy.held)
  }

  /// Both are right on the same tenth of the pairs: on any resample ECE falls by σ(1) − σ(0.02) = 0.226, and
  /// accuracy is the same to the pair.
  @Test func aClearDifferenceHolds() {
    let claims = Self.claims(
      multiTask: { $0 % 10 == 0 ? 1 : -1 }, more: { $0 % 10 == 0 ? 0.02 : -0.02 })
    let measured = claims.map(\.measured)
    #expect(claims.count == 2 && claims.allSatisfy(\.held), "\(measured)")
  }

  /// One win and one tie in two prompts: a rate of 0.75 whose interval begins at 0.5.
  @Test func aDuelIsWonByItsInterval() throws {
    var configuration = BestOfNConfiguration()
    configuration.samples = 0
    let report = BestOfNReport(
      found: BestOfNTests.found, configuration: configuration, stage: "best-of-n",
      buffer: RolloutBuffer(
        groups: [], provenance: .init(source: .sampled, origin: "test")))
    let duel = try #require(report.result.claims.first { $0.name.contains("by MORE beats") })
    #expect(report.found.duel("more", "multi-task")?.rate == 0.75)
    #expect(duel.measured == 0.5 && !duel.held)
  }
}
