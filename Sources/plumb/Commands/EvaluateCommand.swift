import ArgumentParser
import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbModels
import PlumbPreferences

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
        accuracy    share of pairs whose chosen response is the likelier; a tie counts half
        nll         mean negative log-likelihood of the choices in nats; a coin has 0.693
        brier       mean squared error of the probability; a coin has 0.25
        ece         expected calibration error, 10 bins, both orders of each pair
        folded_ece  the same of the confidence max(p, 1 - p)
        pairs       pairs measured
        dropped     rows left out: without usable content, or longer than --max-length

        plumb evaluate --model DIR --data test.jsonl.zst
      """)

  @OptionGroup var model: ModelOptions

  @Option(
    help: ArgumentHelp(
      "Pairs: .jsonl, .jsonl.gz, .jsonl.zst, or a list in a .json.", valueName: "file"),
    completion: .file())
  var data: String

  @Option(
    help: ArgumentHelp(
      "Leave out pairs with more tokens, prompt and longer response together (default: the model's context).",
      valueName: "n"))
  var maxLength: Int?

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if let maxLength, maxLength < 1 {
      throw ValidationError("--max-length: expected 1 or more, found \(maxLength)")
    }
  }

  func run() throws {
    threads.configure()
    let judging = try JudgingModel(path: model.model)
    let (groups, dropped) = try pairs(for: judging)
    let metrics: Calibration
    do {
      metrics = try PreferenceEvaluation(model: judging.model, pairs: groups).metrics
    } catch PreferenceError.notFinite(_, let what, let value) {
      throw CommandFailure("\(model.model): expected a finite \(what), found \(value)")
    }
    try StandardOutput().write(lines: [
      .fields([
        "accuracy": .number(metrics.accuracy), "nll": .number(metrics.nll),
        "brier": .number(metrics.brier), "ece": .number(metrics.ece),
        "folded_ece": .number(metrics.foldedECE), "pairs": .integer(metrics.pairs),
        "dropped": .integer(dropped),
      ])
    ])
  }

  /// The pairs as token ids, and how many rows were left out.
  private func pairs(for judging: JudgingModel) throws -> (groups: [PreferenceGroup], dropped: Int)
  {
    let context = judging.configuration.maximumPositions
    let limit = min(maxLength ?? context, context)
    let groups: [PreferenceGroup]
    let rowCount: Int
    if let encoder = judging.texts.encoder {
      let source = data == "-" ? RowReader.standardInput : URL(filePath: data)
      let (pairs, report) = try DataFile.preferencePairs(source)
      groups = PreferenceGroup.encode(pairs, encoder: encoder, maximumTokens: limit).groups
      rowCount = report.rows
    } else {
      let pairs = try tokenPairs(for: judging)
      groups = pairs.filter { pair in
        pair.responses.allSatisfy { judging.readout.prepared($0).count <= limit }
      }
      rowCount = pairs.count
    }
    guard !groups.isEmpty else {
      throw DataError(
        .noUsableRows, file: data, "every pair is too long",
        expected: "at least one of up to \(limit) tokens", found: "none in \(rowCount) rows")
    }
    return (groups, rowCount - groups.count)
  }

  private func tokenPairs(for judging: JudgingModel) throws -> [PreferenceGroup] {
    let decoder = PreferenceRowDecoder(model: judging)
    var reader = try RowReader(data)
    var pairs: [PreferenceGroup] = []
    while let row = try reader.next() {
      let group = try decoder.tokens(row)
      guard group.responses.count == 2 else {
        throw row.unknownForm(expected: "\"chosen_tokens\" and \"rejected_tokens\"")
      }
      pairs.append(group)
    }
    if pairs.isEmpty { throw reader.emptiness }
    return pairs
  }
}
