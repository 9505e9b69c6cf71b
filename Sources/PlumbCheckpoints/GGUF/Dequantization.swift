/// Blocks of small integers turned into numbers, as ggml's `dequantize_row_*` and the package
/// `gguf` do it: every product and sum in single precision and in their order, so that the results
/// are the same bits.
extension GGUFTensorType {
  /// The numbers that whole blocks stand for.
  func floats(_ bytes: [UInt8]) -> [Float] {
    precondition(
      bytes.count.isMultiple(of: blockByteCount),
      "floats: expected whole blocks of \(blockByteCount) bytes, found \(bytes.count) bytes")
    let blocks = bytes.count / blockByteCount
    return [Float](unsafeUninitializedCapacity: blocks * blockCount) { values, count in
      count = blocks * blockCount
      bytes.withUnsafeBytes { bytes in
        guard let source = bytes.baseAddress, let target = values.baseAddress else { return }
        convert(source, target, count: blocks)
      }
    }
  }

  private func convert(
    _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>, count: Int
  ) {
    switch self {
    case .f32: Self.each(count, source, target, 4, 1) { $1[0] = $0.float32(0) }
    case .f16: Self.each(count, source, target, 2, 1) { $1[0] = $0.float16(0) }
    case .bf16:
      Self.each(count, source, target, 2, 1) {
        $1[0] = HalfPrecision.float(bfloat16: $0.integer(0))
      }
    case .q4_0: Self.each(count, source, target, blockByteCount, 32, Self.q4_0)
    case .q4_1: Self.each(count, source, target, blockByteCount, 32, Self.q4_1)
    case .q5_0: Self.each(count, source, target, blockByteCount, 32, Self.q5_0)
    case .q5_1: Self.each(count, source, target, blockByteCount, 32, Self.q5_1)
    case .q8_0: Self.each(count, source, target, blockByteCount, 32, Self.q8_0)
    case .q4_K: Self.each(count, source, target, blockByteCount, 256, Self.q4_K)
    case .q5_K: Self.each(count, source, target, blockByteCount, 256, Self.q5_K)
    case .q6_K: Self.each(count, source, target, blockByteCount, 256, Self.q6_K)
    }
  }

  @inline(__always)
  private static func each(
    _ count: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>,
    _ byteCount: Int, _ valueCount: Int,
    _ body: (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void
  ) {
    for block in 0..<count {
      body(source + block * byteCount, target + block * valueCount)
    }
  }

  private static func q4_0(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let scale = block.float16(0)
    for i in 0..<16 {
      let byte = block.byte(2 + i)
      out[i] = scale * Float((byte & 0xF) - 8)
      out[i + 16] = scale * Float((byte >> 4) - 8)
    }
  }

  private static func q4_1(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let (scale, least) = (block.float16(0), block.float16(2))
    for i in 0..<16 {
      let byte = block.byte(4 + i)
      out[i] = scale * Float(byte & 0xF) + least
      out[i + 16] = scale * Float(byte >> 4) + least
    }
  }

  /// The fifth bits of 32 numbers are 32 bits of their own.
  private static func q5_0(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let scale = block.float16(0)
    let high: UInt32 = block.integer(2)
    for i in 0..<16 {
      let byte = block.byte(6 + i)
      let (first, second) = (Int32(high >> i & 1) << 4, Int32(high >> (i + 16) & 1) << 4)
      out[i] = scale * Float((byte & 0xF | first) - 16)
      out[i + 16] = scale * Float((byte >> 4 | second) - 16)
    }
  }

  private static func q5_1(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let (scale, least) = (block.float16(0), block.float16(2))
    let high: UInt32 = block.integer(4)
    for i in 0..<16 {
      let byte = block.byte(8 + i)
      let (first, second) = (Int32(high >> i & 1) << 4, Int32(high >> (i + 16) & 1) << 4)
      out[i] = scale * Float(byte & 0xF | first) + least
      out[i + 16] = scale * Float(byte >> 4 | second) + least
    }
  }

  private static func q8_0(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let scale = block.float16(0)
    for i in 0..<32 {
      out[i] = Float(block.load(fromByteOffset: 2 + i, as: Int8.self)) * scale
    }
  }
}

extension UnsafeRawPointer {
  /// The byte at `offset`, wide enough to calculate with.
  @inline(__always)
  func byte(_ offset: Int) -> Int32 { Int32(load(fromByteOffset: offset, as: UInt8.self)) }

  /// The little-endian integer at `offset`.
  @inline(__always)
  func integer<Value: FixedWidthInteger>(_ offset: Int) -> Value {
    Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
  }

  /// The half precision number at `offset`.
  @inline(__always)
  func float16(_ offset: Int) -> Float { HalfPrecision.float(float16: integer(offset)) }

  /// The single precision number at `offset`.
  @inline(__always)
  func float32(_ offset: Int) -> Float { Float(bitPattern: integer(offset)) }
}
