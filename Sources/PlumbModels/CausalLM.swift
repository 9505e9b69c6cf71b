public import Foundation
public import PlumbCheckpoints
public import PlumbTensors

/// A causal language model: a decoder with an output head, and its weights.
///
/// A value: `let reference = policy` copies nothing until one of them is written to.
///
/// ```swift
/// let model = try CausalLM(directory: folder)
/// let logprobs = try model.logprobs(of: [1, 5, 3])   // of tokens 2 and 3
/// ```
public struct CausalLM: Sendable {
  /// The layers.
  public private(set) var decoder: Decoder
  /// The weights, in the decoder's layout.
  public var parameters: ParameterBlock
  /// What is known of the adapter whose matrices travel with `parameters`; see `adapter`.
  var carried: CarriedAdapter?

  /// Sizes and constants.
  public var configuration: DecoderConfiguration { decoder.configuration }

  /// Whether training computes each layer twice in place of keeping it; see `Decoder`.
  public var checkpointsLayers: Bool {
    get { decoder.checkpointsLayers }
    set { decoder.checkpointsLayers = newValue }
  }

  /// A model with random weights.
  ///
  /// Matrices are normal with deviation 0.02, those that write into the residual stream with
  /// 0.02 / sqrt(2 L); norms are 1, biases 0.
  /// - Parameters:
  ///   - configuration: a valid one; traps where `validate()` throws.
  ///   - seed: the same seed gives the same bits.
  public init(_ configuration: DecoderConfiguration, seed: UInt64) {
    var layout = ParameterLayout()
    decoder = Decoder(configuration, declaringIn: &layout)
    parameters = ParameterBlock(layout: layout, seed: seed)
  }

  /// A view of a decoder whose weights may share their block with heads.
  /// - Parameters:
  ///   - decoder: the layers, declared in the block's layout.
  ///   - parameters: the weights.
  public init(decoder: Decoder, parameters: ParameterBlock) {
    self.decoder = decoder
    self.parameters = parameters
  }

  /// Loads a Hugging Face folder, or a LoRA adapter in peft's layout with the model it belongs to.
  /// - Parameters:
  ///   - directory: `config.json` and `model.safetensors` or its shards; or `adapter_config.json`
  ///     and `adapter_model.safetensors`.
  ///   - base: the model of an adapter, in place of the one that `adapter_config.json` names.
  /// - Throws: `ModelError` for what does not fit or is not implemented, `LoRAError` the same for
  ///   adapters, `CheckpointError` for files that cannot be read.
  public init(directory: URL, base: URL? = nil) throws {
    self =
      AdapterFolder.isAdapter(directory)
      ? try AdapterFolder(directory, base: base).model()
      : try CausalLM(ModelFolder(directory))
  }

  /// Loads the weights of a folder already opened; see `init(directory:)`.
  public init(_ folder: ModelFolder) throws {
    let expected = folder.configuration.family.causalArchitecture
    guard folder.architecture == expected else {
      throw ModelError.unsupported(
        path: folder.url.path, feature: "the architecture as a language model",
        found: folder.architecture, supported: expected)
    }
    var layout = ParameterLayout()
    decoder = Decoder(folder.configuration, declaringIn: &layout)
    parameters = try folder.load(layout)
  }

  /// Writes a Hugging Face folder that transformers loads; see `ModelFolder.write`.
  ///
  /// Of a model with an adapter only the adapter is written, as peft stores it.
  /// - Parameters:
  ///   - directory: made where it does not exist; its other files stay.
  ///   - type: how the numbers are stored.
  public func write(to directory: URL, as type: ElementType = .float32) throws {
    if let adapter {
      return try adapter.write(to: directory, family: configuration.family, as: type)
    }
    try ModelFolder.write(
      parameters, configuration: configuration, as: type, to: directory)
  }
}

extension CausalLM {
  /// Hidden states after the last norm, [N, D]; see `Decoder.hiddenStates`.
  public func hiddenStates(tokens: [Int32], layout: PackedLayout) -> Tensor {
    decoder.hiddenStates(tokens: tokens, layout: layout, parameters: parameters)
  }

  /// Logits of the next token after every token, [N, V].
  ///
  /// For a few tokens only: training reads `logprobs`, which never holds all of them.
  public func logits(tokens: [Int32], layout: PackedLayout) -> Tensor {
    linear(
      hiddenStates(tokens: tokens, layout: layout), weight: decoder.outputWeight(in: parameters))
  }

  /// Log-probabilities of `targets`, each given everything up to its row.
  ///
  /// The row that predicts the first token of a continuation is the last token of its prefix.
  /// - Parameters:
  ///   - tokens: [N].
  ///   - layout: which tokens see which.
  ///   - rows: [M], indices into the tokens: where each target is predicted from.
  ///   - targets: [M], token ids.
  ///   - temperature: divides the logits.
  ///   - withEntropy: whether to return each row's entropy in nats as well.
  /// - Returns: `logprobs` [M] in nats, and the entropies, without gradient.
  public func logprobs(
    tokens: [Int32], layout: PackedLayout, rows: [Int], targets: [Int32], temperature: Float = 1,
    withEntropy: Bool = false
  ) -> (logprobs: Tensor, entropies: [Float]) {
    tokenLogprobs(
      hidden: hiddenStates(tokens: tokens, layout: layout),
      weight: decoder.outputWeight(in: parameters), rows: rows, targets: targets,
      temperature: temperature, withEntropy: withEntropy)
  }

  /// Log-probabilities in nats of tokens 2…n of one sequence, without a graph.
  /// - Throws: `ModelError` for tokens that the model cannot take (`validate`).
  public func logprobs(of tokens: [Int32]) throws(ModelError) -> [Float] {
    try configuration.validate(tokens: tokens)
    guard tokens.count > 1 else { return [] }
    var frozen = self
    frozen.parameters.isFrozen = true
    return frozen.logprobs(
      tokens: tokens, layout: PackedLayout(lengths: [tokens.count]),
      rows: Array(0..<tokens.count - 1), targets: Array(tokens.dropFirst())
    ).logprobs.scalars
  }

  /// Checks one sequence before it is fed to the model; see `DecoderConfiguration.validate`.
  public func validate(_ tokens: some Collection<Int32>, room: Int = 0) throws(ModelError) {
    try configuration.validate(tokens: tokens, room: room)
  }
}
