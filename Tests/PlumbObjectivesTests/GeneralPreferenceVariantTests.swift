import Foundation
import PlumbObjectives
import PlumbTensors
import PlumbTestSupport
import Testing

/// The variants of the General Preference Model's loss against PyTorch.
@Suite struct GeneralPreferenceVariantTests {
  let golden: Golden

  init() throws { golden = try Golden("gpm_variants") }

  private func check(
    _ name: String, _ loss: Tensor, _ variables: [(String, Tensor)],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    expectClose(
      [loss.item], try golden.floats("\(name).loss"), absolute: 1e-5, relative: 1e-5, name,
      sourceLocation: sourceLocation)
    for (key, variable) in variables {
      expectClose(
        gradient(loss, variable), try golden.floats("\(name).grad.\(key)"), absolute: 1e-5,
        relative: 1e-4, "\(name) \(key)", sourceLocation: sourceLocation)
    }
  }

  @Test func softLabelsMarginsAndSmoothing() throws {
    let scores = try golden.variable("scores")
    let objective = generalPreference(
      scores: scores, tau: 0.1, margins: try golden.floats("margins"),
      labels: try golden.floats("labels"), labelSmoothing: 0.1)
    try check("soft", objective.loss, [("scores", scores)])
  }

  @Test(arguments: [("learnable", Float(-2.25)), ("learnable_floor", -9)])
  func learnableTau(variant: (String, Float)) throws {
    let (scores, raw) = (try golden.variable("scores"), Tensor.variable([variant.1], shape: [1]))
    let objective = generalPreference(scores: scores, rawTau: raw)
    expectClose([objective.loss.item], try golden.floats("\(variant.0).loss"))
    expectClose(
      gradient(objective.loss, scores), try golden.floats("\(variant.0).grad.scores"),
      absolute: 1e-5, relative: 1e-4)
    expectClose(
      // Below the floor no gradient reaches the temperature.
      Gradients(of: objective.loss)[raw]?.scalars ?? [0],
      try golden.floats("\(variant.0).grad.tau"), absolute: 1e-5, relative: 1e-4)
    let tau = try #require(objective.statistics["tau"])
    expectClose(tau, max(log1p(exp(Double(variant.1))), 0.01), absolute: 1e-6)
  }

  @Test(arguments: [
    ("regression_constant", RegressionTarget.constant(10)),
    ("regression_sigmoid", .sigmoidOfMargin), ("regression_margin", .margin),
    ("regression_label", .labelLogOdds),
  ])
  func regressions(variant: (String, RegressionTarget)) throws {
    let (scores, margins) = (try golden.variable("scores"), try golden.floats("margins"))
    let labels = try golden.floats("labels")
    let targets = zip(margins, labels).map { variant.1(margin: $0, label: $1, tau: 0.1) }
    expectClose(
      targets, try golden.floats("\(variant.0).targets"), absolute: 1e-5, relative: 1e-4)
    let objective = generalPreferenceRegression(scores: scores, tau: 0.1, targets: targets)
    try check(variant.0, objective.loss, [("scores", scores)])
  }

  @Test(arguments: LanguageRegulariser.allCases)
  func languageModelling(form: LanguageRegulariser) throws {
    let logprobs = try golden.variable("lm.logprobs")
    let loss = form(logprobs: logprobs, lengths: [4, 2, 7], beta: 2)
    try check("lm.\(form.rawValue)", loss, [("logprobs", logprobs)])
  }

  /// Parts of a batch add up to the mean over it.
  @Test func partsAddUp() throws {
    let scores = try golden.tensor("scores")
    let raw = Tensor([-2.25])
    let targets = [Float](repeating: 3, count: 6)
    func parts(_ loss: (Tensor, Range<Int>) -> Tensor) -> Float {
      [0..<2, 2..<6].reduce(0) { $0 + loss(scores.elements(at: Array($1)), $1).item }
    }
    expectClose(
      parts { part, _ in generalPreference(scores: part, rawTau: raw, batchCount: 6).loss },
      generalPreference(scores: scores, rawTau: raw).loss.item, relative: 1e-5)
    expectClose(
      parts { part, range in
        generalPreferenceRegression(
          scores: part, targets: Array(targets[range]), batchCount: 6
        ).loss
      }, generalPreferenceRegression(scores: scores, targets: targets).loss.item, relative: 1e-5)
  }

  @Test func finiteDifferences() throws {
    let scores = try golden.floats("scores")
    checkGradients(of: [Tensor(scores), Tensor([-2.0])], step: 0x1p-9, tolerance: 2e-2) {
      generalPreference(scores: $0[0], rawTau: $0[1]).loss
    }
    // The regression, whole and as a part of a batch: distances to the targets of -0.2, 1.6 and 1.5.
    for count in [nil, 7] {
      checkGradients(of: [Tensor([0.4, -0.2, 0.9])]) {
        generalPreferenceRegression(
          scores: $0[0], tau: 0.5, targets: [1, -2, 0.3], batchCount: count
        ).loss
      }
    }
    // Language modelling: sequences of unlike length, whole and as a part of a batch.
    for form in LanguageRegulariser.allCases {
      for count in [nil, 5] {
        withEvery("form", in: [form.rawValue]) { _ in
          checkGradients(of: [Tensor([-0.4, -1.1, -0.2, -2, -0.7, -0.3])]) {
            form(logprobs: $0[0], lengths: [3, 1, 2], beta: 0.8, batchCount: count)
          }
        }
      }
    }
    // By hand: (s / tau - target) / tau over the three pairs.
    let variable = Tensor.variable([0.4, -0.2, 0.9], shape: [3])
    let loss = generalPreferenceRegression(scores: variable, tau: 0.5, targets: [1, -2, 0.3]).loss
    expectClose(gradient(loss, variable), [-0.4 / 3, 3.2 / 3, 1], absolute: 1e-5)
  }

  @Test func wrongShapesTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = generalPreference(scores: Tensor.zeros([2]), rawTau: Tensor.zeros([2]))
    }
    await #expect(processExitsWith: .failure) {
      _ = generalPreferenceRegression(scores: Tensor.zeros([2]), targets: [1])
    }
    await #expect(processExitsWith: .failure) {
      _ = LanguageRegulariser.sum(logprobs: Tensor.zeros([3]), lengths: [1, 1], beta: 1)
    }
  }
}
