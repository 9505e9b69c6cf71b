public import FoundationEssentials

/// Writes a text file line by line, compressed as its name says, and there only when complete.
///
/// `.zst` is written as zstd, `.gz` as gzip, anything else plain. Equal lines give equal bytes.
/// Without ``finish()`` nothing is left behind.
public final class LineWriter {
  private let file: AtomicFileWriter
  private let encoder: (any StreamEncoder)?
  private var pending: [UInt8] = []
  private static let pieceCount = 1 << 17

  /// Opens `url`; throws ``CheckpointError``.
  ///
  /// `level` is zstd's (1 to 22) or gzip's (1 to 9).
  public init(to url: URL, level: Int? = nil) throws {
    file = try AtomicFileWriter(to: url)
    switch url.pathExtension {
    case "zst": encoder = ZstdEncoder(level: level ?? 10)
    case "gz": encoder = GzipEncoder(level: level ?? 6)
    default: encoder = nil
    }
  }

  /// Appends `line` and a line feed.
  public func write(_ line: String) throws {
    pending += line.utf8
    pending.append(UInt8(ascii: "\n"))
    if pending.count >= Self.pieceCount { try flush(isLast: false) }
  }

  /// Appends one JSON value as a line.
  public func write(_ value: JSONValue) throws { try write(value.serialized()) }

  /// Completes the file and makes it appear under its name.
  public func finish() throws {
    try flush(isLast: true)
    try file.commit()
  }

  /// Writes all `lines` to `url`; see ``LineWriter``.
  public static func write(
    _ lines: some Sequence<String>, to url: URL, level: Int? = nil
  ) throws {
    let writer = try LineWriter(to: url, level: level)
    for line in lines { try writer.write(line) }
    try writer.finish()
  }

  private func flush(isLast: Bool) throws {
    if let encoder {
      var encoded: [UInt8] = []
      do throws(StreamFault) {
        var fault: StreamFault?
        pending.withUnsafeBytes { bytes in
          do throws(StreamFault) {
            try encoder.encode(bytes, isLast: isLast, into: &encoded)
          } catch { fault = error }
        }
        if let fault { throw fault }
      } catch {
        throw CheckpointError(
          .unwritable, path: file.url.path, "cannot compress: \(error.reason)")
      }
      try file.append(encoded)
    } else {
      try file.append(pending)
    }
    pending.removeAll(keepingCapacity: true)
  }
}
