import FoundationEssentials
import PlumbCheckpoints

/// The JSON values of a data file one by one: the lines of a `.jsonl`, or the elements of a list.
struct RowReader {
  private enum Source {
    case lines(LineReader)
    case elements([JSONValue])
  }

  private let url: URL
  private var source: Source
  private var number = 0
  /// The first line that was read to find out which of the two the file is.
  private var first: LineReader.Line?

  init(contentsOf url: URL) throws {
    self.url = url
    var reader = try LineReader(contentsOf: url)
    while let line = try reader.next() {
      if line.isBlank { continue }
      first = line
      break
    }
    let start = first?.bytes.first { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
    if start == UInt8(ascii: "["), case .array(let elements) = try JSONFile.read(url) {
      source = .elements(elements)
    } else {
      source = .lines(reader)
    }
  }

  /// The next value with its line, or its place in the list, from 1; nil at the end.
  mutating func next() throws -> (line: Int, value: JSONValue)? {
    switch source {
    case .elements(let elements):
      guard number < elements.count else { return nil }
      number += 1
      return (number, elements[number - 1])
    case .lines(var reader):
      defer { source = .lines(reader) }
      while let line = try first ?? reader.next() {
        first = nil
        if line.isBlank { continue }
        return (line.number, try parse(line))
      }
      return nil
    }
  }

  private func parse(_ line: LineReader.Line) throws -> JSONValue {
    do {
      return try JSONValue(parsing: line.bytes)
    } catch {
      throw DataError(
        .invalidJSON, file: url.path, line: line.number,
        "invalid JSON at column \(error.offset + 1)", expected: error.expected, found: error.found)
    }
  }
}
