import PlumbTensors

/// A linear map whose parts (query, key, value; gate, up) lie side by side in the parameter block.
///
/// [N, I] -> [N, sum of O]; the parts are one matrix product through `ParameterBlock.fused`.
struct Projection: Sendable {
  /// How a weight is stored: torch's Linear is [O, I], GPT-2's Conv1D is [I, O].
  enum Storage: Sendable { case outputByInput, inputByOutput }

  let weights: [ParameterID]
  let biases: [ParameterID]
  let storage: Storage

  /// Parts stored [O, I] in declaration order.
  init(_ weights: [ParameterID], biases: [ParameterID] = []) {
    self.weights = weights
    self.biases = biases
    storage = .outputByInput
  }

  /// One Conv1D weight [I, O] with its bias.
  init(conv1D weight: ParameterID, bias: ParameterID) {
    weights = [weight]
    biases = [bias]
    storage = .inputByOutput
  }

  func callAsFunction(_ x: Tensor, _ parameters: ParameterBlock) -> Tensor {
    let (weight, bias) = (weight(in: parameters), bias(in: parameters))
    if let terms = parameters.lowRankTerms(of: weights) {
      return lowRankLinear(
        x, weight: weight, bias: bias, isTransposed: storage == .inputByOutput, terms: terms)
    }
    switch storage {
    case .outputByInput: return linear(x, weight: weight, bias: bias)
    case .inputByOutput:
      let product = matmul(x, weight)
      return bias.map { product + $0 } ?? product
    }
  }

  /// The parts as one matrix.
  func weight(in parameters: ParameterBlock) -> Tensor {
    weights.count == 1 ? parameters[weights[0]] : parameters.fused(weights)
  }

  /// The biases end to end; nil where there are none.
  func bias(in parameters: ParameterBlock) -> Tensor? {
    switch biases.count {
    case 0: nil
    case 1: parameters[biases[0]]
    default: parameters.fused(biases)
    }
  }
}

/// RMSNorm or LayerNorm over the last axis.
enum Normalization: Sendable {
  case rms(weight: ParameterID, epsilon: Float)
  case layer(weight: ParameterID, bias: ParameterID, epsilon: Float)

  func callAsFunction(_ x: Tensor, _ parameters: ParameterBlock) -> Tensor {
    switch self {
    case .rms(let weight, let epsilon):
      rmsNorm(x, weight: parameters[weight], epsilon: epsilon)
    case .layer(let weight, let bias, let epsilon):
      layerNorm(x, weight: parameters[weight], bias: parameters[bias], epsilon: epsilon)
    }
  }
}

/// Self-attention: fused query, key and value, optional norms over each head, optional rotation.
struct SelfAttention: Sendable {
  let queryKeyValue: Projection
  let output: Projection
  let queryNorm: Normalization?
  let keyNorm: Normalization?
  /// Nil where positions are learned.
  let ropeBase: Float?
  let queryWidth: Int
  let keyValueWidth: Int
  let headDimension: Int

  /// [N, D] -> [N, D] over a packed batch.
  func callAsFunction(_ x: Tensor, layout: PackedLayout, _ parameters: ParameterBlock) -> Tensor {
    let positions = layout.positions
    let projected = queryKeyValue(x, parameters)
    guard queryNorm == nil && keyNorm == nil else {
      return output(withHeadNorms(projected, layout: layout, parameters), parameters)
    }
    let attended = rotaryAttention(
      queryKeyValue: projected, positions: positions, base: ropeBase, layout: layout,
      headDimension: headDimension, keyValueHeadCount: keyValueWidth / headDimension)
    return output(attended, parameters)
  }

  /// Attention where queries and keys are normed before the rotation (Qwen3).
  private func withHeadNorms(
    _ projected: Tensor, layout: PackedLayout, _ parameters: ParameterBlock
  ) -> Tensor {
    let keys = queryWidth..<queryWidth + keyValueWidth
    var query = projected.columns(in: 0..<queryWidth)
    var key = projected.columns(in: keys)
    let value = projected.columns(in: keys.upperBound..<keys.upperBound + keyValueWidth)
    if let queryNorm { query = perHead(query, queryNorm, parameters) }
    if let keyNorm { key = perHead(key, keyNorm, parameters) }
    if let ropeBase {
      query = rotary(
        query, positions: layout.positions, headDimension: headDimension, base: ropeBase)
      key = rotary(
        key, positions: layout.positions, headDimension: headDimension, base: ropeBase)
    }
    return causalAttention(
      query: query, key: key, value: value, layout: layout, headDimension: headDimension)
  }

  /// Norms every head by itself: [N, heads * hd] seen as [N * heads, hd].
  private func perHead(_ x: Tensor, _ norm: Normalization, _ parameters: ParameterBlock) -> Tensor {
    norm(x.reshaped([x.count / headDimension, headDimension]), parameters).reshaped(x.shape)
  }
}

/// The feed-forward half of a block.
enum FeedForward: Sendable {
  /// down(silu(gate(x)) * up(x)) (Shazeer 2020, "GLU variants").
  case gated(gateAndUp: Projection, down: Projection)
  /// down(gelu(up(x))).
  case plain(up: Projection, down: Projection)

  func callAsFunction(_ x: Tensor, _ parameters: ParameterBlock) -> Tensor {
    switch self {
    case .gated(let gateAndUp, let down):
      down(swiGLU(gateAndUp: gateAndUp(x, parameters)), parameters)
    case .plain(let up, let down):
      down(gelu(up(x, parameters)), parameters)
    }
  }
}

/// One pre-norm block: x + attention(norm(x)), then x + feedForward(norm(x)).
struct DecoderBlock: Sendable {
  let attentionNorm: Normalization
  let attention: SelfAttention
  let feedForwardNorm: Normalization
  let feedForward: FeedForward

  /// [N, D] -> [N, D] over a packed batch.
  func callAsFunction(_ x: Tensor, layout: PackedLayout, _ parameters: ParameterBlock) -> Tensor {
    let attended = x + attention(attentionNorm(x, parameters), layout: layout, parameters)
    return attended + feedForward(feedForwardNorm(attended, parameters), parameters)
  }
}
