import Foundation
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbEvaluation

struct PreferenceAnalysisTests {
  private func pair(
    _ odds: Double = 1, prompt: String = "p", source: String = "s", margin: Double? = nil,
    turns: Int? = nil, tokens: (Int, Int)? = nil
  ) -> ScoredPair {
    ScoredPair(
      logOdds: odds,
      facts: PairFacts(
        prompt: prompt, source: source, margin: margin, turns: turns,
        chosen: tokens.map { ResponseStyle(tokens: $0.0) },
        rejected: tokens.map { ResponseStyle(tokens: $0.1) }))
  }

  private func names(_ key: SliceKey, _ pairs: [ScoredPair]) -> [String: [Int]] {
    Dictionary(uniqueKeysWithValues: key.rows(pairs).map { ($0.name, $0.rows) })
  }

  @Test func marginsFallIntoTheBucketsOfThePaper() {
    let margins: [Double?] = [1, 2, 2.5, 3, 5, 6, 10, 10.5, 11, 400, 0.5, -2, nil]
    let found = names(.margin, margins.map { pair(margin: $0) })
    #expect(
      found == [
        "1 to 2": [0, 1, 2], "3 to 5": [3, 4], "6 to 10": [5, 6, 7], "11 and more": [8, 9],
        "below 1": [10], "negative": [11], "unknown": [12],
      ])
  }

  @Test func turnsSourcesAndTheLongerAnswer() {
    let pairs = [
      pair(source: "b", turns: 1, tokens: (5, 3)), pair(source: "a", turns: 4, tokens: (3, 5)),
      pair(source: "b", turns: 7, tokens: (4, 4)), pair(source: "a"),
    ]
    #expect(SliceKey.source.rows(pairs).map(\.name) == ["a", "b"])
    #expect(names(.source, pairs) == ["a": [1, 3], "b": [0, 2]])
    #expect(names(.turns, pairs) == ["1": [0], "4 and more": [1, 2], "unknown": [3]])
    #expect(
      names(.longer, pairs) == [
        "chosen longer": [0], "chosen shorter": [1], "equal length": [2], "unknown": [3],
      ])
  }

  @Test func quartilesOfLengthShareOutThePairs() {
    let pairs = (1...8).map { pair(tokens: ($0 * 10, $0 * 10 + 1)) } + [pair()]
    let rows = SliceKey.length.rows(pairs)
    #expect(
      rows.map(\.name) == [
        "up to 20.5", "above 20.5 to 40.5", "above 40.5 to 60.5", "above 60.5 to 80.5", "unknown",
      ])
    #expect(rows.map(\.rows) == [[0, 1], [2, 3], [4, 5], [6, 7], [8]])
    // Equal lengths make one slice.
    let equal = SliceKey.length.rows((0..<5).map { _ in pair(tokens: (7, 7)) })
    #expect(equal.map(\.name) == ["up to 7"])
  }

  @Test func everyPairIsInOneSliceOfEachKind() {
    var stream = RandomStream(seed: 2, purpose: "slices")
    let pairs = (0..<97).map { row in
      pair(
        Double(stream.uniform()) - 0.4, prompt: "\(row / 2)", source: "\(row % 3)",
        margin: row % 4 == 0 ? nil : Double(row % 15), turns: row % 6,
        tokens: (stream.uniform(below: 30), stream.uniform(below: 30)))
    }
    var options = AnalysisOptions()
    options.resamples = 30
    let found = PreferenceAnalysis(pairs, options: options)
    #expect(found.slices.map(\.key) == SliceKey.allCases)
    for (key, slices) in found.slices {
      #expect(slices.reduce(0) { $0 + $1.measured.calibration.pairs } == 97, "\(key)")
      let mean = slices.reduce(0.0) {
        $0 + $1.measured.value(.nll) * Double($1.measured.calibration.pairs)
      }
      expectClose(mean / 97, found.all.value(.nll), absolute: 1e-12)
    }
    #expect(found.all.prompts == 49)
    #expect(found.temperature == nil)
    #expect(found.eceByBins.map(\.bins) == [5, 10, 20])
    #expect(found.eceByBins[1].ece == found.all.value(.ece))
  }

  @Test func intervalsCoverTheTruthAndRespectPrompts() throws {
    // Each prompt is right or wrong as a whole: 50 prompts carry the evidence, not 500 pairs.
    let pairs = (0..<500).map { pair($0 / 10 % 2 == 0 ? 1 : -1, prompt: "\($0 / 10)") }
    let alone = pairs.enumerated().map { row, one in
      ScoredPair(logOdds: one.logOdds, facts: PairFacts(prompt: "\(row)", source: "s"))
    }
    let grouped = try #require(MeasuredCalibration(pairs, resamples: 400).intervals[.accuracy])
    let single = try #require(MeasuredCalibration(alone, resamples: 400).intervals[.accuracy])
    #expect(grouped.contains(0.5) && single.contains(0.5))
    let ratio = (grouped.upper - grouped.lower) / (single.upper - single.lower)
    expectClose(ratio, 10.0.squareRoot(), absolute: 0.6)
  }

  @Test func intervalsAreThoseOfTheSingleFigure() throws {
    var stream = RandomStream(seed: 4, purpose: "odds")
    let odds = (0..<60).map { _ in Double(stream.uniform()) * 3 - 1 }
    let pairs = odds.enumerated().map { pair($1, prompt: "\($0)") }
    let measured = MeasuredCalibration(pairs, resamples: 200, seed: 6)
    for metric in CalibrationMetric.allCases {
      let alone = Interval.bootstrap(rows: 60, resamples: 200, seed: 6) { rows in
        metric(Calibration(rewardDifferences: rows.map { odds[$0] }))
      }
      #expect(measured.intervals[metric] == alone, "\(metric)")
    }
  }

  @Test func fewPromptsHaveNoInterval() {
    let few = MeasuredCalibration((0..<40).map { pair(prompt: "\($0 % 4)") })
    #expect(few.prompts == 4)
    #expect(few.intervals.isEmpty)
    #expect(MeasuredCalibration([pair()]).intervals.isEmpty)
  }

  @Test func degeneratePairsHaveFigures() throws {
    // All predicted rightly, all ties, huge log-odds.
    for odds in [
      [Double](repeating: 3, count: 12), [Double](repeating: 0, count: 12), [1e9, -1e9],
    ] {
      let pairs = odds.enumerated().map { pair($1, prompt: "\($0)", tokens: (4, 4)) }
      var options = AnalysisOptions()
      options.resamples = 20
      let found = PreferenceAnalysis(pairs, validation: pairs, options: options)
      #expect(CalibrationMetric.allCases.allSatisfy { found.all.value($0).isFinite })
      // The validation pairs are those of the test, so nothing may be fitted on them.
      #expect(found.temperature == nil)
      let style = try #require(found.style)
      #expect(style.associations.allSatisfy { $0.association.prediction == nil })
      #expect(style.chosenLonger == nil && style.chosenShorter == nil)
    }
    #expect(PreferenceAnalysis([pair(0), pair(0, prompt: "q"), pair(1)]).ties == 2)
  }
}
