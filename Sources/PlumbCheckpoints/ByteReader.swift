public import FoundationEssentials

/// The bytes of a file in pieces, decompressed when they start as zstd or gzip data does.
///
/// The format is told by its magic number, not by the name. Memory is bounded by two buffers and
/// the window of the compressed stream. A window above 128 MB, which only zstd has, lies in a
/// temporary file in `$TMPDIR`, or `/var/tmp`, of which some 32 MB are resident.
public final class ByteReader {
  /// The file.
  public let url: URL
  private let file: InputFile
  private var decoder: (any StreamDecoder)?
  private var input = [UInt8](repeating: 0, count: 1 << 17)
  private var inputRange = 0..<0
  private var inputOffset = 0
  private var isAtEnd = false
  private var mayHoldOutput = false
  private var hasStarted = false

  private static let outputCount = 1 << 18

  /// Opens `url`; throws ``CheckpointError``.
  public init(contentsOf url: URL) throws {
    self.url = url
    file = try InputFile(url)
  }

  /// The next piece, never empty, or nil at the end of the file.
  ///
  /// Throws ``CheckpointError`` for corrupt compressed data and for a stream that ends too early,
  /// with the place in the compressed file, and where a large window finds no room on the disk.
  public func next() throws -> [UInt8]? {
    if !hasStarted {
      hasStarted = true
      try refill()
      decoder = Self.decoder(for: input[inputRange])
    }
    guard let decoder else { return try nextPlain() }
    while true {
      if inputRange.isEmpty, !isAtEnd { try refill() }
      if inputRange.isEmpty, isAtEnd, !mayHoldOutput {
        guard decoder.isComplete else {
          throw CheckpointError(
            .truncated, path: url.path,
            "the \(decoder.name) stream ends too early, at byte "
              + "\(inputOffset + inputRange.upperBound)")
        }
        return nil
      }
      let piece = try decode(decoder)
      if !piece.isEmpty { return piece }
    }
  }

  /// Bytes of the file itself that were taken so far, before decompression.
  public var consumedByteCount: Int { inputOffset + inputRange.lowerBound }

  /// Bytes of the file itself, before decompression; nil for a pipe.
  public var fileByteCount: Int? { file.size }

  /// Passes over the first `count` bytes of the content, of a plain file without reading them.
  ///
  /// To be called before the first ``next()``. Returns the rest of the piece in which the place
  /// lies, empty if it lies at its end; throws as ``next()`` does, and where the content is shorter.
  public func skip(_ count: Int) throws -> [UInt8] {
    precondition(!hasStarted, "skip: expected a reader at its start")
    var left = count
    if count > input.count, let size = file.size, size >= count {
      // The first piece tells whether the file is plain.
      hasStarted = true
      try refill()
      decoder = Self.decoder(for: input[inputRange])
      if decoder == nil {
        try file.seek(to: count)
        (inputRange, inputOffset) = (0..<0, count)
        return []
      }
    }
    while left > 0 {
      guard let piece = try next() else {
        throw CheckpointError(
          .truncated, path: url.path, "the content is shorter than before",
          expected: "at least \(count) bytes", found: "\(count - left)")
      }
      if piece.count > left { return Array(piece[left...]) }
      left -= piece.count
    }
    return []
  }

  /// All bytes of `url`; throws ``CheckpointError`` if there are more than `maximumByteCount`.
  public static func readAll(_ url: URL, maximumByteCount: Int = 1 << 31) throws -> [UInt8] {
    let reader = try ByteReader(contentsOf: url)
    var bytes: [UInt8] = []
    while let piece = try reader.next() {
      bytes += piece
      guard bytes.count <= maximumByteCount else {
        throw CheckpointError(
          .unsupported, path: url.path, "the content is too large",
          expected: "at most \(maximumByteCount) bytes", found: "more")
      }
    }
    return bytes
  }

  /// The first `byteCount` bytes of `url` as they are, never decompressed; throws
  /// ``CheckpointError`` if there are fewer.
  public static func readRaw(_ url: URL, byteCount: Int) throws -> [UInt8] {
    let file = try InputFile(url)
    var bytes = [UInt8](repeating: 0, count: byteCount)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    guard count == byteCount else {
      throw CheckpointError(
        .truncated, path: url.path, "the file is too short", expected: "\(byteCount) bytes",
        found: "\(count)")
    }
    return bytes
  }

  static func decoder(for start: some Collection<UInt8>) -> (any StreamDecoder)? {
    let magic = Array(start.prefix(4))
    if magic.starts(with: [0x1f, 0x8b]) { return GzipDecoder() }
    if magic == [0x28, 0xb5, 0x2f, 0xfd] { return ZstdDecoder() }
    // A skippable frame may stand first; seekable archives do that.
    if magic.count == 4, magic[0] & 0xf0 == 0x50, magic[1...] == [0x2a, 0x4d, 0x18] {
      return ZstdDecoder()
    }
    return nil
  }

  private func refill() throws {
    inputOffset += inputRange.upperBound
    let count = try input.withUnsafeMutableBytes { try file.read(into: $0) }
    inputRange = 0..<count
    if count < input.count { isAtEnd = true }
  }

  private func nextPlain() throws -> [UInt8]? {
    if inputRange.isEmpty, !isAtEnd { try refill() }
    guard !inputRange.isEmpty else { return nil }
    let piece = Array(input[inputRange])
    inputRange = inputRange.upperBound..<inputRange.upperBound
    return piece
  }

  private func decode(_ decoder: any StreamDecoder) throws -> [UInt8] {
    var failure: StreamFault?
    let piece = [UInt8](unsafeUninitializedCapacity: Self.outputCount) { output, count in
      input.withUnsafeBytes { bytes in
        let window = UnsafeRawBufferPointer(rebasing: bytes[inputRange])
        do throws(StreamFault) {
          let (consumed, produced) = try decoder.decode(
            window, into: UnsafeMutableRawBufferPointer(output))
          inputRange = (inputRange.lowerBound + consumed)..<inputRange.upperBound
          count = produced
        } catch {
          failure = error
        }
      }
    }
    if let failure {
      throw failure.error(
        path: url.path, name: decoder.name, near: inputOffset + inputRange.lowerBound)
    }
    mayHoldOutput = piece.count == Self.outputCount
    return piece
  }
}
