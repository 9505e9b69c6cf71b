import Foundation
import PlumbEvaluation
import PlumbTensors
import PlumbTestSupport
import Testing

struct IntervalsTests {
  /// Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
  @Test(arguments: [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611),
    (1, 29, 0.0061, 0.1718),
  ])
  func wilsonAsPublished(successes: Int, trials: Int, lower: Double, upper: Double) {
    let interval = Interval.wilson(successes: Double(successes), trials: trials)
    expectClose(interval.lower, lower, absolute: 5e-5, relative: 0)
    expectClose(interval.upper, upper, absolute: 5e-5, relative: 0)
    let mirrored = Interval.wilson(successes: Double(trials - successes), trials: trials)
    expectClose(mirrored.lower, 1 - interval.upper, absolute: 1e-12)
    expectClose(mirrored.upper, 1 - interval.lower, absolute: 1e-12)
  }

  @Test func wilsonAtTheEnds() {
    #expect(Interval.wilson(successes: 0, trials: 0) == Interval(lower: 0, upper: 1))
    #expect(Interval.wilson(successes: 0, trials: 5).lower == 0)
    #expect(Interval.wilson(successes: 5, trials: 5).upper == 1)
    let wide = Interval.wilson(successes: 5, trials: 10, level: 0.99)
    let narrow = Interval.wilson(successes: 5, trials: 10, level: 0.9)
    #expect(wide.lower < narrow.lower && narrow.upper < wide.upper)
    #expect(narrow.contains(0.5) && !narrow.contains(0.99))
  }

  @Test func bootstrapIsAFunctionOfItsSeed() {
    let values = (0..<50).map { Double($0 % 7) }
    func interval(seed: UInt64) -> Interval {
      .bootstrap(rows: 50, resamples: 200, seed: seed) { rows in
        rows.reduce(0) { $0 + values[$1] } / Double(rows.count)
      }
    }
    #expect(interval(seed: 1) == interval(seed: 1))
    #expect(interval(seed: 1) != interval(seed: 2))
  }

  /// For a mean of many values the interval is the normal one, ±1.96 standard errors.
  @Test func bootstrapOfAMeanIsNearlyNormal() {
    var stream = RandomStream(seed: 5, purpose: "test")
    let values = (0..<400).map { _ in Double(stream.normal()) }
    let mean = values.reduce(0, +) / 400
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 400
    let spread = 1.96 * (variance / 400).squareRoot()
    let interval = Interval.bootstrap(rows: 400, resamples: 4000) { rows in
      rows.reduce(0) { $0 + values[$1] } / 400
    }
    expectClose(interval.lower, mean - spread, absolute: 0.1 * spread, relative: 0)
    expectClose(interval.upper, mean + spread, absolute: 0.1 * spread, relative: 0)
  }

  @Test func groupsWidenTheInterval() {
    // Four equal rows per prompt say no more than one.
    let values = (0..<40).flatMap { [Double](repeating: Double($0 % 2), count: 4) }
    func mean(_ rows: [Int]) -> Double { rows.reduce(0) { $0 + values[$1] } / Double(rows.count) }
    let single = Interval.bootstrap(rows: 160, statistic: mean)
    let grouped = Interval.bootstrap(
      groups: (0..<40).map { Array(4 * $0..<4 * $0 + 4) }, statistic: mean)
    let ratio = (grouped.upper - grouped.lower) / (single.upper - single.lower)
    expectClose(ratio, 2, absolute: 0.3, relative: 0)
  }

  @Test func bootstrapOfEqualValuesIsAPoint() {
    let interval = Interval.bootstrap(rows: 3) { _ in 0.7 }
    #expect(interval == Interval(lower: 0.7, upper: 0.7))
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = Interval(lower: 1, upper: 0) }
    await #expect(processExitsWith: .failure) { _ = Interval.wilson(successes: 3, trials: 2) }
    await #expect(processExitsWith: .failure) {
      _ = Interval.wilson(successes: 1, trials: 2, level: 1)
    }
    await #expect(processExitsWith: .failure) { _ = Interval.bootstrap(rows: 0) { _ in 0 } }
  }
}
