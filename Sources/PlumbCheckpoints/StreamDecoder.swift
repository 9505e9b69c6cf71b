import CZlib
import CZstd

/// Decompression, a piece at a time.
protocol StreamDecoder: AnyObject {
  /// The name of the format, for messages.
  var name: String { get }
  /// True where the input may end: before the first byte and after a complete frame or member.
  var isComplete: Bool { get }
  /// Decodes what fits; returns how much was taken and given, throws what is wrong with the input.
  func decode(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(StreamFault) -> (consumed: Int, produced: Int)
}

/// What a compression library says about bad input, or about the machine.
struct StreamFault: Error {
  let reason: String
  /// `malformed`, or what the system refused.
  var kind = CheckpointError.Kind.malformed

  /// The error about the `name` data in the file at `path`, seen near `byte`.
  func error(path: String, name: String, near byte: Int) -> CheckpointError {
    let start =
      kind == .malformed
      ? "corrupt \(name) data near byte \(byte)" : "cannot decompress the \(name) data"
    return CheckpointError(kind, path: path, "\(start): \(reason)")
  }
}

/// Zstandard, any number of frames, windows up to 2 GB (`--long=31`), those above 128 MB in a
/// temporary file.
final class ZstdDecoder: StreamDecoder {
  let name = "zstd"
  private(set) var isComplete = true
  private let memory: WindowMemory
  private let context: OpaquePointer?

  init(memory: WindowMemory = WindowMemory()) {
    self.memory = memory
    context = memory.makeContext()
    if let context { ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 31) }
  }

  deinit { ZSTD_freeDCtx(context) }

  func decode(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(StreamFault) -> (consumed: Int, produced: Int) {
    guard let context else { throw StreamFault(reason: "out of memory", kind: .unreadable) }
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    let result = ZSTD_decompressStream(context, &target, &source)
    memory.trim()
    guard ZSTD_isError(result) == 0 else {
      if let failure = memory.failure { throw StreamFault(reason: failure, kind: .unreadable) }
      throw StreamFault(reason: String(cString: ZSTD_getErrorName(result)))
    }
    if source.pos > 0 || target.pos > 0 { isComplete = result == 0 }
    return (source.pos, target.pos)
  }
}

/// Gzip, any number of members; zero bytes after the last are padding, as tar leaves them.
final class GzipDecoder: StreamDecoder {
  let name = "gzip"
  private(set) var isComplete = true
  private var isPadding = false
  private var stream = z_stream()
  private let status: Int32

  init() {
    // 31: the largest window, with the gzip wrapper.
    status = inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
  }

  deinit { if status == Z_OK { inflateEnd(&stream) } }

  func decode(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) throws(StreamFault) -> (consumed: Int, produced: Int) {
    guard status == Z_OK else { throw StreamFault(reason: "out of memory", kind: .unreadable) }
    if isComplete, stream.total_out > 0 || stream.total_in > 0 {
      guard let first = input.first else { return (0, 0) }
      if first == 0 { isPadding = true }
      if isPadding {
        guard input.allSatisfy({ $0 == 0 }) else {
          throw StreamFault(reason: "bytes after the last member")
        }
        return (input.count, 0)
      }
      guard inflateReset(&stream) == Z_OK else { throw StreamFault(reason: "cannot restart") }
    }
    let bytes = input.assumingMemoryBound(to: UInt8.self)
    stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
    stream.avail_in = UInt32(input.count)
    stream.next_out = output.assumingMemoryBound(to: UInt8.self).baseAddress
    stream.avail_out = UInt32(output.count)
    let result = inflate(&stream, Z_NO_FLUSH)
    guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
      let reason = stream.msg.map { String(cString: $0) } ?? "corrupt data (\(result))"
      throw StreamFault(reason: reason)
    }
    let consumed = input.count - Int(stream.avail_in)
    let produced = output.count - Int(stream.avail_out)
    if consumed > 0 || produced > 0 { isComplete = result == Z_STREAM_END }
    return (consumed, produced)
  }
}
