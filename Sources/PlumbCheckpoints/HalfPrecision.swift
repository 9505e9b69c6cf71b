/// Conversions between single precision and the two 16-bit formats, on bit patterns.
///
/// Integer arithmetic without branches, so that loops over them vectorise; `Float16` would call
/// into the runtime for every element on x86-64. Rounding is to nearest, ties to even, as PyTorch
/// rounds. NaN stays NaN (quiet), infinities and signed zeros are kept.
public enum HalfPrecision {
  /// The bfloat16 nearest to `value`; overflow rounds to infinity.
  @inline(__always)
  public static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rounded = (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16
    let quiet = (bits >> 16) | 0x40
    let isNaN = (bits & 0x7fff_ffff) > 0x7f80_0000
    return UInt16(truncatingIfNeeded: isNaN ? quiet : rounded)
  }

  /// The single precision number that a bfloat16 stands for, exactly.
  @inline(__always)
  public static func float(bfloat16 bits: UInt16) -> Float {
    Float(bitPattern: UInt32(bits) << 16)
  }

  /// The half nearest to `value`; 65520 and above become infinity, tiny values subnormal.
  ///
  /// After Fabian Giesen's `float_to_half_fast3_rtne`: subnormal results come from one addition
  /// that shifts the mantissa into place with the hardware's own rounding.
  @inline(__always)
  public static func float16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: (bits >> 16) & 0x8000)
    let magnitude = bits & 0x7fff_ffff
    let special: UInt32 = magnitude > 0x7f80_0000 ? 0x7e00 : 0x7c00
    // 0.5 has its last mantissa bit at the place of the smallest subnormal half.
    let shifted = (Float(bitPattern: magnitude) + 0.5).bitPattern &- 0x3f00_0000
    let odd = (magnitude >> 13) & 1
    let normal = (magnitude &- 0x3800_0000 &+ 0xfff &+ odd) >> 13
    let finite = magnitude < 0x3880_0000 ? shifted : normal
    let result = magnitude >= 0x4780_0000 ? special : finite
    return sign | UInt16(truncatingIfNeeded: result)
  }

  /// The single precision number that a half stands for, exactly.
  @inline(__always)
  public static func float(float16 bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7fff) << 13
    // Scaling by 2^112 moves the exponent bias from 15 to 127 and normalises subnormals.
    let scaled = (Float(bitPattern: magnitude) * Float(bitPattern: 0x7780_0000)).bitPattern
    let special = magnitude | 0x7f80_0000
    return Float(bitPattern: sign | (magnitude >= 0x0f80_0000 ? special : scaled))
  }
}
