import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbEvaluation
import PlumbPreferences
import PlumbRecipes

/// Evaluates a judge by what it answers when it is asked again: `plumb evaluate --judge-url`.
struct JudgeEvaluation {
  /// Pairs from the start that may all stay without a verdict before nobody is asked any more.
  static let patience = 8

  /// The measured pairs as questions, whose right answer is `chosen`.
  let answers: AnswersEvaluation
  /// The verdicts on them.
  let verdicts: [SampledVerdicts]
  /// Asks in all.
  let asks: Int
  /// Asks without a verdict, by reason.
  let failures: [String: Int]

  /// Asks a judge about the pairs of a file.
  ///
  /// - Parameters:
  ///   - file: a path, or `-` for standard input.
  ///   - samples: how often it is asked about each pair.
  ///   - seed: of the order in which each pair is first shown.
  /// - Throws: `CommandFailure` where no ask gives a verdict, at the latest after ``patience`` pairs; what
  ///   reading throws.
  init(_ file: String, judge: EndpointJudge, samples: Int, seed: UInt64) throws {
    let source = file == "-" ? RowReader.standardInput : URL(filePath: file)
    let (pairs, report) = try DataFile.preferencePairs(source)
    var progress = RowProgress(total: pairs.count)
    var rows: [SampledAnswers] = []
    var prompts: [String] = []
    var verdicts: [SampledVerdicts] = []
    var dropped = report.dropped
    var failures: [String: Int] = [:]
    var example: (any Error)?
    var unanswered = 0
    for (place, pair) in pairs.enumerated() {
      let found = SampledVerdicts(of: pair, by: judge, count: samples, seed: seed) { error in
        failures[Self.reason(error), default: 0] += 1
        if example == nil { example = error }
      }
      progress.advance(rows: 1)
      guard found.hasVerdict, let consistency = found.consistency else {
        unanswered += 1
        if rows.isEmpty, unanswered == Self.patience || place == pairs.count - 1 {
          progress.finish()
          throw CommandFailure(
            "\(judge.address.text): expected a verdict, found none (asks: \(unanswered * samples), pairs: "
              + "\(unanswered))" + (example.map { "; the first: \($0)" } ?? ""))
        }
        continue
      }
      verdicts.append(found)
      prompts.append(pair.promptKey)
      rows.append(
        SampledAnswers(
          consistency: consistency, answer: SampledVerdicts.Answer.chosen.rawValue,
          source: pair.source))
    }
    progress.finish()
    if unanswered > 0 { dropped["no verdict"] = unanswered }
    let failed = failures.values.reduce(0, +)
    if let example {
      StandardError.write(
        "plumb: \(failed) of \(pairs.count * samples) asks gave no verdict; the first: \(example)\n"
      )
    }
    answers = AnswersEvaluation(rows: rows, prompts: prompts, dropped: dropped)
    self.verdicts = verdicts
    asks = pairs.count * samples
    self.failures = failures
  }

  /// Why an ask has no verdict, in words by which they are counted.
  private static func reason(_ error: any Error) -> String {
    guard let error = error as? JudgeEndpointError else { return "other" }
    return switch error {
    case .unreachable: "no connection"
    case .timedOut: "timed out"
    case .status(_, _, _, let code, _): "status \(code)"
    case .invalidAnswer, .invalidJudgement: "not understood"
    case .declined: "declined"
    case .invalidAddress, .notLoopback: "address"
    }
  }

  /// Asks that were answered with a tie.
  private var ties: Int { verdicts.reduce(0) { $0 + $1.answers.count { $0 == .tie } } }

  /// What the order of the responses decides.
  func order(resamples: Int, seed: UInt64) -> VerdictOrder {
    VerdictOrder(verdicts, prompts: answers.prompts ?? [], resamples: resamples, seed: seed)
  }

  /// The object that the command prints.
  func object(
    _ all: ConsistencyCalibration, sources: [(name: String, figures: ConsistencyCalibration)],
    order: VerdictOrder, isComplete: Bool
  ) -> JSONValue {
    var fields: [(String, JSONValue)] = [
      ("ties", .integer(ties)), ("asks", .integer(asks)),
      ("failed_asks", .integer(failures.values.reduce(0, +))),
      ("failures", EvaluationJSON.counts(failures)),
      ("order_pairs", .integer(order.pairs)),
      ("order_flips", EvaluationJSON.optional(order.flips)),
      ("first_place_share", EvaluationJSON.optional(order.firstPlace)),
    ]
    if isComplete {
      fields += [
        ("order_flips_interval", EvaluationJSON.ends(order.flipsInterval)),
        ("first_place_share_interval", EvaluationJSON.ends(order.firstPlaceInterval)),
      ]
    }
    return .object(
      (answers.object(all, sources: sources, isComplete: isComplete).object ?? [])
        + fields.map { JSONField(key: $0.0, value: $0.1) })
  }

  /// The page of `--report`.
  func report(
    _ all: ConsistencyCalibration, sources: [(name: String, figures: ConsistencyCalibration)],
    order: VerdictOrder, judge: EndpointJudge, data: String, samples: Int
  ) -> Report {
    let reasons = failures.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    return Report(
      title: "Judge by its verdicts",
      lead:
        "How well a judge predicts what people chose, and how well the agreement of its verdicts tells "
        + "whether it is right.",
      facts: [
        .init("judge", judge.address.text), .init("data", data),
        .init("pairs", "\(all.questions)"), .init("asks about each", "\(samples)"),
        .init("left out", answers.leftOut), .init("ties among the verdicts", "\(ties)"),
        .init(
          "asks without a verdict", reasons.isEmpty ? "none" : reasons.joined(separator: ", ")),
      ], sections: answers.sections(all, sources: sources) + [order.section])
  }
}
