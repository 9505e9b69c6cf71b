/// The K-quants: 256 numbers in groups, whose scales are small integers times one half each.
extension GGUFTensorType {
  static func q4_K(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let (scale, least) = (block.float16(0), block.float16(2))
    for group in 0..<8 {
      let (steps, offsets) = sixBits(block + 4, group)
      let (d, m) = (scale * steps, least * offsets)
      // Two groups share 32 bytes: the first has the low nibbles.
      let (bytes, shift) = (block + 16 + group / 2 * 32, Int32(group % 2 * 4))
      for i in 0..<32 {
        out[group * 32 + i] = d * Float(bytes.byte(i) >> shift & 0xF) - m
      }
    }
  }

  static func q5_K(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let (scale, least) = (block.float16(0), block.float16(2))
    let high = block + 16
    for group in 0..<8 {
      let (steps, offsets) = sixBits(block + 4, group)
      let (d, m) = (scale * steps, least * offsets)
      let (bytes, shift) = (block + 48 + group / 2 * 32, Int32(group % 2 * 4))
      for i in 0..<32 {
        let fifth = high.byte(i) >> Int32(group) & 1
        out[group * 32 + i] = d * Float(bytes.byte(i) >> shift & 0xF | fifth << 4) - m
      }
    }
  }

  static func q6_K(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let scale = block.float16(208)
    for part in 0..<8 {
      // Each half of 128 numbers has 64 bytes of low nibbles and 32 bytes of upper pairs of bits.
      let (half, quarter) = (part / 4, part % 4)
      let (low, lowShift) = (block + half * 64 + quarter % 2 * 32, Int32(quarter / 2 * 4))
      let (high, highShift) = (block + 128 + half * 32, Int32(quarter * 2))
      for i in 0..<32 {
        let steps = (block + 192 + part * 2 + i / 16).load(as: Int8.self)
        let bits = low.byte(i) >> lowShift & 0xF | (high.byte(i) >> highShift & 3) << 4
        out[part * 32 + i] = (scale * Float(steps)) * Float(bits - 32)
      }
    }
  }

  /// Scale and offset of a group: 6 bits each, packed into 12 bytes for 8 groups.
  ///
  /// Four groups have theirs in the low bits of bytes 0…3 and 4…7; the other four have their low
  /// nibbles in bytes 8…11 and their upper two bits in what the first eight bytes have left.
  private static func sixBits(
    _ bytes: UnsafeRawPointer, _ group: Int
  ) -> (scale: Float, offset: Float) {
    if group < 4 {
      return (Float(bytes.byte(group) & 0x3F), Float(bytes.byte(group + 4) & 0x3F))
    }
    let nibbles = bytes.byte(group + 4)
    let scale = nibbles & 0xF | (bytes.byte(group - 4) >> 2 & 0x30)
    let offset = nibbles >> 4 | (bytes.byte(group) >> 2 & 0x30)
    return (Float(scale), Float(offset))
  }
}
