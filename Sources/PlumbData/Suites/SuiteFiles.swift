public import FoundationEssentials
import PlumbCheckpoints

/// Readers of the files that suites are made from; a row that does not fit throws ``DataError``.
public enum SuiteFile {
  /// Rows with `question` and `answer`, worked in GSM8K's form.
  public static func solutions(_ url: URL) throws -> [WorkedSolution] {
    try rows(url, as: "worked solutions") { fields in
      let solution = WorkedSolution(
        id: fields.id, question: try fields.text("question"), raw: try fields.text("answer"))
      return solution.text == nil ? nil : solution
    }
  }

  /// Rows with `question` and `answer`, the options listed in the question.
  public static func options(_ url: URL) throws -> [OptionQuestion] {
    try rows(url, as: "questions with options") { fields in
      OptionQuestion(
        id: fields.id, source: fields.source, question: try fields.text("question"),
        answer: try fields.text("answer"))
    }
  }

  /// Rows with `prompt`, `chosen` and `rejected`, the latter two lists of one text per style.
  public static func styleGrids(_ url: URL) throws -> [StyleGrid] {
    try rows(url, as: "style grids") { fields in
      let chosen = try fields.texts("chosen")
      let rejected = try fields.texts("rejected")
      guard chosen.count == rejected.count, !chosen.isEmpty else {
        throw fields.fault(
          "rejected", expected: "\(max(1, chosen.count)) texts, one for each chosen",
          found: fields["rejected"])
      }
      return StyleGrid(
        id: fields.id, domain: fields["domain"]?.string ?? fields.source,
        prompt: try fields.text("prompt"), chosen: chosen, rejected: rejected)
    }
  }

  private static func rows<Row>(
    _ url: URL, as kind: String, _ convert: (RowFields) throws -> Row?
  ) throws -> [Row] {
    var reader = try RowReader(contentsOf: url)
    let decoder = RowDecoder(url)
    var rows: [Row] = []
    var count = 0
    while let (line, value) = try reader.next() {
      count += 1
      let fields = RowFields(json: value, file: url.path, line: line, source: decoder.source)
      if let row = try convert(fields) { rows.append(row) }
    }
    guard !rows.isEmpty else {
      throw DataError(
        .noUsableRows, file: url.path, "there is no usable row in this file", expected: kind,
        found: "\(count) rows")
    }
    return rows
  }
}

extension RowFields {
  /// The text under a key that must be there.
  fileprivate func text(_ key: String) throws -> String {
    guard let text = json[key]?.string else {
      throw fault(key, expected: "a string", found: json[key])
    }
    return text
  }

  /// The list of texts under a key that must be there.
  fileprivate func texts(_ key: String) throws -> [String] {
    guard let list = json[key]?.array else {
      throw fault(key, expected: "a list of strings", found: json[key])
    }
    return try list.map { element in
      guard let text = element.string else {
        throw fault(key, expected: "a list of strings", found: element)
      }
      return text
    }
  }
}
