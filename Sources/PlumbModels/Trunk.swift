import PlumbTensors

/// What a family declares: the embeddings, the blocks, the last norm and perhaps an output matrix.
struct Trunk: Sendable {
  let embedding: ParameterID
  /// Learned positions [P, D] (GPT-2).
  let positionEmbedding: ParameterID?
  let blocks: [DecoderBlock]
  let finalNorm: Normalization
  /// The output matrix [V, D]: the embedding where the two are tied, nil without an output head.
  let outputWeight: ParameterID?
}

/// Standard deviations of a fresh model's weights.
struct InitialSpread {
  /// Every matrix (GPT-2; Qwen and Llama configurations say the same `initializer_range`).
  static let weights: Float = 0.02

  /// Projections that write into the residual stream, 0.02 / sqrt(2 L).
  ///
  /// The sum of the 2 L branches keeps its variance (GPT-2, section 2.3).
  static func residual(layers: Int) -> Float {
    weights / Float(2 * layers).squareRoot()
  }
}

/// Declares the parameters that Qwen2, Qwen3 and Llama have in common, under `model.`.
///
/// Adjacent declarations are what `Projection` fuses: q, k, v; their biases; gate, up.
struct RotaryTrunkBuilder {
  let configuration: DecoderConfiguration
  /// Biases on query, key and value (Qwen2).
  let hasAttentionBias: Bool
  /// RMSNorm over each query and key head (Qwen3).
  let hasHeadNorms: Bool

  private var epsilon: Float { Float(configuration.normEpsilon) }

  func declare(in layout: inout ParameterLayout, outputHead: Bool) -> Trunk {
    let size = configuration
    let spread = Initialization.normal(standardDeviation: InitialSpread.weights)
    let embedding = layout.add(
      "model.embed_tokens.weight", [size.vocabularySize, size.hiddenSize], spread)
    let blocks = (0..<size.layerCount).map { declareBlock($0, in: &layout) }
    let norm = rmsNorm("model.norm", size.hiddenSize, in: &layout)
    var output: ParameterID?
    if outputHead {
      output =
        size.tiesEmbeddings
        ? embedding
        : layout.add("lm_head.weight", [size.vocabularySize, size.hiddenSize], spread)
    }
    return Trunk(
      embedding: embedding, positionEmbedding: nil, blocks: blocks, finalNorm: norm,
      outputWeight: output)
  }

  private func declareBlock(_ index: Int, in layout: inout ParameterLayout) -> DecoderBlock {
    let prefix = "model.layers.\(index)"
    let width = configuration.hiddenSize
    let attentionNorm = rmsNorm("\(prefix).input_layernorm", width, in: &layout)
    let attention = declareAttention("\(prefix).self_attn", in: &layout)
    let feedForwardNorm = rmsNorm("\(prefix).post_attention_layernorm", width, in: &layout)
    let feedForward = declareFeedForward("\(prefix).mlp", in: &layout)
    return DecoderBlock(
      attentionNorm: attentionNorm, attention: attention, feedForwardNorm: feedForwardNorm,
      feedForward: feedForward)
  }

  private func declareAttention(_ prefix: String, in layout: inout ParameterLayout)
    -> SelfAttention
  {
    let size = configuration
    let parts = [
      ("q_proj", size.queryWidth), ("k_proj", size.keyValueWidth), ("v_proj", size.keyValueWidth),
    ]
    let spread = Initialization.normal(standardDeviation: InitialSpread.weights)
    let weights = parts.map { name, rows in
      layout.add("\(prefix).\(name).weight", [rows, size.hiddenSize], spread)
    }
    let biases =
      hasAttentionBias
      ? parts.map { name, rows in layout.add("\(prefix).\(name).bias", [rows], .zeros) } : []
    let output = layout.add(
      "\(prefix).o_proj.weight", [size.hiddenSize, size.queryWidth], residualSpread)
    var norms: [Normalization] = []
    if hasHeadNorms {
      norms = ["q_norm", "k_norm"].map {
        rmsNorm("\(prefix).\($0)", size.headDimension, in: &layout)
      }
    }
    return SelfAttention(
      queryKeyValue: Projection(weights, biases: biases), output: Projection([output]),
      queryNorm: norms.first, keyNorm: norms.last, ropeBase: Float(size.ropeBase),
      queryWidth: size.queryWidth, keyValueWidth: size.keyValueWidth,
      headDimension: size.headDimension)
  }

  private func declareFeedForward(_ prefix: String, in layout: inout ParameterLayout)
    -> FeedForward
  {
    let size = configuration
    let spread = Initialization.normal(standardDeviation: InitialSpread.weights)
    let gateAndUp = ["gate_proj", "up_proj"].map {
      layout.add("\(prefix).\($0).weight", [size.intermediateSize, size.hiddenSize], spread)
    }
    let down = layout.add(
      "\(prefix).down_proj.weight", [size.hiddenSize, size.intermediateSize], residualSpread)
    return .gated(gateAndUp: Projection(gateAndUp), down: Projection([down]))
  }

  private var residualSpread: Initialization {
    .normal(standardDeviation: InitialSpread.residual(layers: configuration.layerCount))
  }

  private func rmsNorm(_ name: String, _ width: Int, in layout: inout ParameterLayout)
    -> Normalization
  {
    .rms(weight: layout.add("\(name).weight", [width], .ones), epsilon: epsilon)
  }
}
