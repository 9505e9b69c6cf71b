/// Zstandard in memory.
public enum Zstd {
  /// One frame holding `bytes`; level 1 to 22.
  public static func compress(_ bytes: [UInt8], level: Int = 10) throws -> [UInt8] {
    try encoded(bytes, by: ZstdEncoder(level: level))
  }

  /// What `bytes`, one frame or several, hold; more than `maximumByteCount` bytes are refused.
  public static func decompress(
    _ bytes: [UInt8], maximumByteCount: Int = 1 << 31
  ) throws -> [UInt8] {
    try decompress(bytes, maximumByteCount: maximumByteCount, memory: WindowMemory())
  }

  static func decompress(
    _ bytes: [UInt8], maximumByteCount: Int = 1 << 31, memory: WindowMemory
  ) throws -> [UInt8] {
    try decoded(bytes, by: ZstdDecoder(memory: memory), maximumByteCount)
  }
}

/// Gzip in memory.
public enum Gzip {
  /// One member holding `bytes`; level 1 to 9.
  public static func compress(_ bytes: [UInt8], level: Int = 6) throws -> [UInt8] {
    try encoded(bytes, by: GzipEncoder(level: level))
  }

  /// What `bytes`, one member or several, hold; more than `maximumByteCount` bytes are refused.
  public static func decompress(
    _ bytes: [UInt8], maximumByteCount: Int = 1 << 31
  ) throws -> [UInt8] {
    try decoded(bytes, by: GzipDecoder(), maximumByteCount)
  }
}

private func encoded(_ bytes: [UInt8], by encoder: any StreamEncoder) throws -> [UInt8] {
  var output: [UInt8] = []
  do {
    try bytes.withUnsafeBytes { try encoder.encode($0, isLast: true, into: &output) }
  } catch let fault as StreamFault {
    throw CheckpointError(.unwritable, path: "data in memory", "cannot compress: \(fault.reason)")
  }
  return output
}

private func decoded(
  _ bytes: [UInt8], by decoder: any StreamDecoder, _ maximumByteCount: Int
) throws -> [UInt8] {
  var output: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 1 << 17)
  var place = 0
  while true {
    let step: (consumed: Int, produced: Int)
    do {
      step = try bytes.withUnsafeBytes { input in
        try piece.withUnsafeMutableBytes {
          try decoder.decode(UnsafeRawBufferPointer(rebasing: input[place...]), into: $0)
        }
      }
    } catch let fault as StreamFault {
      throw fault.error(path: "data in memory", name: decoder.name, near: place)
    }
    place += step.consumed
    output += piece[..<step.produced]
    guard output.count <= maximumByteCount else {
      throw CheckpointError(
        .unsupported, path: "data in memory", "the content is too large",
        expected: "at most \(maximumByteCount) bytes", found: "more")
    }
    if place == bytes.count, step.produced < piece.count { break }
  }
  guard decoder.isComplete else {
    throw CheckpointError(
      .truncated, path: "data in memory",
      "the \(decoder.name) stream ends too early, at byte \(place)")
  }
  return output
}
