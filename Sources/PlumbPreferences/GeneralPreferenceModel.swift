import Foundation
public import PlumbData
public import PlumbModels
public import PlumbTensors

/// A decoder trunk whose head gives preference embeddings that can hold cycles.
///
/// General Preference embedding (arXiv 2410.02197, §4): a response has an embedding v in R^2k, read at
/// the end-of-text token (or the last one, with `readsLastToken`), and
/// `s(i > j) = sum over l of g_l (v_i[2l] v_j[2l+1] - v_i[2l+1] v_j[2l])`,
/// which is skew-symmetric: s(j > i) = -s(i > j), s(i > i) = 0. The probability is `sigmoid(s / tau)`.
/// With `normalises` embeddings have length 1. With `isGated` the weights g are the softmax of
/// `prompt_head` at the last prompt token (see `Gate`), otherwise 1.
///
/// `tau` divides a score exactly once, where it becomes log-odds: `logOdds`, `preferenceLogits`, or the
/// training objective, which is given raw scores. With `learnsTau` it is trained: a parameter `raw_tau` holds
/// `ρ`, and `tau = max(softplus(ρ), 0.01)`; a folder stores what it came to.
public struct GeneralPreferenceModel: Sendable {
  /// The trunk.
  public private(set) var decoder: Decoder
  /// What the head looks like.
  public let options: Options
  /// All weights, trunk and heads, under their Hugging Face names.
  public var parameters: ParameterBlock
  /// Id of `<|endoftext|>`, where the embedding is read.
  public let endOfText: Int32

  let valueHead: ParameterID
  let promptHead: ParameterID?
  private let rawTauID: ParameterID?

  /// The head's numbers, stored in `config.json`.
  public struct Options: Hashable, Sendable {
    /// Extent of an embedding, 2k; even.
    public var dimension: Int
    /// Whether embeddings are divided by their length.
    public var normalises: Bool
    /// Whether the prompt weighs the k planes.
    public var isGated: Bool
    /// What the gate's logits become.
    public var gate: Gate
    /// Temperature that turns scores into log-odds; where it is trained, the one it begins with.
    public var tau: Double
    /// Whether the temperature is trained with the weights.
    public var learnsTau: Bool
    /// Whether embeddings are read at the last token, whatever it is, and not at the end of the text.
    public var readsLastToken: Bool

    /// Makes options; the defaults are those of the paper's larger runs without gate.
    public init(
      dimension: Int = 6, normalises: Bool = false, isGated: Bool = false, gate: Gate = .softmax,
      tau: Double = 0.1, learnsTau: Bool = false, readsLastToken: Bool = false
    ) {
      self.dimension = dimension
      self.normalises = normalises
      self.isGated = isGated
      self.gate = gate
      self.tau = tau
      self.learnsTau = learnsTau
      self.readsLastToken = readsLastToken
    }
  }

  /// What the logits of the prompt's gate, `W h` with `h` of H numbers, become.
  public enum Gate: String, Codable, Hashable, Sendable, CaseIterable {
    /// `softmax(W h)`: weights that add up to 1, as the paper's checkpoints were trained.
    case softmax
    /// `k softmax(W h / sqrt(H))`: weights of mean 1, as the published code has it since November 2024
    /// (where it lacks a definition and does not run).
    case scaled
  }

  /// The temperature in use: that of the options, or as far as it was trained.
  public var tau: Double {
    rawTau.map { Double(temperature($0).item) } ?? options.tau
  }

  /// The trained `ρ` with its graph; nil where the temperature is fixed.
  public var rawTau: Tensor? { rawTauID.map { parameters[$0] } }

  /// Whether training computes each layer twice in place of keeping it; see `Decoder`.
  public var checkpointsLayers: Bool {
    get { decoder.checkpointsLayers }
    set { decoder.checkpointsLayers = newValue }
  }

  /// Makes a model with random weights; heads are drawn from N(0, 1/(H+1)) (standard deviation), as
  /// the paper's code does.
  /// - Throws: `PreferenceError` if the options or the end-of-text id make no model.
  public init(
    configuration: DecoderConfiguration, options: Options, endOfText: Int? = nil, seed: UInt64
  ) throws(PreferenceError) {
    guard options.dimension >= 2, options.dimension.isMultiple(of: 2) else {
      throw .invalidConfiguration(
        path: "general preference model", key: "value_head_dim",
        expected: "an even number of at least 2", found: "\(options.dimension)")
    }
    guard options.tau > 0, options.tau.isFinite else {
      throw .invalidConfiguration(
        path: "general preference model", key: "tau", expected: "a positive number",
        found: "\(options.tau)")
    }
    var layout = ParameterLayout()
    decoder = Decoder(configuration, declaringIn: &layout, outputHead: false)
    let width = configuration.hiddenSize
    let initial = Initialization.normal(standardDeviation: 1 / Float(width + 1))
    valueHead = layout.add("value_head.weight", [options.dimension, width], initial)
    promptHead =
      options.isGated
      ? layout.add("prompt_head.weight", [options.dimension / 2, width], initial) : nil
    rawTauID = options.learnsTau ? layout.add("raw_tau", [1], .zeros) : nil
    self.options = options
    self.endOfText = try endOfTextID(endOfText, configuration: configuration)
    parameters = ParameterBlock(layout: layout, seed: seed)
    if let rawTauID {
      // softplus(log(e^tau - 1)) = tau.
      parameters.assign([Float(log(expm1(max(options.tau, 0.01))))], to: rawTauID)
    }
  }

  /// Puts fresh heads on a trunk; entries of `trunk` with equal name and shape are copied.
  /// - Throws: as the first initializer.
  public init(
    configuration: DecoderConfiguration, trunk: ParameterBlock, options: Options,
    endOfText: Int? = nil, seed: UInt64
  ) throws(PreferenceError) {
    try self.init(configuration: configuration, options: options, endOfText: endOfText, seed: seed)
    parameters.copyShared(from: trunk)
  }

  /// Puts fresh heads on a copy of a language model's trunk.
  /// - Throws: as the first initializer.
  public init(
    from model: CausalLM, options: Options, endOfText: Int? = nil, seed: UInt64
  ) throws(PreferenceError) {
    try self.init(
      configuration: model.decoder.configuration, trunk: model.merged.parameters, options: options,
      endOfText: endOfText, seed: seed)
  }

  /// The embedding matrix [V, H], which is the output matrix of a trunk with tied embeddings.
  public var embeddingMatrix: Tensor? {
    guard decoder.configuration.tiesEmbeddings else { return nil }
    return ["model.embed_tokens.weight", "transformer.wte.weight"].lazy
      .compactMap { parameters.layout.id(named: $0) }.first.map { parameters[$0] }
  }

  /// Where the embedding is read.
  public var readout: Readout { options.readsLastToken ? .lastToken : .firstEndOfText(endOfText) }

  /// What sequences must keep to.
  public var limits: SequenceLimits { SequenceLimits(decoder.configuration) }

  /// Packs groups for this model.
  /// - Throws: `PreferenceError` naming the row at fault; a gated model needs prompts.
  public func batch(
    _ groups: [PreferenceGroup], firstRow: Int = 0
  ) throws(PreferenceError) -> PreferenceBatch {
    if options.isGated, let row = groups.firstIndex(where: { $0.prompt.isEmpty }) {
      throw .promptNeeded(row: firstRow + row)
    }
    return try PreferenceBatch(groups, readout: readout, limits: limits, firstRow: firstRow)
  }

  /// Reads responses that a data set has already packed, encoded for scoring.
  /// - Throws: `PreferenceError` naming the row at fault; a gated model needs prompts.
  public func batch(_ packed: PackedBatch) throws(PreferenceError) -> PreferenceBatch {
    let batch = try PreferenceBatch(packed, readout: readout)
    if options.isGated, let group = batch.promptRows.firstIndex(of: nil) {
      throw .promptNeeded(row: packed.examples[group])
    }
    return batch
  }

  /// Embeddings and gates with their graph.
  /// - Returns: embeddings [R, 2k], of length 1 if `normalises`; gates [G, k] by group, nil without.
  public func embeddings(_ batch: PreferenceBatch) -> (responses: Tensor, gates: Tensor?) {
    let found = outputs(batch)
    return (found.responses, found.gates)
  }

  /// Embeddings, gates, and the hidden states [N, H] that they were read from.
  public func outputs(
    _ batch: PreferenceBatch
  ) -> (responses: Tensor, gates: Tensor?, hidden: Tensor) {
    ForwardMeter.count(batch)
    let hidden = decoder.hiddenStates(
      tokens: batch.tokens, layout: batch.layout, parameters: parameters)
    var embeddings = linear(hidden.rows(at: batch.readRows), weight: parameters[valueHead])
    if options.normalises { embeddings = embeddings.l2Normalized() }
    let gates = promptHead.map { head in
      let rows = batch.promptRows.compactMap(\.self)
      precondition(
        rows.count == batch.promptRows.count,
        "GeneralPreferenceModel: expected a prompt in every group, found a bare sequence")
      let logits = linear(hidden.rows(at: rows), weight: parameters[head])
      switch options.gate {
      case .softmax: return softmax(logits)
      case .scaled:
        let width = Float(decoder.configuration.hiddenSize)
        return softmax(logits * (1 / width.squareRoot())) * Float(options.dimension / 2)
      }
    }
    return (embeddings, gates, hidden)
  }

  /// Raw scores s(chosen > rejected) of pairs with their graph, [P]; `tau` is not applied.
  ///
  /// Traps unless every group of the batch has two responses.
  public func scores(_ batch: PreferenceBatch) -> Tensor {
    let (responses, gates) = embeddings(batch)
    return skewScores(
      responses.rows(at: batch.chosenIndices), responses.rows(at: batch.rejectedIndices),
      gates: gates)
  }
}

/// `max(softplus(ρ), 0.01)`: the temperature of a trained `ρ`, as in the published code.
func temperature(_ raw: Tensor) -> Tensor {
  (-(-raw).logSigmoid()).clamped(0.01, .infinity)
}

/// Skew-symmetric scores `sum over l of g_l (a[2l] b[2l+1] - a[2l+1] b[2l])`, row by row.
///
/// - Parameters:
///   - preferred: a, [P, 2k].
///   - other: b, [P, 2k].
///   - gates: g, [P, k]; all 1 if nil.
/// - Returns: [P], positive where a is preferred.
public func skewScores(_ preferred: Tensor, _ other: Tensor, gates: Tensor? = nil) -> Tensor {
  precondition(
    preferred.shape == other.shape && preferred.shape.rank == 2
      && preferred.shape[1].isMultiple(of: 2),
    "skewScores: expected two [P, 2k], found \(preferred.shape) and \(other.shape)")
  let even = Array(stride(from: 0, to: preferred.shape[1], by: 2))
  let odd = even.map { $0 + 1 }
  let planes =
    preferred.columns(at: even) * other.columns(at: odd)
    - preferred.columns(at: odd) * other.columns(at: even)
  guard let gates else { return planes.sumLastAxis() }
  precondition(
    gates.shape == planes.shape,
    "skewScores: expected gates \(planes.shape), found \(gates.shape)")
  return (planes * gates).sumLastAxis()
}
