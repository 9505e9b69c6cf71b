import Foundation

/// A table in Markdown whose columns also line up in a terminal.
struct Table {
  private var rows: [[String]]

  init(_ header: [String]) { rows = [header] }

  mutating func add(_ row: [String]) { rows.append(row) }

  var text: String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    // Names and units stand to the left, numbers to the right.
    let isNumeric = rows[0].indices.map { column in
      rows.dropFirst().contains { Double($0[column].filter { $0 != "%" }) != nil }
    }
    func line(_ cells: [String]) -> String {
      let padded = cells.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return isNumeric[column] ? space + cell : cell + space
      }
      return "| " + padded.joined(separator: " | ") + " |"
    }
    let rule =
      "| " + widths.map { String(repeating: "-", count: $0) }.joined(separator: " | ") + " |"
    return ([line(rows[0]), rule] + rows.dropFirst().map(line)).joined(separator: "\n")
  }
}

/// Three significant digits, or all before the point.
func number(_ value: Double) -> String {
  let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : 2
  return String(format: "%.\(digits)f", value)
}

func percentage(_ share: Double) -> String { String(format: "%.0f%%", 100 * share) }
