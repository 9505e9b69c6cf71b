import Foundation
import PlumbPreferences
import PlumbTestSupport
import Testing

@testable import PlumbEvaluation

struct ConsistencyTests {
  @Test func goldenConfidences() throws {
    let golden = try EvaluationGolden.load().consistency
    var rows: [SampledAnswers] = []
    for one in golden.rows {
      let found = try #require(SampleConsistency(one.samples))
      #expect(found.answer == one.majority)
      #expect(found.samples == one.samples.count)
      expectClose(found.agreement, one.agreement, absolute: 1e-12)
      expectClose(found.entropyConfidence, one.entropy, absolute: 1e-12)
      expectClose(found.firstSecondDistance, one.fsd, absolute: 1e-12)
      rows.append(SampledAnswers(consistency: found, answer: one.answer, source: "s"))
    }
    let all = ConsistencyCalibration(rows, resamples: 40, seed: 1)
    expectClose(all.accuracy, golden.accuracy, absolute: 1e-12)
    #expect(all.measures.count == 3)
    for (measure, figures) in all.measures {
      let expected = try #require(golden.measures[measure.rawValue])
      expectClose(figures.ece, expected.ece, absolute: 1e-12)
      expectClose(figures.brier, expected.brier, absolute: 1e-12)
      expectClose(figures.meanConfidence, expected.mean, absolute: 1e-12)
      #expect(try #require(figures.brierInterval).contains(expected.brier))
    }
  }

  @Test func byHand() throws {
    let found = try #require(SampleConsistency(["A", "A", "B", "[invalid]"]))
    #expect(found.answer == "A")
    #expect(found.agreement == 0.5)
    #expect(found.firstSecondDistance == 0.25)
    // Shares 2/3 and 1/3 of the valid samples.
    let entropy = -(2.0 / 3) * log2(2.0 / 3) - (1.0 / 3) * log2(1.0 / 3)
    expectClose(found.entropyConfidence, 1 - entropy, absolute: 1e-12)
    #expect(found.invalidSamples == 1)
  }

  @Test func oneAnswerIsSure() throws {
    let same = try #require(SampleConsistency(["A", "A", "[invalid]", "[invalid]", "[invalid]"]))
    #expect(same.answer == "A")
    #expect(same.agreement == 0.4)
    #expect(same.entropyConfidence == 1)
    #expect(same.firstSecondDistance == 1)
    let none = try #require(SampleConsistency(["[invalid]", "[invalid]"]))
    #expect(none.answer == SampleConsistency.invalid)
    #expect(none.agreement == 1)
    #expect(SampleConsistency([]) == nil)
  }

  @Test func ofEquallyCommonAnswersTheFirstCounts() throws {
    let found = try #require(SampleConsistency(["B", "A", "A", "B", "C"]))
    #expect(found.answer == "B")
    #expect(found.firstSecondDistance == 0)
    let even = try #require(SampleConsistency(["A", "B", "C"]))
    expectClose(even.entropyConfidence, 0, absolute: 1e-12)
    #expect(even.entropyConfidence >= 0)
  }
}
