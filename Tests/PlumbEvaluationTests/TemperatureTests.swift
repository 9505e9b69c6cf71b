import Foundation
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbEvaluation

struct TemperatureTests {
  @Test func goldenTemperatures() throws {
    let cases = try EvaluationGolden.load().temperature
    #expect(cases.count == 4)
    for one in cases {
      let fit = TemperatureFit(logOdds: one.log_odds)
      let temperature = try #require(fit.temperature)
      expectClose(temperature, one.temperature, absolute: 0, relative: 1e-9)
      let after = Calibration(rewardDifferences: one.log_odds.map { $0 / temperature })
      expectClose(after.nll, one.nll, absolute: 1e-12)
    }
  }

  @Test(arguments: [0.25, 1, 4]) func aKnownTemperatureIsFound(_ factor: Double) throws {
    // People choose by the true log-odds; the model says a multiple of them.
    var stream = RandomStream(seed: 5, purpose: "temperature")
    let odds = (0..<20_000).map { _ in
      let truth = Double(stream.uniform()) * 6 - 3
      return (Double(stream.uniform()) < 1 / (1 + exp(-truth)) ? truth : -truth) * factor
    }
    let temperature = try #require(TemperatureFit(logOdds: odds).temperature)
    expectClose(temperature, factor, absolute: 0, relative: 0.05)
    let before = Calibration(rewardDifferences: odds)
    let after = Calibration(rewardDifferences: odds.map { $0 / temperature })
    #expect(after.nll <= before.nll)
    #expect(after.accuracy == before.accuracy)
    #expect(after.ece < 0.02)
  }

  @Test func casesWithoutATemperatureAreNamed() {
    #expect(TemperatureFit(logOdds: [1, 2, 0]) == .separable)
    #expect(TemperatureFit(logOdds: [1e300, -1e-300]) == .separable)
    #expect(TemperatureFit(logOdds: [1, -1]) == .noSignal)
    #expect(TemperatureFit(logOdds: [-3, 1]) == .noSignal)
    #expect(TemperatureFit(logOdds: [0, 0]) == .noSignal)
    #expect(TemperatureFit(logOdds: []) == .noSignal)
    #expect(TemperatureFit(logOdds: [1e300, -1e200, 1e299]).temperature?.isFinite ?? true)
  }

  private func pairs(_ odds: [Double], prompts prefix: String) -> [ScoredPair] {
    odds.enumerated().map {
      ScoredPair(logOdds: $1, facts: PairFacts(prompt: "\(prefix)\($0)", source: "s"))
    }
  }

  @Test("Complaint 19, reward-bench#263: the effect of a temperature on held-out pairs")
  func theEffectIsThatOfTheValidationTemperature() throws {
    let validation = pairs((0..<40).map { Double($0 % 5) * 2 - 2 }, prompts: "v")
    let test = pairs((0..<30).map { Double($0 % 4) * 2 - 1 }, prompts: "t")
    let effect = try #require(
      TemperatureEffect(validation: validation, test: test, bins: 10, resamples: 50, seed: 1))
    let alone = try #require(TemperatureFit(logOdds: validation.map(\.logOdds)).temperature)
    #expect(effect.fit.temperature == alone)
    #expect(effect.validationPairs == 40)
    let before = Calibration(rewardDifferences: test.map(\.logOdds))
    let after = Calibration(rewardDifferences: test.map { $0.logOdds / alone })
    #expect(effect.after?.calibration == after)
    let change = try #require(effect.changes[.nll])
    expectClose(change.value, after.nll - before.nll, absolute: 1e-12)
    #expect(try #require(change.interval).contains(change.value))
    #expect(effect.changes[.accuracy]?.value == 0)
    #expect(try #require(effect.interval).contains(alone))
  }

  @Test func pairsOfTestPromptsAreLeftOutOfTheFit() throws {
    let test = pairs([1, -1, 2], prompts: "p")
    // The first three have the prompts of the test, and would turn the fit around.
    let validation = pairs([-9, -9, -9, 1, -0.5, 1, 1], prompts: "p")
    let effect = try #require(
      TemperatureEffect(validation: validation, test: test, bins: 10, resamples: 0, seed: 0))
    #expect(effect.sharedPrompts == 3)
    #expect(effect.validationPairs == 4)
    #expect(effect.fit == TemperatureFit(logOdds: [1, -0.5, 1, 1]))
    #expect(effect.interval == nil)
    let none = TemperatureEffect(validation: test, test: test, bins: 10, resamples: 0, seed: 0)
    #expect(none == nil)
  }

  @Test func withoutATemperatureThereIsNoEffect() throws {
    let effect = try #require(
      TemperatureEffect(
        validation: pairs([1, 2, 3], prompts: "v"), test: pairs([1, -1], prompts: "t"), bins: 10,
        resamples: 20, seed: 0))
    #expect(effect.fit == .separable)
    #expect(effect.after == nil)
    #expect(effect.changes.isEmpty)
    #expect(effect.validationNLL.after == nil)
  }
}
