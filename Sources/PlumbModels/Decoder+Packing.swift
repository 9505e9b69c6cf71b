public import PlumbTensors

extension Decoder {
  /// The weights laid out for decoding; see `PackedDecoder` for what that takes.
  /// - Parameter parameters: a block whose layout holds this decoder's parameters, an output head
  ///   included, as they are now; later changes are not seen.
  public func packed(_ parameters: ParameterBlock) -> PackedDecoder {
    let parameters = parameters.frozen
    let attention = trunk.blocks.first?.attention
    return PackedDecoder(
      embedding: parameters[trunk.embedding],
      positionEmbedding: trunk.positionEmbedding.map { parameters[$0] },
      layers: trunk.blocks.map { $0.packed(parameters) },
      finalNorm: trunk.finalNorm.packed(parameters),
      head: .init(weight: outputWeight(in: parameters)),
      queryWidth: attention?.queryWidth ?? 0, keyValueWidth: attention?.keyValueWidth ?? 0,
      headDimension: attention?.headDimension ?? 0, ropeBase: attention?.ropeBase)
  }
}

extension DecoderBlock {
  fileprivate func packed(_ parameters: ParameterBlock) -> PackedDecoder.Layer {
    let (up, down, isGated) =
      switch feedForward {
      case .gated(let gateAndUp, let down): (gateAndUp, down, true)
      case .plain(let up, let down): (up, down, false)
      }
    return PackedDecoder.Layer(
      attentionNorm: attentionNorm.packed(parameters),
      queryNorm: attention.queryNorm?.packed(parameters),
      keyNorm: attention.keyNorm?.packed(parameters),
      queryKeyValue: attention.queryKeyValue.packed(parameters),
      output: attention.output.packed(parameters),
      feedForwardNorm: feedForwardNorm.packed(parameters),
      up: up.packed(parameters), isGated: isGated, down: down.packed(parameters))
  }
}

extension Normalization {
  fileprivate func packed(_ parameters: ParameterBlock) -> PackedDecoder.Norm {
    switch self {
    case .rms(let weight, let epsilon):
      .init(weight: parameters[weight], epsilon: epsilon)
    case .layer(let weight, let bias, let epsilon):
      .init(weight: parameters[weight], bias: parameters[bias], epsilon: epsilon)
    }
  }
}

extension Projection {
  fileprivate func packed(_ parameters: ParameterBlock) -> PackedDecoder.Product {
    .init(
      weight: weight(in: parameters), bias: bias(in: parameters),
      isInputMajor: storage == .inputByOutput, terms: parameters.lowRankTerms(of: weights))
  }
}
