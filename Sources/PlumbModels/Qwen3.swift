import PlumbTensors

/// The layers of the dense Qwen3 models (arXiv 2505.09388).
///
/// As Qwen2, but without attention biases, with RMSNorm over each query and key head before the
/// rotation, and with a head dimension of its own. Names as in transformers' `Qwen3ForCausalLM`.
enum Qwen3 {
  static func declare(
    _ configuration: DecoderConfiguration, in layout: inout ParameterLayout, outputHead: Bool
  ) -> Trunk {
    RotaryTrunkBuilder(configuration: configuration, hasAttentionBias: false, hasHeadNorms: true)
      .declare(in: &layout, outputHead: outputHead)
  }
}
