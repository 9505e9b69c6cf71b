public import PlumbModels
public import PlumbTensors
public import PlumbTokenizers

/// A decoder trunk that reads two responses in one sequence and says which is preferred: PairPM.
///
/// The sequence is the prompt, the first response with its end marks, an opening, and the second
/// response with its end marks:
///
/// ```
/// <prompt> <first response> <|im_end|><|endoftext|> <opening> <second response> <|im_end|><|endoftext|>
/// ```
/// The opening is what begins an answer (`<|im_start|>assistant\n` in ChatML), so both responses look
/// like answers to the prompt. A linear row `pair_head.weight` [1, H] at the last end-of-text gives the
/// log-odds `z(first, second)` that the first is preferred. Pair models of this kind (PairRM, arXiv
/// 2306.02561; PairPM, arXiv 2405.07863, §3) can hold cycles, but need a pass through the trunk for
/// every pair and order, O(K²), where rewards and embeddings need O(K).
///
/// Nothing makes `z(a, b) = -z(b, a)`: the model can favour a place. `Orders.both` averages
/// `(z(a, b) - z(b, a)) / 2`, which is antisymmetric; `OrderBias` measures what it removes.
public struct PairPreferenceModel: Sendable {
  /// In which orders a pair is read to answer a question about it.
  public enum Orders: String, Codable, Hashable, Sendable, CaseIterable {
    /// Both, and half of the difference is the answer.
    case both
    /// As asked only: half the cost, and the bias of the place stays in.
    case single
  }

  /// The trunk.
  public private(set) var decoder: Decoder
  /// In which orders a pair is read.
  public var orders: Orders
  /// Ids between the responses.
  public let opening: [Int32]
  /// All weights, trunk and head, under their Hugging Face names.
  public var parameters: ParameterBlock
  /// Id of `<|endoftext|>`, where the head reads.
  public let endOfText: Int32

  let head: ParameterID

  /// Whether training computes each layer twice in place of keeping it; see `Decoder`.
  public var checkpointsLayers: Bool {
    get { decoder.checkpointsLayers }
    set { decoder.checkpointsLayers = newValue }
  }

  /// Makes a model with random weights; the head is drawn from N(0, 1/(H+1)) (variance).
  /// - Parameters:
  ///   - configuration: of the trunk.
  ///   - opening: ids between the responses; may be empty.
  ///   - orders: in which orders a pair is read.
  ///   - endOfText: id to read at; the configuration's first end-of-sequence id if nil.
  ///   - seed: of the random weights.
  /// - Throws: `PreferenceError` if an id is out of the vocabulary or no end of text is known.
  public init(
    configuration: DecoderConfiguration, opening: [Int32], orders: Orders = .both,
    endOfText: Int? = nil, seed: UInt64
  ) throws(PreferenceError) {
    for id in opening where id < 0 || Int(id) >= configuration.vocabularySize {
      throw .invalidConfiguration(
        path: "pair model", key: "pair_opening_ids",
        expected: "ids from 0 to \(configuration.vocabularySize - 1)", found: "\(id)")
    }
    var layout = ParameterLayout()
    decoder = Decoder(configuration, declaringIn: &layout, outputHead: false)
    let width = configuration.hiddenSize
    head = layout.add(
      "pair_head.weight", [1, width],
      .normal(standardDeviation: (1 / Float(width + 1)).squareRoot()))
    self.opening = opening
    self.orders = orders
    self.endOfText = try endOfTextID(endOfText, configuration: configuration)
    parameters = ParameterBlock(layout: layout, seed: seed)
  }

  /// Puts a fresh head on a trunk; entries of `trunk` with equal name and shape are copied.
  /// - Throws: as the first initializer.
  public init(
    configuration: DecoderConfiguration, trunk: ParameterBlock, opening: [Int32],
    orders: Orders = .both, endOfText: Int? = nil, seed: UInt64
  ) throws(PreferenceError) {
    try self.init(
      configuration: configuration, opening: opening, orders: orders, endOfText: endOfText,
      seed: seed)
    parameters.copyShared(from: trunk)
  }

  /// The ids that begin an answer in a template, which stand between the responses.
  public static func opening(_ encoder: ConversationEncoder) -> [Int32] {
    encoder.prompt([]).map(Int32.init)
  }

  /// Where the head reads.
  public var readout: Readout { .firstEndOfText(endOfText) }

  /// What sequences must keep to.
  public var limits: SequenceLimits { SequenceLimits(decoder.configuration) }

  /// The tokens of a pair's sequence: prompt, both responses, and what stands between them.
  public func tokenCount(of pair: PreferenceGroup) -> Int {
    pair.responses.reduce(pair.prompt.count + opening.count) { $0 + readout.prepared($1).count }
  }

  /// Packs pairs for this model, each in the orders asked for.
  ///
  /// - Parameters:
  ///   - pairs: groups of two responses.
  ///   - swapped: for each pair, the orders to lay out: `false` is as given, `true` the other way
  ///     round. The sequences of a pair share its prompt.
  ///   - firstRow: number of the first pair in messages.
  /// - Throws: `PreferenceError` naming the row that is empty, too long or no pair.
  public func batch(
    _ pairs: [PreferenceGroup], swapped: [[Bool]], firstRow: Int = 0
  ) throws(PreferenceError) -> PreferenceBatch {
    precondition(
      pairs.count == swapped.count,
      "PairPreferenceModel: expected orders of \(pairs.count) pairs, found \(swapped.count)")
    var groups: [PreferenceGroup] = []
    for (index, pair) in pairs.enumerated() {
      guard pair.responses.count == 2 else {
        throw .pairNeeded(row: firstRow + index, found: pair.responses.count)
      }
      let sides = pair.responses.map(readout.prepared)
      groups.append(
        PreferenceGroup(
          prompt: pair.prompt,
          responses: swapped[index].map { isSwapped in
            sides[isSwapped ? 1 : 0] + opening + sides[isSwapped ? 0 : 1]
          }))
    }
    // The end of text stands twice in a sequence; it is the last token that is read.
    return try PreferenceBatch(groups, readout: .lastToken, limits: limits, firstRow: firstRow)
  }

  /// Log-odds that the response that comes first in its sequence is preferred, with their graph, [M].
  public func logits(_ batch: PreferenceBatch) -> Tensor {
    ForwardMeter.count(batch)
    let hidden = decoder.hiddenStates(
      tokens: batch.tokens, layout: batch.layout, parameters: parameters)
    return linear(hidden.rows(at: batch.readRows), weight: parameters[head])
      .reshaped([batch.readRows.count])
  }
}
