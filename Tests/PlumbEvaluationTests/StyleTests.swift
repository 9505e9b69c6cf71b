import Foundation
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbEvaluation

struct StyleTests {
  @Test func goldenMarkdownCounts() throws {
    let cases = try EvaluationGolden.load().markdown
    #expect(cases.count >= 15)
    for one in cases {
      let style = ResponseStyle(of: one.text, tokens: 7)
      let expected = ResponseStyle(
        tokens: 7, lists: one.lists, headers: one.headers, bold: one.bold)
      #expect(style == expected, "\(one.text)")
    }
  }

  @Test func goldenRegressions() throws {
    let cases = try EvaluationGolden.load().regression
    for one in cases {
      let fit = LogisticRegression(
        one.rows, outcomes: one.outcomes.map { $0 == 1 }, ridge: one.ridge)
      expectClose(fit.weights, one.weights, absolute: 1e-5, relative: 1e-5)
      #expect(fit.isSeparated == one.separated)
      // Without intercept, a row with outcome false is its negative with outcome true.
      let turned = LogisticRegression(
        zip(one.rows, one.outcomes).map { $1 == 1 ? $0 : $0.map { -$0 } }, ridge: one.ridge)
      expectClose(turned.weights, fit.weights, absolute: 1e-12, relative: 1e-12)
    }
  }

  @Test func separableRowsStayFinite() {
    let fit = LogisticRegression([[1, 0], [2, 0], [0.5, 0]])
    #expect(fit.isSeparated)
    #expect(fit.weights[0] > 1 && fit.weights[0] < 100)
    // A feature that no row has gets no weight.
    #expect(fit.weights[1] == 0)
    let nothing = LogisticRegression([[0.0], [0.0]])
    #expect(nothing.weights == [0])
    #expect(!nothing.isSeparated)
    let huge = LogisticRegression([[1e8], [-1e8], [1e8]])
    #expect(huge.weights[0].isFinite)
  }

  @Test func contrastsByHand() {
    let (long, short) = (ResponseStyle(tokens: 30, lists: 2), ResponseStyle(tokens: 10))
    #expect(StyleFeature.length.contrast(long, short) == 0.5)
    #expect(StyleFeature.length.contrast(short, long) == -0.5)
    #expect(StyleFeature.lists.contrast(long, short) == 1)
    #expect(StyleFeature.bold.contrast(long, short) == 0)
  }

  @Test func goldenStyleControl() throws {
    let golden = try EvaluationGolden.load().style
    let control = try #require(
      StyleControl(golden.fit.scored, features: StyleFeature.allCases))
    expectClose(control.alpha, golden.alpha, absolute: 1e-6, relative: 1e-5)
    expectClose(control.beta, golden.beta, absolute: 1e-5, relative: 1e-5)
    expectClose(control.scales, golden.scales, absolute: 1e-12, relative: 1e-12)
    let found = golden.test.scored.map { control.logOdds($0) ?? .nan }
    expectClose(found, golden.controlled, absolute: 1e-5, relative: 1e-5)
    let alone = try #require(StyleControl(golden.fit.scored, features: []))
    expectClose(alone.alpha, golden.alpha_alone, absolute: 1e-6, relative: 1e-5)
    let pair = golden.test.scored[5]
    expectClose(try #require(alone.logOdds(pair)), pair.logOdds * alone.alpha, absolute: 1e-12)
  }

  @Test func theOrderOfTheResponsesIsNotGivenAway() throws {
    // The chosen answer is longer in every pair, and the model says nothing: with the mean taken off
    // over "chosen minus rejected", length would carry no weight.
    let pairs = (0..<40).map { row in
      ScoredPair(
        logOdds: 0,
        facts: PairFacts(
          prompt: "\(row)", source: "s", chosen: ResponseStyle(tokens: 20 + row % 7),
          rejected: ResponseStyle(tokens: 10)))
    }
    let control = try #require(StyleControl(pairs, features: [.length]))
    #expect(control.isSeparated)
    #expect(control.beta[0] > 1)
    let turned = ScoredPair(
      logOdds: 0,
      facts: PairFacts(
        prompt: "x", source: "s", chosen: pairs[0].facts.rejected, rejected: pairs[0].facts.chosen))
    expectClose(
      try #require(control.logOdds(turned)), -(try #require(control.logOdds(pairs[0]))),
      absolute: 1e-12)
  }

  @Test func goldenPhi() throws {
    let golden = try EvaluationGolden.load().style
    for table in golden.tables {
      let n = table.counts
      let phi = try #require(phiCoefficient(n11: n[0], n10: n[1], n01: n[2], n00: n[3]))
      expectClose(phi, table.phi, absolute: 1e-12)
    }
    for feature in StyleFeature.allCases {
      let found = StyleAssociation(golden.test.scored, resamples: 30, seed: 1) { feature($0) }
      guard let expected = golden.phi[feature.rawValue] else {
        // No answer of the case has bold text.
        #expect(found.prediction == nil && found.label == nil && found.pairs == 0)
        continue
      }
      expectClose(try #require(found.prediction), expected.prediction, absolute: 1e-12)
      expectClose(try #require(found.label), expected.label, absolute: 1e-12)
      #expect(found.pairs == expected.pairs)
      #expect(try #require(found.labelInterval).contains(expected.label))
    }
    #expect(phiCoefficient(n11: 3, n10: 2, n01: 0, n00: 0) == nil)
    #expect(phiCoefficient(n11: 4, n10: 0, n01: 0, n00: 5) == 1)
    #expect(phiCoefficient(n11: 0, n10: 4, n01: 5, n00: 0) == -1)
  }
}

/// The whole style analysis, on pairs whose truth is known.
struct StyleAnalysisTests {
  /// Pairs whose choice depends on quality and length; the model sees length alone.
  private func pairs(_ count: Int, seed: UInt64, weight: Double, prefix: String) -> [ScoredPair] {
    var stream = RandomStream(seed: seed, purpose: "style pairs")
    return (0..<count).map { row in
      let quality = Double(stream.uniform()) * 4 - 2
      let (a, b) = (10 + stream.uniform(below: 90), 10 + stream.uniform(below: 90))
      let contrast = Double(a - b) / Double(a + b)
      let firstWins = Double(stream.uniform()) < 1 / (1 + exp(-(quality + 3 * contrast)))
      // The model knows the quality and overrates length.
      let odds = 2 * quality + weight * contrast
      let (first, second) = (ResponseStyle(tokens: a), ResponseStyle(tokens: b))
      return ScoredPair(
        logOdds: firstWins ? odds : -odds,
        facts: PairFacts(
          prompt: "\(prefix)\(row / 2)", source: "s", chosen: firstWins ? first : second,
          rejected: firstWins ? second : first))
    }
  }

  private func analysis(
    _ test: [ScoredPair], validation: [ScoredPair] = [], features: [StyleFeature] = [.length]
  ) -> StyleAnalysis? {
    var options = AnalysisOptions()
    options.resamples = 60
    return StyleAnalysis(
      test: test, validation: validation, features: features, options: options)
  }

  @Test func theWeightsOfTheTruthAreFound() throws {
    let test = pairs(3000, seed: 1, weight: 12, prefix: "t")
    let validation = pairs(3000, seed: 2, weight: 12, prefix: "v")
    let style = try #require(analysis(test, validation: validation))
    #expect(style.fit == .validation(pairs: 3000, sharedPromptsLeftOut: 0))
    // Truth: quality + 3 c = D/2 - 3 c.
    expectClose(style.alpha, 0.5, absolute: 0.08)
    let control = try #require(StyleControl(validation, features: [.length]))
    expectClose(style.beta[0] / control.scales[0], -3, absolute: 0.6)
    #expect(style.controlled.value(.nll) < style.noControl.value(.nll))
    #expect(style.controlled.value(.accuracy) > style.raw.value(.accuracy))
    #expect(style.noControl.value(.accuracy) == style.raw.value(.accuracy))
    #expect(style.styleOnly.value(.accuracy) < style.controlled.value(.accuracy))
    // The model leans on length more than people do.
    let length = try #require(style.associations.first { $0.property == "length" }).association
    #expect(try #require(length.prediction) > (try #require(length.label)) + 0.1)
    let longer = try #require(style.chosenLonger)
    let shorter = try #require(style.chosenShorter)
    #expect(longer.value(.accuracy) > shorter.value(.accuracy))
    let equal = test.filter { $0.lengthDifference == 0 }.count
    #expect(longer.calibration.pairs + shorter.calibration.pairs + equal == 3000)
  }

  @Test func crossFittingFindsTheSameAndDoesNotLearnFromTheTest() throws {
    let test = pairs(2000, seed: 3, weight: 12, prefix: "t")
    let style = try #require(analysis(test))
    #expect(style.fit == .crossFit(folds: 5))
    expectClose(style.alpha, 0.5, absolute: 0.1)
    // Style of pure noise on few pairs: fitted on itself it would beat a coin, across folds it does not.
    var stream = RandomStream(seed: 9, purpose: "noise")
    let noise = (0..<60).map { row in
      ScoredPair(
        logOdds: 0,
        facts: PairFacts(
          prompt: "\(row)", source: "s", chosen: Self.random(&stream),
          rejected: Self.random(&stream)))
    }
    let itself = try #require(StyleControl(noise, features: StyleFeature.allCases))
    let fitted = MeasuredCalibration(
      noise, logOdds: noise.map { itself.logOdds($0) ?? 0 }, resamples: 0)
    #expect(fitted.value(.nll) < log(2))
    let crossed = try #require(analysis(noise, features: StyleFeature.allCases))
    #expect(crossed.controlled.value(.nll) > fitted.value(.nll))
  }

  private static func random(_ stream: inout RandomStream) -> ResponseStyle {
    ResponseStyle(
      tokens: 1 + stream.uniform(below: 40), lists: stream.uniform(below: 4),
      headers: stream.uniform(below: 3), bold: stream.uniform(below: 5))
  }

  @Test func foldsKeepPromptsTogether() throws {
    // All pairs of a prompt have the same style, which gives their choice away to a fit that has seen
    // one of them; the two prompts contradict each other.
    let (long, short) = (ResponseStyle(tokens: 50), ResponseStyle(tokens: 5))
    let test = (0..<20).map { row in
      let isFirst = row < 10
      return ScoredPair(
        logOdds: 0,
        facts: PairFacts(
          prompt: isFirst ? "a" : "b", source: "s", chosen: isFirst ? long : short,
          rejected: isFirst ? short : long))
    }
    let style = try #require(analysis(test))
    #expect(style.fit == .crossFit(folds: 2))
    #expect(style.styleOnly.value(.accuracy) == 0)
    #expect(analysis(Array(test.prefix(10))) == nil)
  }

  @Test func pairsWithoutTextsHaveNoStyle() throws {
    let bare = (0..<4).map {
      ScoredPair(logOdds: 1, facts: PairFacts(prompt: "\($0)", source: "s"))
    }
    #expect(analysis(bare) == nil)
    let mixed = bare + pairs(20, seed: 4, weight: 1, prefix: "m")
    #expect(try #require(analysis(mixed)).raw.calibration.pairs == 20)
  }
}
