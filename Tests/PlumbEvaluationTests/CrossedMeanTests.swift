import PlumbEvaluation
import PlumbTensors
import PlumbTestSupport
import Testing

/// Means over trainings and prompts.
@Suite struct CrossedMeanTests {
  @Test func meansAreThoseOfTheTable() {
    let found = CrossedMean([[1, 2, 3], [3, 4, 8]])
    #expect(found.value == 3.5 && found.bySeed == [2, 5] && found.prompts == 3)
    #expect(found.interval.lower < 3.5 && found.interval.upper > 3.5)
    #expect(CrossedMean([[1, 2, 3], [3, 4, 8]]) == found)
  }

  /// Without any chance there is no width; with one seed only the prompts have some.
  @Test func widthComesFromWhatDiffers() {
    let equal = CrossedMean([[2, 2], [2, 2]])
    #expect(equal.interval.lower == 2 && equal.interval.upper == 2)
    // Prompts alike, so the runs alone: 0.5 ± 12.706 · 0.7071 / √2; of shares no more than there is.
    let seeds = CrossedMean([[0, 0, 0], [1, 1, 1]])
    expectClose(seeds.interval.upper, 6.853, absolute: 0.001, relative: 0)
    expectClose(seeds.interval.lower, -5.853, absolute: 0.001, relative: 0)
    let shares = CrossedMean([[0, 0, 0], [1, 1, 1]], within: 0...1)
    #expect(shares.interval.lower == 0 && shares.interval.upper == 1)
    let single = CrossedMean([(0..<400).map { Double($0 % 2) }])
    // 1.96 sqrt(0.25 / 400) = 0.049
    expectClose(single.interval.upper - single.value, 0.049, absolute: 0.006, relative: 0)
  }

  /// Of shares: what the one side has, the other lacks, and the interval is turned round.
  @Test func theOtherSideHasWhatIsLeft() {
    let cells = [[1.0, 0, 0, 0], [0.5, 0, 0, 0], [0.75, 0, 0, 0]]
    let own = CrossedMean(cells, within: 0...1, seed: 2)
    let other = CrossedMean(cells.map { $0.map { 1 - $0 } }, within: 0...1, seed: 2)
    let found = own.exchanged
    #expect(own.bySeed == [0.25, 0.125, 0.1875] && found.bySeed == [0.75, 0.875, 0.8125])
    #expect(found.value == 0.8125 && found.prompts == 4)
    expectClose(found.interval.lower, other.interval.lower, absolute: 1e-12, relative: 0)
    expectClose(found.interval.upper, other.interval.upper, absolute: 1e-12, relative: 0)
    // A third of all draws of prompts are without the only one that is won.
    #expect(own.interval.lower == 0 && found.interval.upper == 1 && found.interval.lower > 0)
  }

  /// Three runs of one prompt: Student's interval, which reaches far beyond the outermost run.
  @Test func fewRunsHaveStudentsInterval() {
    let runs = [32.9, 45.0, 47.2]
    let found = CrossedMean(runs.map { [$0] }).interval
    let expected = Interval.studentMean(runs)
    expectClose(found.lower, expected.lower, absolute: 1e-9, relative: 0)
    expectClose(found.upper, expected.upper, absolute: 1e-9, relative: 0)
    // 41.7 ± 4.3027 · 7.7 / √3
    expectClose(found.lower, 22.57, absolute: 0.01, relative: 0)
    expectClose(found.upper, 60.83, absolute: 0.01, relative: 0)
  }

  /// The parts of prompts and runs are squared and added; of one run there is the prompts' alone.
  @Test func promptsAndRunsAddInSquares() {
    let prompts = (0..<40).map { Double($0 % 5) }
    let single = CrossedMean([prompts], seed: 4)
    let runs = [-0.4, 0, 0.4]
    let found = CrossedMean(runs.map { run in prompts.map { $0 + run } }, seed: 4)
    let half = Interval.studentMean(runs).upper
    let (below, above) = (
      single.value - single.interval.lower, single.interval.upper - single.value
    )
    expectClose(found.value, single.value, absolute: 1e-12, relative: 0)
    let lower = found.value - (below * below + half * half).squareRoot()
    let upper = found.value + (above * above + half * half).squareRoot()
    expectClose(found.interval.lower, lower, absolute: 1e-9, relative: 0)
    expectClose(found.interval.upper, upper, absolute: 1e-9, relative: 0)
  }

  /// Three runs against two are six rows, yet three draws of the one and two of the other.
  @Test func rowsThatShareRunsAreNoNewRuns() {
    let (own, other) = ([0.0, 3, 6], [0.0, 4])
    let rows = own.flatMap { a in other.map { [a - $0] } }
    let found = CrossedMean(rows, sides: [[0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1]])
    let (first, second) = (Interval.studentMean(own), Interval.studentMean(other))
    // 7.452 and 25.412: the second side has two runs.
    let halves = [(first.upper - first.lower) / 2, (second.upper - second.lower) / 2]
    let half = (halves[0] * halves[0] + halves[1] * halves[1]).squareRoot()
    #expect(found.value == 1 && found.bySeed == [0, -4, 3, -1, 6, 2])
    expectClose(found.interval.upper, 1 + half, absolute: 1e-9, relative: 0)
    expectClose(found.interval.lower, 1 - half, absolute: 1e-9, relative: 0)
    // A side of one run, as a baseline is, adds nothing.
    let runs = own.map { [$0] }
    #expect(CrossedMean(runs, sides: [[0, 1, 2], [7, 7, 7]]) == CrossedMean(runs))
  }

  /// How many of many tables of normal effects have the true mean, 0, in their interval.
  private func covered(
    tables: Int, runs: Int, prompts: Int, spread: (run: Double, prompt: Double, cell: Double)
  ) -> Double {
    var covered = 0
    for table in 0..<tables {
      var stream = RandomStream(seed: 3, purpose: "crossed test", step: table)
      func normal(_ size: Double) -> Double { size * Double(stream.normal()) }
      let own = (0..<runs).map { _ in normal(spread.run) }
      let asked = (0..<prompts).map { _ in normal(spread.prompt) }
      let cells = own.map { run in asked.map { run + $0 + normal(spread.cell) } }
      let interval = CrossedMean(cells, resamples: 200, seed: UInt64(table)).interval
      covered += interval.contains(0) ? 1 : 0
    }
    return Double(covered) / Double(tables)
  }

  /// Three runs, whether runs or prompts make the difference: 400 tables tell a coverage to about 0.01.
  ///
  /// Drawing runs again would cover 0.7 of the first.
  @Test func theIntervalOfThreeRunsCoversTheTruth() {
    let byRuns = covered(tables: 400, runs: 3, prompts: 30, spread: (1, 0.1, 0.1))
    let byPrompts = covered(tables: 400, runs: 3, prompts: 30, spread: (0.05, 1, 0.3))
    #expect((0.9...0.99).contains(byRuns), "\(byRuns)")
    #expect((0.9...0.99).contains(byPrompts), "\(byPrompts)")
  }

  @Test func theIntervalOfEightRunsCoversTheTruth() {
    let both = covered(tables: 400, runs: 8, prompts: 30, spread: (0.3, 1, 0))
    #expect((0.9...0.99).contains(both), "\(both)")
  }

  @Test func unevenTablesTrap() async {
    await #expect(processExitsWith: .failure) { _ = CrossedMean([[1, 2], [1]]) }
    await #expect(processExitsWith: .failure) { _ = CrossedMean([]) }
    await #expect(processExitsWith: .failure) { _ = CrossedMean([[.nan]]) }
    await #expect(processExitsWith: .failure) { _ = CrossedMean([[1], [2]], sides: [[0]]) }
  }
}
