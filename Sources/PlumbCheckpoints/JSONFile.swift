public import FoundationEssentials

/// Whole JSON files, plain or compressed.
public enum JSONFile {
  /// Reads and parses `url`; throws ``CheckpointError`` with the line of a fault.
  public static func read(_ url: URL, maximumByteCount: Int = 1 << 31) throws -> JSONValue {
    let bytes = try ByteReader.readAll(url, maximumByteCount: maximumByteCount)
    do {
      return try JSONValue(parsing: bytes)
    } catch {
      let line = 1 + bytes.prefix(error.offset).count { $0 == UInt8(ascii: "\n") }
      throw CheckpointError(
        .malformed, path: url.path, "invalid JSON at line \(line)", expected: error.expected,
        found: error.found)
    }
  }
}
