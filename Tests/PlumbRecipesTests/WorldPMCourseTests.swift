import Foundation
import PlumbData
import PlumbEvaluation
import Testing

@testable import PlumbRecipes

/// The log-odds of a pair with this loss, nats: the inverse of `pairLoss`.
func oddsOfLoss(_ loss: Double) -> Double { -log(exp(loss) - 1) }

/// What is said of a course of snapshots whose losses were made by hand.
@Suite struct WorldPMCourseTests {
  /// Two snapshots on eight prompts a task; the first has a loss of 0.7 everywhere, the last that and
  /// the changes of its task, over and over.
  func course(
    _ tasks: [(suite: PreferenceSuite, changes: [Double], isGrid: Bool)], prompts: Int = 8
  ) -> SuiteCourse {
    let layout = SuiteLayout(
      tasks: tasks.enumerated().map { ($1.suite, "task \($0)") },
      taskOfRow: tasks.indices.flatMap { [Int](repeating: $0, count: 8) },
      promptOfRow: tasks.indices.flatMap { task in (0..<8).map { task * prompts + $0 % prompts } },
      stylesOfRow: tasks.flatMap { task in
        (0..<8).map { _ in task.isGrid ? (chosen: 0, rejected: 0) : nil }
      })
    let changes = tasks.flatMap { task in (0..<8).map { task.changes[$0 % task.changes.count] } }
    func scores(_ losses: [Double]) -> MeasuredSuites {
      MeasuredSuites(layout, logOdds: losses.map(oddsOfLoss), seed: 1)
    }
    return SuiteCourse(
      name: "base",
      points: [(3, scores(changes.map { _ in 0.7 })), (102, scores(changes.map { 0.7 + $0 }))])
  }

  func claim(_ suite: PreferenceSuite, _ changes: [Double]) throws -> Claim {
    let claims = course([(suite, changes, false)]).claims
    #expect(claims.count == 1)
    return try #require(claims.first)
  }

  /// By hand: changes of −0.01 ± 0.2 have a standard error of √(8/7 · 8 · (0.2/8)²) = 0.075593, Student's
  /// t with 7 degrees of freedom is 2.364624, so the interval reaches from −0.188749 to 0.168749.
  @Test(arguments: [PreferenceSuite.adversarial, .objective])
  func aFallMustBeBeyondItsInterval(_ suite: PreferenceSuite) throws {
    let undecided = try claim(suite, [-0.21, 0.19])
    let error = abs(undecided.measured - 0.168749)
    #expect(error < 1e-5, "\(undecided.measured)")
    #expect(!undecided.held && undecided.name.contains("falls from step 3 to 102"))
    #expect(try claim(suite, [-0.11, -0.09]).held)
    #expect(try !claim(suite, [0.11, 0.09]).held)
  }

  @Test func subjectiveLossIsExpectedNotToFall() throws {
    #expect(try claim(.subjective, [0.11, 0.09]).held)
    // A fall within the margin of 0.02 counts as flat.
    let flat = try claim(.subjective, [-0.011, -0.009])
    #expect(flat.held && flat.bound == -0.02 && flat.name.contains("does not fall"))
    #expect(try !claim(.subjective, [-0.11, -0.09]).held)
    // By hand, as above with a mean of 0: too noisy to say that it does not fall.
    let undecided = try claim(.subjective, [-0.2, 0.2])
    let error = abs(undecided.measured + 0.178749)
    #expect(error < 1e-5 && !undecided.held)
  }

  @Test func thePapersQualificationsAreToldWithTheVerdict() throws {
    #expect(try #require(try claim(.objective, [0]).paper).contains("large models only"))
    #expect(try #require(try claim(.subjective, [0]).paper).contains("flat or rising"))
    #expect(try #require(try claim(.adversarial, [0]).paper).contains("all sizes"))
  }

  @Test func aStyleGridIsToldApartFromTheCorruptions() throws {
    let found = course([
      (.adversarial, [-0.11, -0.09], false), (.adversarial, [0.31, 0.29], true),
      (.subjective, [0.02], false),
    ])
    #expect(
      found.changes.map(\.name) == [
        "adversarial", "adversarial/corruptions", "adversarial/style grid", "subjective",
      ])
    #expect(found.changes.map(\.rows) == [16, 8, 8, 8])
    // Tasks count alike: (−0.1 + 0.3) / 2.
    for (change, expected) in zip(found.changes, [0.1, -0.1, 0.3, 0.02]) {
      let errors = [
        change.change.value - expected, change.before - 0.7, change.after - 0.7 - expected,
      ].map { abs($0) }
      let worst = try #require(errors.max())
      #expect(worst < 1e-9, "\(change.name)")
    }
    let figure = try #require(found.figures["base/adversarial/style grid/nll_change"])
    #expect(figure.unit == "nats" && figure.sampleSize == 8 && figure.interval != nil)
    #expect(try #require(found.table).rows.count == 4)
    // The claims are about whole suites.
    #expect(found.claims.count == 2)
  }

  @Test func withoutASecondPromptOrSnapshotThereIsNoVerdict() {
    #expect(course([(.subjective, [0.1], false)], prompts: 1).claims.isEmpty)
    let whole = course([(.subjective, [0.1], false)])
    let single = SuiteCourse(name: "base", points: Array(whole.points.prefix(1)))
    #expect(single.claims.isEmpty && single.table == nil && single.figures.isEmpty)
  }
}
