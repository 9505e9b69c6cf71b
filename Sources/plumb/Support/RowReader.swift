import Foundation
import PlumbCheckpoints
import PlumbData

/// The rows of an input: one JSON object a line, plain, gzip or zstd.
struct RowReader {
  /// The input as messages name it.
  let name: String
  /// Whether rows come from a pipe or a terminal, and so can be read only once and may take time.
  let isStream: Bool
  private var lines: LineReader

  /// Opens a file, or standard input for `-`.
  init(_ argument: String) throws {
    let isStandardInput = argument == "-"
    name = isStandardInput ? "standard input" : argument
    isStream = isStandardInput || !FileManager.default.isRegularFile(atPath: argument)
    do {
      lines = try LineReader(
        contentsOf: isStandardInput ? Self.standardInput : URL(filePath: argument))
    } catch let error as CheckpointError {
      throw error.naming(name)
    }
  }

  /// The file that stands for standard input.
  static let standardInput = URL(filePath: "/dev/stdin")

  /// The next row, or nil at the end; lines without content are passed over.
  mutating func next() throws -> Row? {
    while let line = try nextLine() {
      if line.isBlank { continue }
      let json: JSONValue
      do {
        json = try JSONValue(parsing: line.bytes)
      } catch {
        throw DataError(
          .invalidJSON, file: name, line: line.number,
          "invalid JSON at column \(error.offset + 1)", expected: error.expected,
          found: error.found)
      }
      guard json.object != nil else {
        throw DataError(
          .unknownSchema, file: name, line: line.number, "not a row", expected: "a JSON object",
          found: json.kindName)
      }
      return Row(json: json, input: name, line: line.number)
    }
    return nil
  }

  /// The error for an input without rows.
  var emptiness: DataError {
    DataError(
      .noUsableRows, file: name, "there is no row", expected: "one JSON object a line",
      found: "nothing")
  }

  private mutating func nextLine() throws -> LineReader.Line? {
    do {
      return try lines.next()
    } catch let error as CheckpointError {
      throw error.naming(name)
    }
  }
}

extension CheckpointError {
  /// The same error, with the file as the user named it.
  fileprivate func naming(_ name: String) -> CheckpointError {
    CheckpointError(kind, path: name, message, expected: expected, found: found)
  }
}

extension FileManager {
  /// Whether there is a plain file, behind links or not.
  fileprivate func isRegularFile(atPath path: String) -> Bool {
    let path = URL(filePath: path).resolvingSymlinksInPath().path
    let type = try? attributesOfItem(atPath: path)[.type] as? FileAttributeType
    return type == .typeRegular
  }
}
