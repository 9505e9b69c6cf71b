import PlumbCheckpoints
import PlumbData
import PlumbEvaluation
import PlumbRecipes

/// Evaluates judges without probabilities by their sampled answers: `plumb evaluate --answers`.
struct AnswersEvaluation {
  let rows: [SampledAnswers]
  /// The prompt of each row, where rows are pairs; nil for questions, each of which is one.
  let prompts: [String]?
  let dropped: [String: Int]
  /// Samples that are marked as invalid.
  let invalidSamples: Int

  /// Rows that were sampled here.
  init(rows: [SampledAnswers], prompts: [String], dropped: [String: Int]) {
    self.rows = rows
    self.prompts = prompts
    self.dropped = dropped
    invalidSamples = rows.reduce(0) { $0 + $1.consistency.invalidSamples }
  }

  /// Reads rows `{"samples": […], "answer": …}`; samples are texts, numbers, truth values or null.
  init(_ file: String) throws {
    var reader = try RowReader(file)
    var rows: [SampledAnswers] = []
    var dropped: [String: Int] = [:]
    var count = 0
    while let row = try reader.next() {
      count += 1
      guard let list = row.json["samples"]?.array else {
        throw row.unknownForm(expected: "\"samples\", a list, and \"answer\"")
      }
      guard let value = row.json["answer"], let answer = Self.answer(value) else {
        throw row.fault(
          "\"answer\"", expected: "the right answer",
          found: row.json["answer"]?.kindName ?? "no such key")
      }
      let samples = try list.enumerated().map { place, value in
        if case .null = value { return SampleConsistency.invalid }
        guard let sample = Self.answer(value) else {
          throw row.fault(
            "\"samples[\(place)]\"", expected: "a text, a number, true, false or null",
            found: value.kindName)
        }
        return sample.isEmpty ? SampleConsistency.invalid : sample
      }
      guard let consistency = SampleConsistency(samples) else {
        dropped["no samples", default: 0] += 1
        continue
      }
      rows.append(
        SampledAnswers(
          consistency: consistency, answer: answer,
          source: row.json["source"]?.string ?? "answers"))
    }
    if count == 0 { throw reader.emptiness }
    guard !rows.isEmpty else {
      throw DataError(
        .noUsableRows, file: reader.name, "no row has samples",
        expected: "at least one sample in \"samples\"", found: "none in \(count) rows")
    }
    self.rows = rows
    prompts = nil
    self.dropped = dropped
    invalidSamples = rows.reduce(0) { $0 + $1.consistency.invalidSamples }
  }

  /// An answer as text, without outer white space; nil for lists, objects and null.
  private static func answer(_ value: JSONValue) -> String? {
    switch value {
    case .string(let text): trimmed(text)
    case .integer, .number, .bool: value.serialized()
    case .null, .array, .object: nil
    }
  }

  private static func trimmed(_ text: String) -> String {
    let rest = text.drop(while: \.isWhitespace)
    return String(rest.reversed().drop(while: \.isWhitespace).reversed())
  }

  /// The figures of all rows, and of each source where there are several.
  func analysis(bins: Int, resamples: Int, seed: UInt64) -> (
    all: ConsistencyCalibration, sources: [(name: String, figures: ConsistencyCalibration)]
  ) {
    func figures(_ places: [Int]) -> ConsistencyCalibration {
      ConsistencyCalibration(
        places.map { rows[$0] }, prompts: prompts.map { prompts in places.map { prompts[$0] } },
        bins: bins, resamples: resamples, seed: seed)
    }
    let sources = Dictionary(grouping: rows.indices) { rows[$0].source }
      .sorted { $0.key < $1.key }
    return (
      figures(Array(rows.indices)),
      sources.count < 2 ? [] : sources.map { ($0.key, figures($0.value)) }
    )
  }

  /// The object that the command prints.
  ///
  /// - Parameter isComplete: with intervals, bins and sources; else the plain figures.
  func object(
    _ all: ConsistencyCalibration, sources: [(name: String, figures: ConsistencyCalibration)],
    isComplete: Bool
  ) -> JSONValue {
    var fields: [(String, JSONValue)] =
      Self.fields(all, isComplete: isComplete) + [
        ("dropped", .integer(dropped.values.reduce(0, +))),
        ("samples", .integer(rows.reduce(0) { $0 + $1.consistency.samples })),
        ("invalid_samples", .integer(invalidSamples)),
      ]
    if !dropped.isEmpty { fields.append(("dropped_reasons", EvaluationJSON.counts(dropped))) }
    if isComplete, !sources.isEmpty {
      let list = sources.map { name, figures in
        EvaluationJSON.fieldsOf(
          [("name", .string(name))] + Self.fields(figures, isComplete: true))
      }
      fields.append(("slices", .fields(["source": .array(list)])))
    }
    return EvaluationJSON.fieldsOf(fields)
  }

  private static func fields(
    _ found: ConsistencyCalibration, isComplete: Bool
  ) -> [(String, JSONValue)] {
    guard isComplete else {
      return [("accuracy", .number(found.accuracy)), ("questions", .integer(found.questions))]
        + found.measures.map { measure, figures in
          (
            measure.rawValue,
            .fields([
              "mean_confidence": .number(figures.meanConfidence), "ece": .number(figures.ece),
              "brier": .number(figures.brier),
            ])
          )
        }
    }
    return [
      ("accuracy", .number(found.accuracy)),
      ("accuracy_interval", EvaluationJSON.ends(found.accuracyInterval)),
      ("questions", .integer(found.questions)),
    ]
      + found.measures.map { measure, figures in
        (
          measure.rawValue,
          .fields([
            "mean_confidence": .number(figures.meanConfidence), "ece": .number(figures.ece),
            "ece_interval": EvaluationJSON.ends(figures.eceInterval),
            "brier": .number(figures.brier),
            "brier_interval": EvaluationJSON.ends(figures.brierInterval),
            "reliability": EvaluationJSON.reliability(figures.bins),
          ])
        )
      }
  }

  /// The page of `--report`.
  func report(
    _ all: ConsistencyCalibration, sources: [(name: String, figures: ConsistencyCalibration)],
    file: String
  ) -> Report {
    Report(
      title: "Sample consistency",
      lead: "How well the agreement of a judge's samples tells whether the judge is right.",
      facts: [
        .init("answers", file), .init("questions", "\(all.questions)"),
        .init("left out", leftOut),
        .init("invalid samples", "\(invalidSamples)"),
      ], sections: sections(all, sources: sources))
  }

  /// Rows that were left out, by reason, as a page tells it.
  var leftOut: String {
    dropped.isEmpty
      ? "none"
      : dropped.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
  }

  /// What every page has: all rows, and each source where there are several.
  func sections(
    _ all: ConsistencyCalibration, sources: [(name: String, figures: ConsistencyCalibration)]
  ) -> [ReportSection] {
    let section = all.section(title: "Confidence against correctness")
    guard !sources.isEmpty else { return [section] }
    // By the share of samples that agree, the plainest of the three measures.
    func cell(_ value: Double, _ interval: Interval?) -> String {
      NumberText.interval(value, interval.map { [$0.lower, $0.upper] })
    }
    let rows = sources.map { name, found -> [String] in
      let agreement = found.measures.first { $0.measure == .agreement }?.figures
      return [
        name, "\(found.questions)", cell(found.accuracy, found.accuracyInterval),
        agreement.map { NumberText.fixed($0.meanConfidence, 3) } ?? "–",
        agreement.map { cell($0.ece, $0.eceInterval) } ?? "–",
      ]
    }
    let table = TextTable(
      columns: [
        "source", prompts == nil ? "questions" : "pairs", "right", "mean agreement",
        "ECE of agreement",
      ], rows: rows)
    return [section, ReportSection("Sources", [.table(table)])]
  }
}
