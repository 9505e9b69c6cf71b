import FoundationEssentials
import PlumbCheckpoints
import PlumbTokenizers

extension RowDecoder {
  init(_ url: URL) {
    let name = url.lastPathComponent
    self.init(file: url.path, source: String(name.prefix { $0 != "." }))
  }
}

/// A row whose parts have lengths to report and to limit.
protocol MeasuredRecord: PromptRecord {
  /// The answers, by the name of the part.
  var responses: [(part: String, text: String)] { get }
}

extension PreferencePair: MeasuredRecord {
  var responses: [(part: String, text: String)] { [("chosen", chosen), ("rejected", rejected)] }
}
extension Demonstration: MeasuredRecord {
  var responses: [(part: String, text: String)] { [("response", response)] }
}
extension UnpairedRow: MeasuredRecord {
  var responses: [(part: String, text: String)] { [("response", response)] }
}
extension PromptRow: MeasuredRecord {
  var responses: [(part: String, text: String)] { [] }
}
extension TextRow: MeasuredRecord {
  var responses: [(part: String, text: String)] {
    guard case .messages(let turns) = content, turns.count > 1, let last = turns.last else {
      return []
    }
    return [("response", last.content)]
  }
}
extension ForumThread: MeasuredRecord {
  var responses: [(part: String, text: String)] { answers.map { ("answer", $0.text) } }
}

extension DataFile {
  /// Reads every row, keeps what `convert` makes of it, and counts the rest.
  static func read<Row: MeasuredRecord>(
    _ url: URL, _ options: ReadOptions, as kind: String,
    _ convert: (DataRow) -> Result<[Row], DropReason>
  ) throws -> (rows: [Row], report: DataReport) {
    var reader = try RowReader(contentsOf: url)
    var decoder = RowDecoder(url)
    decoder.groupField = options.groupField
    var report = DataReport(file: url.path, kind: kind)
    var rows: [Row] = []
    while report.rows < options.maximumRows ?? .max, let (line, value) = try reader.next() {
      report.rows += 1
      let (row, schema) = try decoder.decode(value, line: line)
      report.schemas[schema, default: 0] += 1
      do throws(DropReason) {
        if case .dropped(let reason) = row { throw reason }
        let converted = try convert(row).get()
        for row in converted { try check(row, options) }
        rows += converted
      } catch {
        report.dropped[error.rawValue, default: 0] += 1
      }
    }
    guard !rows.isEmpty else {
      let reasons = report.dropped.sorted { $0.key < $1.key }
        .map { "\($0.key): \($0.value)" }.joined(separator: ", ")
      throw DataError(
        .noUsableRows, file: url.path, "there is no usable row in this file", expected: kind,
        found: report.rows == 0 ? "no rows" : "\(report.rows) rows (\(reasons))")
    }
    report.kept = rows.count
    report.lengths = lengths(of: rows, options.encoder)
    return (rows, report)
  }

  private static func check(
    _ row: some MeasuredRecord, _ options: ReadOptions
  ) throws(DropReason) {
    if let maximum = options.maximumPromptCharacters,
      row.prompt.reduce(0, { $0 + $1.content.unicodeScalars.count }) > maximum
    {
      throw .promptTooLong
    }
    if let maximum = options.maximumResponseCharacters,
      row.responses.contains(where: { $0.text.unicodeScalars.count > maximum })
    {
      throw .responseTooLong
    }
  }

  private static func lengths(
    of rows: [some MeasuredRecord], _ encoder: ConversationEncoder?
  ) -> [String: LengthQuantiles] {
    var lengths: [String: [Int]] = [:]
    for row in rows {
      let prompt = row.prompt
      let characters = prompt.reduce(0) { $0 + $1.content.unicodeScalars.count }
      lengths["prompt characters", default: []].append(characters)
      for (part, text) in row.responses {
        lengths["\(part) characters", default: []].append(text.unicodeScalars.count)
      }
      guard let encoder else { continue }
      lengths["prompt tokens", default: []].append(encoder.prompt(prompt).count)
      for (part, text) in row.responses {
        lengths["\(part) tokens", default: []].append(encoder.response(text).count)
      }
    }
    return lengths.compactMapValues(LengthQuantiles.init)
  }
}
