/// Reads the head of a GGUF file in order: little-endian numbers and counted texts.
///
/// Bytes come through a window of fixed size. Every length is held against what is left of the
/// file before anything is read or allocated.
struct GGUFCursor {
  let file: InputFile
  /// Bytes of the file.
  let size: Int
  /// Where the next read begins.
  private(set) var offset: Int
  private var window: [UInt8] = []
  private var windowStart = 0

  private static let windowSize = 1 << 16

  init(_ file: InputFile, size: Int, at offset: Int = 0) {
    self.file = file
    self.size = size
    self.offset = offset
  }

  /// Bytes behind the cursor.
  var remaining: Int { size - offset }

  /// The next number; `what` is for messages.
  mutating func next<Value: FixedWidthInteger>(
    _ type: Value.Type, _ what: @autoclosure () -> String
  ) throws -> Value {
    let count = MemoryLayout<Value>.size
    let range = try load(count, what())
    let value = window.withUnsafeBytes {
      $0.loadUnaligned(fromByteOffset: range.lowerBound, as: Value.self)
    }
    offset += count
    return Value(littleEndian: value)
  }

  /// The next count or length, which must be small enough for so many items to be left.
  mutating func count(
    ofItemsOf byteCount: Int, _ what: @autoclosure () -> String
  ) throws -> Int {
    let start = offset
    let value = try next(UInt64.self, what())
    guard value <= UInt64(remaining / byteCount) else {
      throw CheckpointError(
        .truncated, path: file.path, "\(what()) at byte \(start) does not fit into the file",
        expected: "at most \(remaining / byteCount)", found: "\(value)")
    }
    return Int(value)
  }

  /// The next text: a length and that many bytes of UTF-8.
  mutating func text(limit: Int, _ what: @autoclosure () -> String) throws -> String {
    let start = offset
    let count = try count(ofItemsOf: 1, "the length of \(what())")
    guard count <= limit else {
      throw CheckpointError(
        .unsupported, path: file.path, "\(what()) at byte \(start) is too long",
        expected: "at most \(limit) bytes", found: "\(count)")
    }
    let text: String?
    if count <= Self.windowSize {
      let range = try load(count, what())
      text = String(validating: window[range], as: UTF8.self)
    } else {
      var bytes = [UInt8](repeating: 0, count: count)
      let got = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
      guard got == count else { throw cut(what()) }
      text = String(validating: bytes, as: UTF8.self)
    }
    guard let text else {
      throw CheckpointError(
        .malformed, path: file.path, "\(what()) at byte \(start) is not text",
        expected: "UTF-8", found: "other bytes")
    }
    offset += count
    return text
  }

  /// Leaves out `count` bytes.
  mutating func skip(_ count: Int, _ what: @autoclosure () -> String) throws {
    guard count <= remaining else { throw cut(what()) }
    offset += count
  }

  /// Makes the next `count` bytes, at most a window, available; returns where they are in it.
  private mutating func load(_ count: Int, _ what: @autoclosure () -> String) throws -> Range<Int> {
    guard count <= remaining else { throw cut(what()) }
    if offset < windowStart || offset + count > windowStart + window.count {
      let length = min(Self.windowSize, remaining)
      if window.count != length { window = [UInt8](repeating: 0, count: length) }
      windowStart = offset
      let got = try window.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
      // Another program may shorten the file while it is read.
      guard got == length else { throw cut(what()) }
    }
    return offset - windowStart..<offset - windowStart + count
  }

  private func cut(_ what: String) -> CheckpointError {
    CheckpointError(
      .truncated, path: file.path, "the file ends inside of \(what), which begins at byte \(offset)"
    )
  }
}
