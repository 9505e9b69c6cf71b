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
    // Prompts alike, seeds at 0 and 1: a resample's mean is 0, 1/2 or 1 with chances 1/4, 1/2, 1/4.
    let seeds = CrossedMean([[0, 0, 0], [1, 1, 1]])
    #expect(seeds.interval.lower == 0 && seeds.interval.upper == 1)
    let single = CrossedMean([(0..<400).map { Double($0 % 2) }])
    // 1.96 sqrt(0.25 / 400) = 0.049
    expectClose(single.interval.upper - single.value, 0.049, absolute: 0.006, relative: 0)
  }

  /// Of shares: what the one side has, the other lacks, and the interval is turned round.
  @Test func theOtherSideHasWhatIsLeft() {
    let cells = [[1.0, 0, 0, 0], [0.5, 0, 0, 0]]
    let own = CrossedMean(cells, seed: 2)
    let other = CrossedMean(cells.map { $0.map { 1 - $0 } }, seed: 2)
    let found = own.exchanged
    #expect(own.bySeed == [0.25, 0.125] && found.bySeed == [0.75, 0.875])
    #expect(found.value == 0.8125 && found.prompts == 4)
    expectClose(found.interval.lower, other.interval.lower, absolute: 1e-12, relative: 0)
    expectClose(found.interval.upper, other.interval.upper, absolute: 1e-12, relative: 0)
    // A third of all draws of prompts are without the only one that is won.
    #expect(own.interval.lower == 0 && found.interval.upper == 1 && found.interval.lower > 0)
  }

  /// The variance is at least that of additive effects of seeds and prompts: here a² / 4 + b² / 100, a and b
  /// the spread of either, simulated over many tables.
  @Test func theIntervalCoversTheTruth() {
    var covered = 0
    for table in 0..<200 {
      var stream = RandomStream(seed: 3, purpose: "crossed test", step: table)
      func normal() -> Double { (0..<12).reduce(-6.0) { sum, _ in sum + Double(stream.uniform()) } }
      let seeds = (0..<8).map { _ in normal() }
      let prompts = (0..<50).map { _ in normal() }
      let cells = seeds.map { seed in prompts.map { seed + $0 } }
      let interval = CrossedMean(cells, resamples: 200, seed: UInt64(table)).interval
      covered += interval.lower <= 0 && 0 <= interval.upper ? 1 : 0
    }
    // 95 % of 200 is 190; eight seeds make percentiles somewhat narrow.
    #expect((170...200).contains(covered), "\(covered)")
  }

  @Test func unevenTablesTrap() async {
    await #expect(processExitsWith: .failure) { _ = CrossedMean([[1, 2], [1]]) }
    await #expect(processExitsWith: .failure) { _ = CrossedMean([]) }
    await #expect(processExitsWith: .failure) { _ = CrossedMean([[.nan]]) }
  }
}
