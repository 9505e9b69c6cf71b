import CKernels

/// The weights of a decoder laid out for decoding: packed once, then read as one stream per step.
///
/// Every matrix is copied into panels of 64 outputs, so a decoder takes the memory of its matrices
/// again, output matrix included, while it lives; embedding and norms are read where they are. It
/// never changes: make a new one when the weights have changed.
public final class PackedDecoder: @unchecked Sendable {
  /// RMSNorm, or LayerNorm where there is a bias.
  public struct Norm {
    let weight: Tensor
    let bias: Tensor?
    let epsilon: Float

    /// A norm with these weights, [D].
    public init(weight: Tensor, bias: Tensor? = nil, epsilon: Float) {
      self.weight = weight
      self.bias = bias
      self.epsilon = epsilon
    }
  }

  /// A linear map.
  public struct Product {
    let weight: Tensor
    let bias: Tensor?
    let isInputMajor: Bool
    let terms: LowRankTerms?

    /// A map by a weight [O, I], or [I, O] if it is stored with the inputs first, and a bias [O].
    ///
    /// Low-rank terms are merged into the packed copy of the weight.
    public init(
      weight: Tensor, bias: Tensor? = nil, isInputMajor: Bool = false, terms: LowRankTerms? = nil
    ) {
      self.terms = terms
      self.weight = weight
      self.bias = bias
      self.isInputMajor = isInputMajor
    }

    var inner: Int { weight.shape[isInputMajor ? 0 : 1] }
    var outer: Int { weight.shape[isInputMajor ? 1 : 0] }
  }

  /// One pre-norm block.
  public struct Layer {
    let attentionNorm, feedForwardNorm: Norm
    let queryNorm, keyNorm: Norm?
    let queryKeyValue, output, up, down: Product
    let isGated: Bool

    /// A block.
    /// - Parameters:
    ///   - queryNorm: over each head of the queries, [hd]; likewise `keyNorm`.
    ///   - queryKeyValue: D to Q + 2 KV.
    ///   - up: D to F, or to 2 F, gates first, if `isGated` (SwiGLU); GELU otherwise.
    ///   - down: F to D.
    public init(
      attentionNorm: Norm, queryNorm: Norm?, keyNorm: Norm?, queryKeyValue: Product,
      output: Product, feedForwardNorm: Norm, up: Product, isGated: Bool, down: Product
    ) {
      self.attentionNorm = attentionNorm
      self.queryNorm = queryNorm
      self.keyNorm = keyNorm
      self.queryKeyValue = queryKeyValue
      self.output = output
      self.feedForwardNorm = feedForwardNorm
      self.up = up
      self.isGated = isGated
      self.down = down
    }
  }

  /// What the kernel reads; it points into `packed`, `layers` and `tensors`.
  let view: plumb_decoder
  /// The base of the rotary embedding; nil where positions are learned.
  let ropeBase: Float?
  let innerWidth: Int
  /// The number of tokens of the vocabulary.
  public let vocabularySize: Int
  private let layers: UnsafeMutablePointer<plumb_decoder_layer>
  private let packed: Storage
  private let tensors: [Tensor]

  /// Packs a decoder.
  ///
  /// - Parameters:
  ///   - embedding: [V, D].
  ///   - positionEmbedding: learned positions [P, D], where there are any.
  ///   - layers: at least one.
  ///   - finalNorm: before the output matrix.
  ///   - head: D to V.
  ///   - queryWidth: Q, heads times hd.
  ///   - keyValueWidth: KV, key-value heads times hd.
  ///   - headDimension: hd.
  ///   - ropeBase: base of the rotation, where there is one.
  public init(
    embedding: Tensor, positionEmbedding: Tensor?, layers: [Layer], finalNorm: Norm,
    head: Product, queryWidth: Int, keyValueWidth: Int, headDimension: Int, ropeBase: Float?
  ) {
    precondition(
      !layers.isEmpty && headDimension > 0 && keyValueWidth % headDimension == 0
        && queryWidth % keyValueWidth == 0,
      "PackedDecoder: expected layers and widths in whole heads of \(headDimension), found "
        + "\(layers.count) layers, widths \(queryWidth) and \(keyValueWidth)")
    let width = embedding.shape[1]
    for layer in layers {
      let up = layer.up.outer / (layer.isGated ? 2 : 1)
      precondition(
        layer.queryKeyValue.inner == width && layer.output.inner == queryWidth
          && layer.queryKeyValue.outer == queryWidth + 2 * keyValueWidth
          && layer.output.outer == width && layer.up.inner == width && layer.down.inner == up
          && layer.down.outer == width,
        "PackedDecoder: the weights of a layer do not fit a width of \(width)")
    }
    precondition(
      head.inner == width && head.outer == embedding.shape[0],
      "PackedDecoder: expected an output matrix \(embedding.shape), found \(head.weight.shape)")
    var packer = Packer(
      room: (layers.flatMap(\.products) + [(head, false)]).reduce(0) {
        $0 + Packer.size(of: $1.0, isGated: $1.1)
      })
    let views = UnsafeMutablePointer<plumb_decoder_layer>.allocate(capacity: layers.count)
    for (index, layer) in layers.enumerated() {
      (views + index).initialize(
        to: plumb_decoder_layer(
          attention_norm: packer.view(layer.attentionNorm),
          query_norm: packer.view(layer.queryNorm), key_norm: packer.view(layer.keyNorm),
          query_key_value: packer.pack(layer.queryKeyValue), output: packer.pack(layer.output),
          feed_forward_norm: packer.view(layer.feedForwardNorm),
          up: packer.pack(layer.up, isGated: layer.isGated), down: packer.pack(layer.down)))
    }
    view = plumb_decoder(
      layer_count: layers.count, width: width, query_width: queryWidth,
      key_value_width: keyValueWidth, head_dimension: headDimension, layers: views,
      embedding: packer.view(embedding),
      position_embedding: positionEmbedding.map { packer.view($0) },
      final_norm: packer.view(finalNorm), head: packer.pack(head))
    self.ropeBase = ropeBase
    self.layers = views
    innerWidth = layers[0].down.inner
    vocabularySize = head.outer
    packed = packer.storage
    tensors = packer.tensors
  }

  deinit { layers.deallocate() }
}

extension PackedDecoder.Layer {
  fileprivate var products: [(PackedDecoder.Product, Bool)] {
    [(queryKeyValue, false), (output, false), (up, isGated), (down, false)]
  }
}
