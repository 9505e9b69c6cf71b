public import PlumbTensors

/// The trunk of a decoder-only transformer: tokens in, hidden states out.
///
/// A decoder holds no weights. It declares its parameters into a layout, under Hugging Face's names,
/// and reads them from the block it is called with; so that a reward model or a value model
/// declares its head into the same layout, and policy and reference share one decoder.
public struct Decoder: Sendable {
  /// Sizes and constants.
  public let configuration: DecoderConfiguration
  /// Whether training keeps only the states between layers, and computes each layer twice.
  ///
  /// Gradients are the same to the bit; a step takes about a third more time (Chen et al. 2016).
  public var checkpointsLayers = false
  let trunk: Trunk

  /// Declares the parameters of a decoder.
  /// - Parameters:
  ///   - configuration: a valid configuration; traps where `validate()` throws.
  ///   - layout: receives the parameters, in the order of the layers.
  ///   - outputHead: whether the language-model head belongs to it: `lm_head.weight` where the
  ///     embedding is not tied.
  public init(
    _ configuration: DecoderConfiguration, declaringIn layout: inout ParameterLayout,
    outputHead: Bool = true
  ) {
    do {
      try configuration.validate()
    } catch {
      preconditionFailure("Decoder: \(error)")
    }
    self.configuration = configuration
    trunk =
      switch configuration.family {
      case .qwen2: Qwen2.declare(configuration, in: &layout, outputHead: outputHead)
      case .qwen3: Qwen3.declare(configuration, in: &layout, outputHead: outputHead)
      case .llama: Llama.declare(configuration, in: &layout, outputHead: outputHead)
      case .gpt2: GPT2.declare(configuration, in: &layout, outputHead: outputHead)
      }
  }

  /// Hidden states after the last norm.
  ///
  /// Tokens must be inside the vocabulary and sequences inside the context (`validate`); ops trap
  /// otherwise.
  /// - Parameters:
  ///   - tokens: [N], the segments of `layout` end to end.
  ///   - layout: which tokens see which.
  ///   - parameters: a block whose layout holds this decoder's parameters.
  /// - Returns: [N, D].
  public func hiddenStates(
    tokens: [Int32], layout: PackedLayout, parameters: ParameterBlock
  ) -> Tensor {
    precondition(
      tokens.count == layout.tokenCount,
      "hiddenStates: expected \(layout.tokenCount) tokens, found \(tokens.count)")
    let isCheckpointed = checkpointsLayers
    var x = embedding(tokens, weight: parameters[trunk.embedding])
    if let learned = trunk.positionEmbedding {
      x = x + embedding(layout.positions, weight: parameters[learned])
    }
    for block in trunk.blocks {
      x =
        isCheckpointed
        ? checkpointed(x) { block($0, layout: layout, parameters) }
        : block(x, layout: layout, parameters)
    }
    return trunk.finalNorm(x, parameters)
  }

  /// The output matrix [V, D], the embedding where it is tied.
  ///
  /// Traps for a decoder declared without an output head.
  public func outputWeight(in parameters: ParameterBlock) -> Tensor {
    guard let weight = trunk.outputWeight else {
      preconditionFailure("outputWeight: expected a decoder with an output head, found none")
    }
    return parameters[weight]
  }

  /// Whether the decoder was declared with a language-model head.
  public var hasOutputHead: Bool { trunk.outputWeight != nil }
}

extension DecoderConfiguration {
  /// Checks one sequence before it is fed to the model.
  /// - Parameters:
  ///   - tokens: the ids; at least one.
  ///   - room: tokens that are to be generated after them.
  /// - Throws: `ModelError.emptySequence`, `.contextExceeded` or `.tokenOutOfRange`.
  public func validate(tokens: some Collection<Int32>, room: Int = 0) throws(ModelError) {
    guard !tokens.isEmpty else { throw .emptySequence }
    guard tokens.count + room <= maximumPositions else {
      throw .contextExceeded(tokens: tokens.count + room, maximum: maximumPositions)
    }
    for (position, token) in tokens.enumerated()
    where token < 0 || Int(token) >= vocabularySize {
      throw .tokenOutOfRange(
        token: Int(token), position: position, vocabularySize: vocabularySize)
    }
  }
}
