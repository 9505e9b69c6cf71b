import Foundation
import PlumbData
import PlumbPreferences
import Testing

@testable import PlumbRecipes

/// Every option of the general preference stage trains, and changes what it says it changes.
@Suite struct GeneralPreferenceStageTests {
  private func run(_ options: String, train: String? = nil) throws -> (RunSummary, TemporaryFolder)
  {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let file = train ?? world("data/preferences.train.jsonl.zst")
    let summary = try runTiny(
      """
      name: options
      seed: 5
      threads: 2
      stages:
        gpm:
          {kind: general-preference, model: '\(world("pretrain"))', dimension: 4, train: ['\(file)'],
          test: ['\(world("data/preferences.test.jsonl.zst"))'], max_length: 64, batch_pairs: 16,
          epochs: 2, optimizer: {learning_rate: 0.003}\(options)}
      """, in: folder.url)
    return (summary, folder)
  }

  private func accuracy(_ summary: RunSummary) throws -> Double {
    try #require(summary.figures.first { $0.name == "gpm/test_accuracy" }).value
  }

  private func model(_ folder: TemporaryFolder) throws -> GeneralPreferenceModel {
    try GeneralPreferenceModel(directory: folder.url.appending(path: "stages/gpm"))
  }

  @Test(arguments: [
    ", loss: regression, target_log_odds: 3", ", learn_tau: true", ", centre_head: true",
    ", prompt_gate: true, gate_form: scaled", ", label_smoothing: 0.1",
    ", language_coefficient: 0.1, language_loss: nll",
  ])
  func optionsLearnTheRule(options: String) throws {
    let (summary, folder) = try run(options)
    #expect(try accuracy(summary) > 0.9)
    if options.contains("learn_tau") {
      let tau = try folder.series("tau", "gpm")
      #expect(abs((tau.first ?? 0) - 0.1) < 1e-6)
      #expect(abs((tau.last ?? 0) - 0.1) > 1e-4)
      // The folder has the temperature after the last step, the metric the one before it.
      #expect(abs(try model(folder).options.tau - (tau.last ?? 0)) < 1e-3)
    }
    if options.contains("language") {
      let losses = try folder.series("language_loss", "gpm")
      #expect((losses.first ?? 0) > 0.3 && (losses.last ?? 9) < 8)
    }
    if options.contains("gate_form") { #expect(try model(folder).options.gate == .scaled) }
    if options.contains("regression") {
      // Log-odds are drawn to 3, not beyond.
      let error = try folder.series("error", "gpm")
      #expect((error.last ?? 9) < 1.5)
    }
  }

  /// Language modelling is a mean over the batch, however it is cut.
  @Test func languageModellingDoesNotDependOnTheCut() throws {
    let (_, whole) = try run(
      ", language_coefficient: 0.3, language_loss: mean, epochs: 1".replacing(
        ", epochs: 1", with: ""))
    let (_, cut) = try run(
      ", language_coefficient: 0.3, language_loss: mean, micro_batch_tokens: 64")
    let (a, b) = (try whole.series("grad_norm", "gpm"), try cut.series("grad_norm", "gpm"))
    let (c, d) = (try whole.series("language_loss", "gpm"), try cut.series("language_loss", "gpm"))
    #expect(a.count == b.count && abs(a[0] - b[0]) < 1e-3 * (1 + a[0]))
    #expect(abs(c[0] - d[0]) < 1e-3 * (1 + c[0]))
  }

  /// Margins and soft labels are read from the rows: a label of one half takes the preference away.
  @Test func marginsAndSoftLabelsComeFromTheRows() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let pairs = try DataFile.preferencePairs(
      URL(filePath: world("data/preferences.train.jsonl.zst"))
    ).rows
    func write(_ name: String, _ change: (inout PreferencePair) -> Void) throws -> String {
      let url = folder.url.appending(path: name)
      try DataFile.write(
        pairs.map { pair in
          var pair = pair
          change(&pair)
          return pair
        }, to: url)
      return url.path
    }
    let undecided = try write("half.jsonl") { $0.probability = 0.5 }
    let (halves, _) = try run(", soft_labels: true", train: undecided)
    let (ignored, _) = try run("", train: undecided)
    #expect(try accuracy(ignored) > 0.9)
    let loss = try #require(halves.figures.first { $0.name == "gpm/test_nll" })
    #expect(abs(loss.value - log(2)) < 0.1)

    let wide = try write("margins.jsonl") { $0.margin = 4 }
    let (plain, plainRun) = try run("", train: wide)
    let (pushed, pushedRun) = try run(", margin_scale: 1", train: wide)
    #expect(try accuracy(plain) > 0.9 && accuracy(pushed) > 0.9)
    let scores = (try plainRun.series("score", "gpm"), try pushedRun.series("score", "gpm"))
    #expect((scores.1.last ?? 0) > (scores.0.last ?? 0) + 0.1, "a margin of 4 asks for more")

    let (aimed, aimedRun) = try run(
      ", loss: regression, regression_target: margin, margin_scale: 0.05", train: wide)
    #expect(try accuracy(aimed) > 0.9)
    #expect((try aimedRun.series("error", "gpm").last ?? 9) < 1.5)
  }

  @Test(arguments: [
    (", learn_tau: true, loss: regression", "learn_tau"),
    (", loss: regression, regression_target: margin", "margin_scale"),
    (", loss: regression, regression_target: label", "soft_labels"),
    (", label_smoothing: 0.5", "label_smoothing"), (", gate_form: sigmoid", "softmax"),
    (", language_coefficient: 1", "language_coefficient"),
  ])
  func badOptionsAreRefused(option: (String, String)) {
    do {
      _ = try run(option.0)
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains(option.1), "\(error)")
    }
  }

  @Test func aProbabilityOutsideOfZeroToOneNamesItsLine() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appending(path: "bad.jsonl")
    try Data(
      #"{"prompt": "a", "chosen": "b", "rejected": "c", "probability": 1.5}"#.utf8
    ).write(to: url)
    do {
      _ = try run("", train: url.path)
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains("line 1") && "\(error)".contains("probability"), "\(error)")
    }
  }
}
