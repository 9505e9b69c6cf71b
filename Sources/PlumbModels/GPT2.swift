import PlumbTensors

/// The layers of GPT-2 (Radford, Wu and others 2019).
///
/// LayerNorm before each half, learned positions, biases everywhere, GELU in its tanh form.
/// Weights are stored [in, out] as transformers' `Conv1D` does; query, key and value are one matrix.
/// Names as in `GPT2LMHeadModel`.
enum GPT2 {
  static func declare(
    _ configuration: DecoderConfiguration, in layout: inout ParameterLayout, outputHead: Bool
  ) -> Trunk {
    let size = configuration
    let spread = Initialization.normal(standardDeviation: InitialSpread.weights)
    let tokens = layout.add(
      "transformer.wte.weight", [size.vocabularySize, size.hiddenSize], spread)
    let positions = layout.add(
      "transformer.wpe.weight", [size.maximumPositions, size.hiddenSize], spread)
    let blocks = (0..<size.layerCount).map { declareBlock($0, size, in: &layout) }
    let norm = declareNorm("transformer.ln_f", size, in: &layout)
    var output: ParameterID?
    if outputHead {
      output =
        size.tiesEmbeddings
        ? tokens : layout.add("lm_head.weight", [size.vocabularySize, size.hiddenSize], spread)
    }
    return Trunk(
      embedding: tokens, positionEmbedding: positions, blocks: blocks, finalNorm: norm,
      outputWeight: output)
  }

  private static func declareBlock(
    _ index: Int, _ size: DecoderConfiguration, in layout: inout ParameterLayout
  ) -> DecoderBlock {
    let prefix = "transformer.h.\(index)"
    let width = size.hiddenSize
    let residual = InitialSpread.residual(layers: size.layerCount)
    func conv1D(_ name: String, _ inputs: Int, _ outputs: Int, _ deviation: Float)
      -> Projection
    {
      let weight = layout.add(
        "\(prefix).\(name).weight", [inputs, outputs], .normal(standardDeviation: deviation))
      return Projection(
        conv1D: weight, bias: layout.add("\(prefix).\(name).bias", [outputs], .zeros))
    }
    let attentionNorm = declareNorm("\(prefix).ln_1", size, in: &layout)
    let queryKeyValue = conv1D("attn.c_attn", width, 3 * width, InitialSpread.weights)
    let output = conv1D("attn.c_proj", width, width, residual)
    let feedForwardNorm = declareNorm("\(prefix).ln_2", size, in: &layout)
    let up = conv1D("mlp.c_fc", width, size.intermediateSize, InitialSpread.weights)
    let down = conv1D("mlp.c_proj", size.intermediateSize, width, residual)
    return DecoderBlock(
      attentionNorm: attentionNorm,
      attention: SelfAttention(
        queryKeyValue: queryKeyValue, output: output, queryNorm: nil, keyNorm: nil, ropeBase: nil,
        queryWidth: width, keyValueWidth: width, headDimension: size.headDimension),
      feedForwardNorm: feedForwardNorm, feedForward: .plain(up: up, down: down))
  }

  private static func declareNorm(
    _ name: String, _ size: DecoderConfiguration, in layout: inout ParameterLayout
  ) -> Normalization {
    let weight = layout.add("\(name).weight", [size.hiddenSize], .ones)
    let bias = layout.add("\(name).bias", [size.hiddenSize], .zeros)
    return .layer(weight: weight, bias: bias, epsilon: Float(size.normEpsilon))
  }
}
