import CZlib
import CZstd

/// Compression, a piece at a time.
protocol StreamEncoder: AnyObject {
  /// Appends the compressed form of `input` to `output`; with `isLast` also the end of the stream.
  func encode(
    _ input: UnsafeRawBufferPointer, isLast: Bool, into output: inout [UInt8]
  ) throws(StreamFault)
}

/// Zstandard, one frame with a checksum.
final class ZstdEncoder: StreamEncoder {
  private let context: OpaquePointer?

  init(level: Int) {
    context = ZSTD_createCCtx()
    guard let context else { return }
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(clamping: level))
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
  }

  deinit { ZSTD_freeCCtx(context) }

  func encode(
    _ input: UnsafeRawBufferPointer, isLast: Bool, into output: inout [UInt8]
  ) throws(StreamFault) {
    guard let context else { throw StreamFault(reason: "out of memory") }
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    let mode = isLast ? ZSTD_e_end : ZSTD_e_continue
    var remaining = 1
    while isLast ? remaining != 0 : source.pos < source.size {
      var failed: Int?
      let piece = [UInt8](unsafeUninitializedCapacity: 1 << 17) { buffer, count in
        var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
        remaining = ZSTD_compressStream2(context, &target, &source, mode)
        if ZSTD_isError(remaining) != 0 { failed = remaining }
        count = target.pos
      }
      if let failed { throw StreamFault(reason: String(cString: ZSTD_getErrorName(failed))) }
      output += piece
    }
  }
}

/// Gzip, one member without name and time, so that equal input gives equal bytes.
final class GzipEncoder: StreamEncoder {
  private var stream = z_stream()
  private let status: Int32

  init(level: Int) {
    // 31: the largest window, with the gzip wrapper; 8: the default memory level.
    status = deflateInit2_(
      &stream, Int32(min(max(level, 0), 9)), Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
  }

  deinit { if status == Z_OK { deflateEnd(&stream) } }

  func encode(
    _ input: UnsafeRawBufferPointer, isLast: Bool, into output: inout [UInt8]
  ) throws(StreamFault) {
    guard status == Z_OK else { throw StreamFault(reason: "out of memory") }
    let bytes = input.assumingMemoryBound(to: UInt8.self)
    stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
    stream.avail_in = UInt32(input.count)
    var isFull = true
    while isFull {
      output += [UInt8](unsafeUninitializedCapacity: 1 << 17) { buffer, count in
        stream.next_out = buffer.baseAddress
        stream.avail_out = UInt32(buffer.count)
        deflate(&stream, isLast ? Z_FINISH : Z_NO_FLUSH)
        count = buffer.count - Int(stream.avail_out)
        isFull = stream.avail_out == 0
      }
    }
  }
}
