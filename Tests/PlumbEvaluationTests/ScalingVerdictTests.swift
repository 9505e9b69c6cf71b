import Foundation
import PlumbTensors
import Testing

@testable import PlumbEvaluation

@Suite struct ScalingVerdictTests {
  static let sizes: [Double] = [100, 200, 400, 800, 1600, 3200]

  /// Rows of two strata in groups of two, with noise of rows, of single losses and of whole runs.
  func losses(
    seed: Int, runs: Int = 3, rows: Int = 200, rowNoise: Double = 0.1, runNoise: Double = 0.002,
    _ curve: (Double) -> Double
  ) -> ScalingLosses {
    var random = RandomStream(seed: UInt64(seed), purpose: "synthetic losses")
    func noise(_ scale: Double) -> Double { Double(random.normal()) * scale }
    let levels = (0..<rows).map { _ in noise(0.3) }
    // What a row gains by data differs from row to row, as what a run gains does from run to run.
    let rowTrends = (0..<rows).map { _ in noise(rowNoise) }
    let values = (0..<runs).map { _ in
      let runTrend = noise(runNoise)
      return Self.sizes.enumerated().map { index, size in
        let position = Double(index) / 5 - 0.5
        return (0..<rows).map { row in
          curve(size) + levels[row] + (rowTrends[row] + runTrend) * position + noise(0.02)
        }
      }
    }
    return ScalingLosses(
      sizes: Self.sizes, values: values, groups: (0..<rows).map { $0 / 2 },
      strata: (0..<rows).map { $0 % 2 })
  }

  @Test func aPowerLawIsFound() throws {
    for seed in 0..<20 {
      let verdict = ScalingVerdict(
        losses(seed: seed) { 2 * pow($0, -0.5) + 0.5 }, resamples: 100, seed: 1)
      #expect(verdict.kind == .powerLaw, "\(verdict.reason)")
      let law = try #require(verdict.law)
      #expect(abs(law.b - 0.5) < 0.25 && abs(law.c - 0.5) < 0.06)
      let intervals = try #require(verdict.lawIntervals)
      #expect(intervals[1].lower < law.b && law.b < intervals[1].upper)
      #expect(verdict.lawShare > 0.9)
      // Each point of the mean curve lies in its own interval.
      let means = losses(seed: seed) { 2 * pow($0, -0.5) + 0.5 }.means
      let areInside = zip(means, verdict.pointIntervals).allSatisfy { mean, interval in
        interval.lower < mean && mean < interval.upper
      }
      #expect(areInside)
      #expect(verdict.pointIntervals.count == Self.sizes.count)
    }
  }

  @Test func aStraightFallInLogSizeIsAPowerLawOfOpenExponent() {
    let verdict = ScalingVerdict(
      losses(seed: 1, rowNoise: 0.001, runNoise: 0.0001) { 1 - 0.05 * log($0) }, resamples: 50)
    #expect(verdict.kind == .powerLaw)
    #expect(verdict.criteria.line < verdict.criteria.flat)
  }

  @Test func flatNoiseIsFlat() {
    let found = (0..<40).map { seed in
      ScalingVerdict(losses(seed: seed) { _ in 0.69 }, margin: 0.05, resamples: 2).kind
    }
    #expect(found.count { $0 == .flat } == 40)
  }

  /// Without a margin worth the name, noise alone is called a trend once in twenty times or less.
  @Test(arguments: [(0.1, 0.0), (0.1, 0.02), (0.01, 0.05)])
  func theFalsePositiveRateIsTheLevel(_ rowNoise: Double, _ runNoise: Double) {
    let trials = 300
    let found = (0..<trials).map { seed in
      ScalingVerdict(
        losses(seed: seed, rows: 80, rowNoise: rowNoise, runNoise: runNoise) { _ in 0.69 },
        margin: 1e-9, resamples: 2)
    }
    let trends = found.count { $0.kind == .rises || $0.slope.pValue < 0.05 }
    // 300 trials at 5 % give 15 ± 4.
    #expect(trends <= 27, "\(trends) of \(trials)")
    if runNoise == 0 { #expect(trends >= 5, "\(trends) of \(trials)") }
  }

  @Test func aRisingLossRises() {
    for seed in 0..<20 {
      let verdict = ScalingVerdict(
        losses(seed: seed) { 0.6 + 0.02 * log2($0 / 100) }, resamples: 2)
      #expect(verdict.kind == .rises, "\(verdict.reason)")
    }
  }

  @Test func aFallThatGrowsSteeperIsNoPowerLaw() {
    let verdict = ScalingVerdict(
      losses(seed: 2, rowNoise: 0.01) { 0.7 - 0.00005 * $0 }, resamples: 2)
    #expect(verdict.kind == .undetermined)
    #expect(verdict.reason.contains("faster"))
  }

  @Test func tooMuchNoiseDecidesNothing() {
    let kinds = (0..<20).map { seed in
      ScalingVerdict(
        losses(seed: seed, rows: 20, rowNoise: 1) { _ in 0.69 }, margin: 0.01, resamples: 2
      ).kind
    }
    #expect(kinds.count { $0 == .undetermined } >= 17)
  }

  /// A contrast of one stratum without groups and one run is a mean with its standard error.
  @Test func aContrastByHand() {
    // Differences between the sizes: 1, 2, 3, 6; mean 3, variance 14/3, standard error √(14/12).
    let losses = ScalingLosses(
      sizes: [1, 2], values: [[[0, 0, 0, 0], [1, 2, 3, 6]]], groups: [0, 1, 2, 3],
      strata: [0, 0, 0, 0])
    let contrast = Contrast(losses, factors: [-1, 1])
    #expect(abs(contrast.value - 3) < 1e-12)
    #expect(abs(contrast.standardError - (14.0 / 12).squareRoot()) < 1e-12)
    #expect(contrast.degrees == 3)
    // SciPy: 2 * stats.t.sf(3 / sqrt(14/12), 3), and stats.t.ppf(0.975, 3).
    #expect(abs(contrast.pValue - 0.06913686926442873) < 1e-7)
    #expect(abs(contrast.interval.upper - 3 - 3.1824463052837078 * (14.0 / 12).squareRoot()) < 1e-8)
  }

  /// Values from SciPy's `special.betainc` and `stats.t`.
  @Test func distributionsMatchSciPy() {
    for (x, a, b, expected) in Self.betas {
      #expect(abs(Distributions.incompleteBeta(x, a, b) - expected) < 1e-12, "\(x) \(a) \(b)")
    }
    for (t, degrees, expected) in Self.tails {
      let found = Distributions.studentTwoSided(t, degrees: degrees)
      #expect(abs(found / expected - 1) < 1e-10, "\(t) \(degrees)")
    }
  }
}

extension ScalingVerdictTests {
  static let betas: [(Double, Double, Double, Double)] = [
    (0.1, 2, 3, 0.05230000000000001),
    (0.5, 0.5, 0.5, 0.5000000000000001),
    (0.9, 10, 2, 0.6973568802000002),
    (0.3, 50, 0.5, 6.800825885173791e-28),
    (0.999, 1.5, 40, 1.0),
    (0.0001, 3, 7, 8.396220755916005e-11),
  ]

  static let tails: [(Double, Double, Double)] = [
    (0.5, 1, 0.7048327646991335),
    (2, 3.7, 0.12181720190523398),
    (-2.5, 10, 0.03144684423660882),
    (6, 200, 9.115120348810346e-09),
    (12, 4, 0.000276428548502973),
    (0.001, 8, 0.9992266021030893),
  ]
}
