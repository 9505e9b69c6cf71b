import Foundation
import PlumbPreferences
import PlumbTestSupport
import Testing

struct CalibrationTests {
  struct File: Decodable {
    let reward_difference: [Double]
    let first_preferred: [Int]
    let ece_10_both_orders, ece_10_confidence, brier, nll, accuracy: Double
  }

  @Test("Complaint 19, reward-bench#263: NLL, Brier score and calibration errors")
  func goldenFigures() throws {
    let file = try Golden.json("calibration", as: File.self)
    let outcomes = file.first_preferred.map { $0 == 1 }
    let probabilities = file.reward_difference.map { 1 / (1 + exp(-$0)) }
    for calibration in [
      Calibration(rewardDifferences: file.reward_difference, firstPreferred: outcomes),
      Calibration(probabilities: probabilities, firstPreferred: outcomes),
    ] {
      #expect(calibration.pairs == 400)
      expectClose(calibration.accuracy, file.accuracy, absolute: 1e-12)
      expectClose(calibration.nll, file.nll, absolute: 1e-12)
      expectClose(calibration.brier, file.brier, absolute: 1e-12)
      expectClose(calibration.ece, file.ece_10_both_orders, absolute: 1e-12)
      expectClose(calibration.foldedECE, file.ece_10_confidence, absolute: 1e-12)
    }
  }

  @Test func coin() {
    let calibration = Calibration(
      rewardDifferences: [0, 0, 0], firstPreferred: [true, false, false])
    #expect(calibration.accuracy == 0.5)
    #expect(calibration.brier == 0.25)
    expectClose(calibration.nll, log(2))
    #expect(calibration.ece == 0)
    #expect(calibration.foldedECE == 0)
  }

  @Test func threeInFourByHand() {
    let calibration = Calibration(probabilities: [0.75, 0.75], firstPreferred: [true, false])
    #expect(calibration.accuracy == 0.5)
    #expect(calibration.brier == (0.0625 + 0.5625) / 2)
    expectClose(calibration.nll, -(log(0.75) + log(0.25)) / 2)
    expectClose(calibration.ece, 0.25)
    expectClose(calibration.foldedECE, 0.25)
    #expect(calibration.bins.map(\.count) == [0, 0, 2, 0, 0, 0, 0, 2, 0, 0])
    #expect(calibration.bins[7].lowerBound == 0.7)
    #expect(calibration.bins[7].meanProbability == 0.75)
    #expect(calibration.bins[7].winRate == 0.5)
  }

  @Test func namesOfTheTwoResponsesDoNotMatter() {
    let differences = [0.3, -1.2, 2.5, 0.01, -0.4]
    let outcomes = [true, true, false, true, false]
    let forward = Calibration(rewardDifferences: differences, firstPreferred: outcomes)
    let swapped = Calibration(
      rewardDifferences: differences.map { -$0 }, firstPreferred: outcomes.map { !$0 })
    // Files that name the chosen response first: every outcome is true.
    let chosenFirst = Calibration(
      rewardDifferences: zip(differences, outcomes).map { $1 ? $0 : -$0 })
    for other in [swapped, chosenFirst] {
      #expect(other.accuracy == forward.accuracy)
      #expect(other.bins.map(\.count) == forward.bins.map(\.count))
      expectClose(other.ece, forward.ece, absolute: 1e-12)
      expectClose(other.foldedECE, forward.foldedECE, absolute: 1e-12)
      expectClose(other.nll, forward.nll, absolute: 1e-12)
      expectClose(other.brier, forward.brier, absolute: 1e-12)
    }
  }

  @Test func certaintyStaysFinite() {
    let sure = Calibration(rewardDifferences: [800, -800], firstPreferred: [true, true])
    #expect(sure.nll == 400)
    #expect(sure.brier == 0.5)
    let wrong = Calibration(probabilities: [0], firstPreferred: [true])
    expectClose(wrong.nll, -log(1e-15))
    #expect(wrong.ece == 1)
    #expect(Calibration(probabilities: [1]).ece == 0)
    #expect(Calibration(probabilities: [1]).bins[9].count == 1)
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = Calibration(rewardDifferences: []) }
    await #expect(processExitsWith: .failure) { _ = Calibration(probabilities: [1.5]) }
    await #expect(processExitsWith: .failure) { _ = Calibration(rewardDifferences: [.nan]) }
    await #expect(processExitsWith: .failure) {
      _ = Calibration(rewardDifferences: [1, 2], firstPreferred: [true])
    }
  }
}

/// Bins of equal mass and the gaps of bins, held against NumPy.
struct CalibrationBinTests {
  struct File: Decodable {
    let calibration: [Case]
    struct Case: Decodable {
      let log_odds: [Double]
      let first_preferred: [Int]
      let bins: [Bins]
    }
    struct Bins: Decodable {
      let count: Int
      let ece, mce, ace, adaptive_ece: Double
    }
  }

  @Test func goldenBins() throws {
    let file = try Golden.json("evaluation/evaluation", as: File.self)
    #expect(file.calibration.count == 3)
    for one in file.calibration {
      let outcomes = one.first_preferred.map { $0 == 1 }
      for bins in one.bins {
        let found = Calibration(
          rewardDifferences: one.log_odds, firstPreferred: outcomes, binCount: bins.count)
        expectClose(found.ece, bins.ece, absolute: 1e-12)
        expectClose(found.mce, bins.mce, absolute: 1e-12)
        expectClose(found.ace, bins.ace, absolute: 1e-12)
        expectClose(found.adaptiveECE, bins.adaptive_ece, absolute: 1e-12)
      }
    }
  }

  @Test func equalMassByHand() {
    // Two pairs: entries 0.1 lost, 0.4 won | 0.6 lost, 0.9 won, in two bins of two.
    let found = Calibration(
      probabilities: [0.9, 0.4], firstPreferred: [true, true], binCount: 2)
    expectClose(found.adaptiveECE, (abs(1 - 0.5) + abs(1 - 1.5)) / 4, absolute: 1e-12)
    expectClose(found.mce, 0.25, absolute: 1e-12)
    expectClose(found.ace, 0.25, absolute: 1e-12)
  }

  @Test func equalMassDoesNotDependOnTheOrderOfTheRows() {
    let differences = [0.0, 0.0, 1, 1, 1, -1, 2, 0.0]
    let outcomes = [true, false, true, false, true, true, true, true]
    let forward = Calibration(rewardDifferences: differences, firstPreferred: outcomes, binCount: 5)
    let backward = Calibration(
      rewardDifferences: differences.reversed(), firstPreferred: outcomes.reversed(), binCount: 5)
    let swapped = Calibration(
      rewardDifferences: differences.map { -$0 }, firstPreferred: outcomes.map { !$0 }, binCount: 5)
    expectClose(backward.adaptiveECE, forward.adaptiveECE, absolute: 1e-12)
    expectClose(swapped.adaptiveECE, forward.adaptiveECE, absolute: 1e-12)
    // A coin is calibrated, however its rows are cut.
    let coin = Calibration(rewardDifferences: [0, 0, 0], firstPreferred: [true, true, true])
    #expect(coin.adaptiveECE == 0)
    #expect(coin.ace == 0)
  }

  @Test func everyMetricHasItsOwnFigure() {
    let found = Calibration(
      rewardDifferences: [2, -0.3, 0.7, 1.9, 0.2], firstPreferred: [true, true, false, true, true])
    let values = CalibrationMetric.allCases.map { $0(found) }
    #expect(Set(values).count == CalibrationMetric.allCases.count)
    #expect(CalibrationMetric(rawValue: "adaptive_ece")?(found) == found.adaptiveECE)
  }
}
