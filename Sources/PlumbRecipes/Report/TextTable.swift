/// A table of texts, for the terminal and the report.
public struct TextTable: Codable, Hashable, Sendable {
  /// The heading; may be empty.
  public var title: String
  /// The heads of the columns.
  public var columns: [String]
  /// The cells, row by row; as many in each as there are columns.
  public var rows: [[String]]

  /// A table.
  public init(title: String = "", columns: [String], rows: [[String]]) {
    precondition(
      rows.allSatisfy { $0.count == columns.count },
      "TextTable: expected \(columns.count) cells in each row, found \(rows.map(\.count))")
    self.title = title
    self.columns = columns
    self.rows = rows
  }

  /// Whether a column holds numbers only, and so is set flush right.
  func isNumeric(_ column: Int) -> Bool {
    let cells = rows.map { $0[column] }.filter { !$0.isEmpty && $0 != "–" }
    return !cells.isEmpty
      && cells.allSatisfy { $0.first.map { "+-−<>~0123456789".contains($0) } == true }
  }

  /// The table in fixed-width characters, numbers flush right, a rule under the head.
  public var text: String {
    let widths = columns.indices.map { column in
      ([columns[column]] + rows.map { $0[column] }).map(Self.width).max() ?? 0
    }
    func line(_ cells: [String]) -> String {
      let padded = cells.indices.map { column in
        let blanks = String(repeating: " ", count: widths[column] - Self.width(cells[column]))
        return isNumeric(column) ? blanks + cells[column] : cells[column] + blanks
      }
      let text = padded.joined(separator: "  ")
      return String(text.reversed().drop { $0 == " " }.reversed())
    }
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
    let head = title.isEmpty ? [] : [title]
    return (head + [line(columns), rule] + rows.map(line)).joined(separator: "\n") + "\n"
  }

  /// Columns on a terminal; East Asian wide characters and emoji take two.
  private static func width(_ text: String) -> Int {
    text.reduce(0) { sum, character in
      let isWide = character.unicodeScalars.contains {
        (0x1100...0x115f).contains($0.value) || (0x2e80...0xa4cf).contains($0.value)
          || (0xac00...0xd7a3).contains($0.value) || (0xf900...0xfaff).contains($0.value)
          || (0xff00...0xff60).contains($0.value) || (0x1f300...0x1faff).contains($0.value)
      }
      return sum + (isWide ? 2 : 1)
    }
  }
}
