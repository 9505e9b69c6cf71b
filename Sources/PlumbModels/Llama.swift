import PlumbTensors

/// Llama 2 and its relatives of the same layers (arXiv 2307.09288).
///
/// RMSNorm before each half, rotary positions, grouped-query attention without biases, SwiGLU.
/// Llama 3.1's scaled rotary frequencies are refused when the configuration is read. Names as in
/// transformers' `LlamaForCausalLM`.
enum Llama {
  static func declare(
    _ configuration: DecoderConfiguration, in layout: inout ParameterLayout, outputHead: Bool
  ) -> Trunk {
    RotaryTrunkBuilder(configuration: configuration, hasAttentionBias: false, hasHeadNorms: false)
      .declare(in: &layout, outputHead: outputHead)
  }
}
