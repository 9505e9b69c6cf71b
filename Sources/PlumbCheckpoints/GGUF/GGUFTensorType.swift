/// How the numbers of a tensor in a GGUF file are laid out; the raw value is the code in the file.
///
/// The quantised types store blocks: a few scales in half precision, then small integers.
public enum GGUFTensorType: UInt32, Hashable, Sendable, CaseIterable {
  /// IEEE 754 single precision.
  case f32 = 0
  /// IEEE 754 half precision.
  case f16 = 1
  /// 32 numbers of 4 bits around 0, one scale.
  case q4_0 = 2
  /// 32 numbers of 4 bits, scale and offset.
  case q4_1 = 3
  /// 32 numbers of 5 bits around 0, one scale.
  case q5_0 = 6
  /// 32 numbers of 5 bits, scale and offset.
  case q5_1 = 7
  /// 32 numbers of 8 bits, one scale.
  case q8_0 = 8
  /// 256 numbers of 4 bits in 8 groups, each with a scale and an offset of 6 bits.
  case q4_K = 12
  /// The same with numbers of 5 bits.
  case q5_K = 13
  /// 256 numbers of 6 bits in 16 groups, each with a scale of 8 bits.
  case q6_K = 14
  /// The upper half of a single precision number.
  case bf16 = 30

  /// The name as ggml spells it, such as `Q4_K`.
  public var name: String { Self.name(of: rawValue) }

  /// Numbers in one block; the last extent of a tensor is a multiple of it.
  public var blockCount: Int {
    switch self {
    case .f32, .f16, .bf16: 1
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
    case .q4_K, .q5_K, .q6_K: 256
    }
  }

  /// Bytes of one block.
  public var blockByteCount: Int {
    switch self {
    case .f32: 4
    case .f16, .bf16: 2
    case .q4_0: 2 + 16
    case .q4_1: 2 + 2 + 16
    case .q5_0: 2 + 4 + 16
    case .q5_1: 2 + 2 + 4 + 16
    case .q8_0: 2 + 32
    case .q4_K: 2 + 2 + 12 + 128
    case .q5_K: 2 + 2 + 12 + 32 + 128
    case .q6_K: 128 + 64 + 16 + 2
    }
  }

  /// The name of any code that ggml has given out, also of types that are not read here.
  static func name(of code: UInt32) -> String {
    names[code] ?? "type \(code)"
  }

  private static let names: [UInt32: String] = [
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 4: "Q4_2", 5: "Q4_3", 6: "Q5_0", 7: "Q5_1",
    8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K",
    16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S",
    22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M",
    30: "BF16", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 34: "TQ1_0", 35: "TQ2_0",
    36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0",
  ]
}
