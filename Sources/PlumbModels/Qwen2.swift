import PlumbTensors

/// The layers of Qwen2 and Qwen2.5 (arXiv 2407.10671).
///
/// RMSNorm before each half, rotary positions, grouped-query attention with biases on query, key
/// and value only, SwiGLU. Names as in transformers' `Qwen2ForCausalLM`.
enum Qwen2 {
  static func declare(
    _ configuration: DecoderConfiguration, in layout: inout ParameterLayout, outputHead: Bool
  ) -> Trunk {
    RotaryTrunkBuilder(configuration: configuration, hasAttentionBias: true, hasHeadNorms: false)
      .declare(in: &layout, outputHead: outputHead)
  }
}
