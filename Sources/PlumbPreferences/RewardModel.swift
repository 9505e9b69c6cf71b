public import PlumbData
public import PlumbModels
public import PlumbTensors

/// A decoder trunk with a scalar head, in one parameter block.
///
/// `.worldPM` is the head of WorldPM (arXiv 2505.10527): `score.0` Linear(H, H), ReLU, `score.2`
/// Linear(H, 1), read at the first `<|endoftext|>` after the response. `.linear` is one row
/// `score.weight` without bias, read at the last token, as TRL trains it. Probability that response i
/// is preferred to j: `sigmoid(r_i - r_j)` (Bradley-Terry).
///
/// The same type serves as the critic of PPO: `outputs(at:)` reads the head at any row.
public struct RewardModel: Sendable {
  /// The scalar head.
  public enum Head: String, Codable, Hashable, Sendable, CaseIterable {
    /// Linear, ReLU, Linear, with biases.
    case worldPM
    /// One linear row without bias.
    case linear
  }

  /// The trunk.
  public private(set) var decoder: Decoder
  /// Which head stands on the trunk.
  public let head: Head
  /// All weights, trunk and head, under their Hugging Face names.
  public var parameters: ParameterBlock
  /// Id of `<|endoftext|>`, where a `.worldPM` head reads.
  public let endOfText: Int32
  /// Normaliser of what `scores` returns, off unless set.
  ///
  /// Training and preferences read raw rewards.
  public var normalisation: RewardNormalisation?

  let headIDs: HeadIDs

  struct HeadIDs: Sendable {
    var hiddenWeight: ParameterID?
    var hiddenBias: ParameterID?
    var outputWeight: ParameterID
    var outputBias: ParameterID?
  }

  /// Whether training computes each layer twice in place of keeping it; see `Decoder`.
  public var checkpointsLayers: Bool {
    get { decoder.checkpointsLayers }
    set { decoder.checkpointsLayers = newValue }
  }

  /// Makes a model with random weights.
  ///
  /// Head weights are drawn from N(0, 1/(H+1)) (variance; Stiennon 2020), biases are 0.
  /// - Parameters:
  ///   - configuration: of the trunk.
  ///   - head: which head to put on it.
  ///   - endOfText: id to read at; the configuration's first end-of-sequence id if nil.
  ///   - seed: of the random weights.
  /// - Throws: `PreferenceError` if no end-of-text id is known or it is out of the vocabulary.
  public init(
    configuration: DecoderConfiguration, head: Head, endOfText: Int? = nil, seed: UInt64
  ) throws(PreferenceError) {
    var layout = ParameterLayout()
    decoder = Decoder(configuration, declaringIn: &layout, outputHead: false)
    let width = configuration.hiddenSize
    let deviation = (1 / Float(width + 1)).squareRoot()
    switch head {
    case .worldPM:
      headIDs = HeadIDs(
        hiddenWeight: layout.add(
          "score.0.weight", [width, width], .normal(standardDeviation: deviation)),
        hiddenBias: layout.add("score.0.bias", [width], .zeros),
        outputWeight: layout.add(
          "score.2.weight", [1, width], .normal(standardDeviation: deviation)),
        outputBias: layout.add("score.2.bias", [1], .zeros))
    case .linear:
      headIDs = HeadIDs(
        outputWeight: layout.add("score.weight", [1, width], .normal(standardDeviation: deviation)))
    }
    self.head = head
    self.endOfText = try endOfTextID(endOfText, configuration: configuration)
    parameters = ParameterBlock(layout: layout, seed: seed)
  }

  /// Puts a fresh head on the trunk of a language model or of another reward model.
  ///
  /// - Parameters:
  ///   - configuration: of `trunk`.
  ///   - trunk: weights; entries with equal name and shape are copied, so that a head of the same kind
  ///     is taken over too.
  ///   - head: which head to put on it.
  ///   - endOfText: id to read at; the configuration's first end-of-sequence id if nil.
  ///   - seed: of the head's random weights.
  /// - Throws: `PreferenceError` as the first initializer.
  public init(
    configuration: DecoderConfiguration, trunk: ParameterBlock, head: Head, endOfText: Int? = nil,
    seed: UInt64
  ) throws(PreferenceError) {
    try self.init(configuration: configuration, head: head, endOfText: endOfText, seed: seed)
    parameters.copyShared(from: trunk)
  }

  /// Puts a fresh head on a copy of a language model's trunk.
  public init(
    from model: CausalLM, head: Head, endOfText: Int? = nil, seed: UInt64
  ) throws(PreferenceError) {
    try self.init(
      configuration: model.decoder.configuration, trunk: model.merged.parameters, head: head,
      endOfText: endOfText, seed: seed)
  }

  /// Where the head reads.
  public var readout: Readout {
    switch head {
    case .worldPM: .firstEndOfText(endOfText)
    case .linear: .lastToken
    }
  }

  /// What sequences must keep to.
  public var limits: SequenceLimits { SequenceLimits(decoder.configuration) }

  /// Packs groups for this model.
  /// - Throws: `PreferenceError` naming the row at fault.
  public func batch(_ groups: [PreferenceGroup]) throws(PreferenceError) -> PreferenceBatch {
    try PreferenceBatch(groups, readout: readout, limits: limits)
  }

  /// Reads responses that a data set has already packed, encoded for scoring.
  /// - Throws: `PreferenceError.endOfTextMissing` naming the row at fault.
  public func batch(_ packed: PackedBatch) throws(PreferenceError) -> PreferenceBatch {
    try PreferenceBatch(packed, readout: readout)
  }

  /// Raw rewards with their graph, [R]: one per response, groups in order.
  public func rewards(_ batch: PreferenceBatch) -> Tensor {
    ForwardMeter.count(batch)
    let hidden = decoder.hiddenStates(
      tokens: batch.tokens, layout: batch.layout, parameters: parameters)
    return outputs(hidden: hidden, rows: batch.readRows)
  }

  /// Raw rewards of pairs with their graph, chosen [P] and rejected [P].
  ///
  /// Traps unless every group of the batch has two responses.
  public func pairRewards(_ batch: PreferenceBatch) -> (chosen: Tensor, rejected: Tensor) {
    let rewards = rewards(batch)
    return (
      rewards.elements(at: batch.chosenIndices), rewards.elements(at: batch.rejectedIndices)
    )
  }

  /// The head's output at chosen rows of packed tokens, with its graph, [M].
  ///
  /// Used as a critic: the value of the state before token t is read at the row of token t - 1.
  public func outputs(tokens: [Int32], layout: PackedLayout, rows: [Int]) -> Tensor {
    outputs(
      hidden: decoder.hiddenStates(tokens: tokens, layout: layout, parameters: parameters),
      rows: rows)
  }

  private func outputs(hidden: Tensor, rows: [Int]) -> Tensor {
    outputs(features: features(hidden: hidden, rows: rows))
  }

  /// What the last linear layer of the head reads at some rows, [M, H].
  func features(hidden: Tensor, rows: [Int]) -> Tensor {
    let state = hidden.rows(at: rows)
    guard let weight = headIDs.hiddenWeight else { return state }
    return linear(
      state, weight: parameters[weight], bias: headIDs.hiddenBias.map { parameters[$0] }
    ).relu()
  }

  /// The last linear layer of the head, [M].
  func outputs(features: Tensor) -> Tensor {
    linear(
      features, weight: parameters[headIDs.outputWeight],
      bias: headIDs.outputBias.map { parameters[$0] }
    ).reshaped([features.shape[0]])
  }
}
