public import PlumbTensors

/// Sequences that grow token by token, with the keys and values of all tokens so far.
///
/// A row is one sequence. Rows that sample from one prompt share its cache, which is computed once.
/// Rows leave when they have finished and others join at any time, so that a batch stays full.
/// Nothing is recorded for gradients. Logits equal those of a full forward pass up to rounding.
///
/// ```swift
/// var state = DecodingState(model)
/// var logits = try state.append(prompts: [[1, 5, 3]], copies: [4])   // [4, V]
/// logits = state.step(tokens: chosen)                                // [4, V]
/// state.keep(rows: [0, 2])                                           // 1 and 3 have finished
/// ```
public struct DecodingState: Sendable {
  private let decoder: Decoder
  private let parameters: ParameterBlock
  private var cache = KeyValueCache()

  /// A state without rows, reading the weights as they are now.
  public init(_ model: CausalLM) {
    self.init(decoder: model.decoder, parameters: model.parameters)
  }

  /// A state for a decoder whose parameters lie in a block with others, for example a value head.
  /// - Parameters:
  ///   - decoder: declared with an output head.
  ///   - parameters: the weights as they are now; later changes are not seen.
  public init(decoder: Decoder, parameters: ParameterBlock) {
    self.decoder = decoder
    self.parameters = parameters.frozen
  }

  /// The number of sequences, B.
  public var rowCount: Int { cache.rowCount }

  /// The number of tokens in each row, prompt included, [B].
  public var lengths: [Int] { cache.lengths }

  /// The longest that a row may become, in tokens.
  public var maximumLength: Int { decoder.configuration.maximumPositions }

  /// Adds rows that start with these prompts.
  ///
  /// All prompts are computed in one packed pass, each once.
  /// - Parameters:
  ///   - prompts: at least one token each.
  ///   - copies: how many rows start from each prompt; one each if nil.
  /// - Returns: logits of the next token of each new row, [sum of copies, V].
  /// - Throws: `ModelError` for a prompt that the model cannot take.
  public mutating func append(
    prompts: [[Int32]], copies: [Int]? = nil
  ) throws(ModelError) -> Tensor {
    let copies = copies ?? prompts.map { _ in 1 }
    precondition(
      copies.count == prompts.count && copies.allSatisfy { $0 >= 0 },
      "DecodingState.append: expected a number of copies for each of \(prompts.count) prompts, "
        + "found \(copies)")
    let configuration = decoder.configuration
    for prompt in prompts { try configuration.validate(tokens: prompt) }
    let layout = PackedLayout(lengths: prompts.map(\.count))
    var cached = KeyValueCache.Prompts(
      lengths: prompts.map(\.count), layerCount: configuration.layerCount,
      width: configuration.keyValueWidth, headDimension: configuration.headDimension)
    let hidden = decoder.run(
      tokens: prompts.flatMap { $0 }, positions: layout.positions, parameters: parameters
    ) { layer, query, key, value in
      cached.store(layer: layer, key: key, value: value)
      return causalAttention(
        query: query, key: key, value: value, layout: layout,
        headDimension: configuration.headDimension)
    }
    cache.append(cached, copies: copies)
    // The logits of a prompt are computed once, then repeated for its rows.
    let last = hidden.rows(at: layout.segments.map { $0.start + $0.count - 1 })
    let logits = linear(last, weight: decoder.outputWeight(in: parameters))
    return logits.rows(at: copies.indices.flatMap { Array(repeating: $0, count: copies[$0]) })
  }

  /// Adds one token to every row.
  ///
  /// Traps where a row would outgrow `maximumLength` or a token is outside the vocabulary: the
  /// caller drops such rows first.
  /// - Parameter tokens: [B], in the order of the rows.
  /// - Returns: logits of the token after it, [B, V].
  public mutating func step(tokens: [Int32]) -> Tensor {
    precondition(
      tokens.count == rowCount,
      "DecodingState.step: expected \(rowCount) tokens, found \(tokens.count)")
    let positions = lengths.map(Int32.init)
    precondition(
      positions.allSatisfy { $0 < maximumLength },
      "DecodingState.step: expected rows shorter than \(maximumLength), found \(lengths)")
    let hidden = decoder.run(tokens: tokens, positions: positions, parameters: parameters) {
      layer, query, key, value in
      cache.decodeAttention(layer: layer, query: query, key: key, value: value)
    }
    cache.advance()
    return linear(hidden, weight: decoder.outputWeight(in: parameters))
  }

  /// Keeps only these rows, in this order; a row named twice goes on as two.
  public mutating func keep(rows: [Int]) {
    cache.keep(rows: rows)
  }
}
