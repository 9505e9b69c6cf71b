import ArgumentParser
import Foundation
import PlumbCheckpoints
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbRecipes

/// Measures how well a preference model predicts what people chose.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure a preference model on pairs of a chosen and a rejected response.",
    discussion: """
      The data may have any of the common preference schemas: "prompt", "chosen" and "rejected" as \
      texts or as messages, "messages" with two answers, or Anthropic's two transcripts. A folder \
      without tokenizer is measured on {"chosen_tokens": […], "rejected_tokens": […]}.

      Prints one object:
        accuracy      share of pairs whose chosen response is the likelier; a tie counts half
        nll           mean negative log-likelihood of the choices in nats; a coin has 0.693
        brier         mean squared error of the probability; a coin has 0.25
        ece           expected calibration error, 10 bins, both orders of each pair
        folded_ece    the same of the confidence max(p, 1 - p)
        adaptive_ece  the same over bins that hold equally many
        mce, ace      largest and mean gap of the bins
        pairs         pairs measured
        dropped       rows left out: without usable content, or longer than --max-length

      --validation adds what a temperature does that is fitted there; --slices the figures of parts; \
      --style-control what is left without length and Markdown, fitted on the validation pairs or, \
      without them, across folds of prompts. --json and --report have all of it, with 95 % \
      bootstrap intervals over prompts, and how often a pair model's verdict changes with the \
      order of the responses. Every key is defined in Documentation/Calibration.md.

      --judge-url measures a judge that gives no probabilities: a program on this machine that is \
      asked over HTTP (Documentation/Judges.md), --samples times about each pair, in both orders by \
      turns. How far its verdicts agree is its confidence, by three measures (agreement, entropy, \
      fsd), each with its mean, ECE and Brier score. Asks without a verdict are counted by reason; \
      the command fails only where none has one. --answers does the same for answers that are there \
      already; rows are {"samples": ["A", "A", "B"], "answer": "A"}.

        plumb evaluate --model DIR --data test.jsonl.zst
        plumb evaluate --model DIR --data test.jsonl.zst --validation validation.jsonl.zst --json --report out.html
        plumb evaluate --model DIR --data test.jsonl.zst --slices source,length --style-control length
        plumb evaluate --judge-url http://127.0.0.1:8000/judge --samples 8 --data test.jsonl.zst
        plumb evaluate --answers samples.jsonl
      """)

  @Option(help: PreferenceModelOptions.help, completion: .directory)
  var model: String?

  @Option(
    help: ArgumentHelp(
      "Pairs: .jsonl, .jsonl.gz, .jsonl.zst, or a list in a .json.", valueName: "file"),
    completion: .file())
  var data: String?

  @Option(
    help: ArgumentHelp(
      "Pairs to fit the temperature and the style control on; those that share a prompt with the data are left out.",
      valueName: "file"),
    completion: .file())
  var validation: String?

  @Option(help: ArgumentHelp("Sampled answers of a judge, instead of a model.", valueName: "file"))
  var answers: String?

  @OptionGroup var judge: JudgeOptions

  @Option(
    help: ArgumentHelp(
      "Figures of parts, by any of source, length, longer, margin, turns, or all.",
      valueName: "names"))
  var slices: String?

  @Option(
    defaultAsFlag: "all",
    help: ArgumentHelp(
      "Take out the style: any of length, lists, headers, bold, or all.", valueName: "names"))
  var styleControl: String?

  @Option(help: ArgumentHelp("Bins of the calibration errors.", valueName: "n"))
  var bins = 10

  @Flag(help: "Print everything: intervals, reliability bins, all slices and the style.")
  var json = false

  @Option(
    help: ArgumentHelp("Write a page with everything.", valueName: "html"), completion: .file())
  var report: String?

  @Option(
    help: ArgumentHelp(
      "Leave out pairs with more tokens, prompt and longer response together (default: the model's context).",
      valueName: "n"))
  var maxLength: Int?

  @Option(help: ArgumentHelp("Bootstrap draws for the intervals; 0 for none.", valueName: "n"))
  var resamples = 1000

  @Option(
    help: ArgumentHelp(
      "Seed of the bootstrap, of the folds and of the orders that a judge sees.", valueName: "n"))
  var seed: UInt64 = 0

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if let maxLength, maxLength < 1 {
      throw ValidationError("--max-length: expected 1 or more, found \(maxLength)")
    }
    guard (1...1000).contains(bins) else {
      throw ValidationError("--bins: expected a number from 1 to 1000, found \(bins)")
    }
    guard (0...100_000).contains(resamples) else {
      throw ValidationError("--resamples: expected a number from 0 to 100000, found \(resamples)")
    }
    _ = try options()
    if answers != nil || judge.judgeURL != nil {
      let asker = answers != nil ? "--answers" : "--judge-url"
      for (name, isGiven) in [
        ("--judge-url", answers != nil && judge.judgeURL != nil), ("--model", model != nil),
        ("--data", answers != nil && data != nil), ("--validation", validation != nil),
        ("--slices", slices != nil), ("--style-control", styleControl != nil),
        ("--max-length", maxLength != nil),
      ] where isGiven {
        throw ValidationError("\(asker): expected no \(name), since no model is run")
      }
      guard answers != nil || data != nil else { throw ValidationError("expected --data FILE") }
      return
    }
    guard model != nil else {
      throw ValidationError("expected --model DIR, --judge-url URL, or --answers FILE")
    }
    guard let data else { throw ValidationError("expected --data FILE") }
    if data == "-", validation == "-" {
      throw ValidationError("--validation: standard input is taken by --data")
    }
  }

  /// What to find out: what was asked for, or everything for `--json` and `--report`.
  private func options() throws -> AnalysisOptions {
    let isComplete = json || report != nil
    var options = AnalysisOptions()
    options.bins = bins
    options.seed = seed
    options.slices =
      try slices.map { try NameList.parse($0, option: "--slices") }
      ?? (isComplete ? SliceKey.allCases : [])
    options.style =
      try styleControl.map { try NameList.parse($0, option: "--style-control") }
      ?? (isComplete ? StyleFeature.allCases : nil)
    // The figures of all pairs alone show no interval.
    let hasIntervals =
      isComplete || validation != nil || slices != nil || styleControl != nil
    options.resamples = hasIntervals ? resamples : 0
    return options
  }

  func run() throws {
    threads.configure()
    if let report { try requireFolder(of: report) }
    let options = try options()
    if let answers {
      let found = try AnswersEvaluation(answers)
      let (all, sources) = found.analysis(
        bins: bins, resamples: options.resamples, seed: seed)
      try StandardOutput().write(lines: [found.object(all, sources: sources, isComplete: json)])
      try write(found.report(all, sources: sources, file: answers))
      return
    }
    guard let data else { return }
    if let judge = try judge.judge() { return try evaluate(judge, on: data, options) }
    guard let model else { return }
    let judging = try JudgingModel(reference: model)
    let context = judging.configuration.maximumPositions
    let limit = min(maxLength ?? context, context)
    let test = try EvaluationPairs(data, for: judging, limit: limit)
    let fitted = try validation.map { try EvaluationPairs($0, for: judging, limit: limit) }
    if styleControl != nil, test.facts.allSatisfy({ $0.chosen == nil }) {
      throw CommandFailure("\(data): --style-control: expected rows with texts, found token ids")
    }
    if let fitted, let validation {
      try requireOtherPrompts(fitted, test: test, file: validation)
    }

    var progress = RowProgress(total: test.groups.count + (fitted?.groups.count ?? 0))
    func evaluated(
      _ pairs: EvaluationPairs, measuresOrder: Bool = false
    ) throws -> PreferenceEvaluation {
      do {
        return try PreferenceEvaluation(
          model: judging.ensemble, pairs: pairs.groups, by: pairs.members,
          measuresOrder: measuresOrder
        ) {
          progress.advance(rows: $0)
        }
      } catch PreferenceError.notFinite(_, let what, let value) {
        throw CommandFailure("\(model): expected a finite \(what), found \(value)")
      }
    }
    let found = try evaluated(test, measuresOrder: json || report != nil)
    let testPairs = test.scored(found.logOdds)
    let validationPairs = try fitted.map { $0.scored(try evaluated($0).logOdds) } ?? []
    progress.finish()
    judging.warn(
      ofUnknownPeople: (test.unknownPeople ?? 0) + (fitted?.unknownPeople ?? 0), in: "pairs")
    let analysis = PreferenceAnalysis(testPairs, validation: validationPairs, options: options)
    let order = found.inBothOrders.map {
      MeasuredOrderBias(
        $0, prompts: test.facts.map(\.prompt), resamples: options.resamples, seed: seed)
    }
    if options.style != nil, analysis.style == nil {
      StandardError.write(
        "plumb: the style was left out: it needs texts of at least two prompts, or --validation\n")
    }
    try StandardOutput().write(lines: [
      EvaluationJSON.object(
        of: analysis, order: order, dropped: test.dropped, unknownPeople: test.unknownPeople,
        isComplete: json, kind: judging.kind)
    ])
    let leftOut = test.dropped.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    try write(
      Report(
        title: "Preference model",
        lead: "How well \(judging.kind) predicts what people chose.",
        facts: [
          .init("model", model), .init("data", data), .init("pairs", "\(testPairs.count)"),
          .init("left out", leftOut.isEmpty ? "none" : leftOut.joined(separator: ", ")),
          .init("seed", "\(seed)"),
        ] + (validation.map { [.init("validation", $0)] } ?? []),
        sections: analysis.sections + (order.map { [$0.section] } ?? [])))
  }

  /// Asks a judge about all pairs, and measures it by its verdicts.
  private func evaluate(
    _ judge: EndpointJudge, on data: String, _ options: AnalysisOptions
  ) throws {
    let samples = self.judge.sampleCount
    let found = try JudgeEvaluation(data, judge: judge, samples: samples, seed: seed)
    let (all, sources) = found.answers.analysis(
      bins: bins, resamples: options.resamples, seed: seed)
    let order = found.order(resamples: options.resamples, seed: seed)
    try StandardOutput().write(lines: [
      found.object(all, sources: sources, order: order, isComplete: json)
    ])
    try write(
      found.report(
        all, sources: sources, order: order, judge: judge, data: data, samples: samples))
  }

  private func write(_ page: @autoclosure () -> Report) throws {
    guard let report else { return }
    try AtomicFile.write(page().html, to: URL(filePath: report))
  }

  /// Refuses a page that could not be written, before the model has run for an hour.
  private func requireFolder(of report: String) throws {
    let folder = URL(filePath: report).deletingLastPathComponent().path
    var isDirectory = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isDirectory), isDirectory
    else { throw CommandFailure("\(report): expected a folder \(folder), found none") }
    if FileManager.default.fileExists(atPath: report, isDirectory: &isDirectory), isDirectory {
      throw CommandFailure("\(report): expected a file to write, found a folder")
    }
  }

  /// Refuses a validation file of which nothing is left without the prompts of the data.
  private func requireOtherPrompts(
    _ validation: EvaluationPairs, test: EvaluationPairs, file: String
  ) throws {
    let prompts = Set(test.facts.map(\.prompt))
    let shared = validation.facts.filter { prompts.contains($0.prompt) }.count
    if shared == validation.facts.count {
      throw CommandFailure(
        "\(file): expected pairs of prompts that --data does not have, found none among \(shared)")
    }
    if shared > 0 {
      StandardError.write(
        "plumb: \(file): \(shared) pairs share a prompt with --data and are left out of the fits\n")
    }
  }
}
