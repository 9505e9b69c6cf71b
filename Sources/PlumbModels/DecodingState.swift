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
  private let configuration: DecoderConfiguration
  private var session: DecodingSession
  private var rows: [Int] = []

  /// A state without rows, reading the weights as they are now.
  public init(_ model: CausalLM) {
    self.init(decoder: model.decoder, parameters: model.parameters)
  }

  /// A state for a decoder whose parameters lie in a block with others, for example a value head.
  /// - Parameters:
  ///   - decoder: declared with an output head.
  ///   - parameters: the weights as they are now; they are packed, and later changes are not seen.
  public init(decoder: Decoder, parameters: ParameterBlock) {
    configuration = decoder.configuration
    session = DecodingSession(decoder.packed(parameters))
  }

  /// The number of sequences, B.
  public var rowCount: Int { rows.count }

  /// The number of tokens in each row, prompt included, [B].
  public var lengths: [Int] { rows.map { session.length(of: $0) } }

  /// The longest that a row may become, in tokens.
  public var maximumLength: Int { configuration.maximumPositions }

  /// Adds rows that start with these prompts.
  ///
  /// All prompts are computed in one pass, each once.
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
    for prompt in prompts { try configuration.validate(tokens: prompt) }
    guard !prompts.isEmpty else { return .zeros([0, configuration.vocabularySize]) }
    let sequences = prompts.map { prompt in
      let sequence = session.addSequence()
      session.feed(prompt, to: sequence, readsLogits: true)
      return sequence
    }
    session.run()
    for (sequence, count) in zip(sequences, copies) {
      for _ in 0..<count { rows.append(session.fork(sequence)) }
      session.remove(sequence)
    }
    // The logits of a prompt are computed once, then repeated for its rows.
    return session.logits.rows(
      at: copies.indices.flatMap { Array(repeating: $0, count: copies[$0]) })
  }

  /// Adds one token to every row.
  ///
  /// Traps where a row would outgrow `maximumLength` or a token is outside the vocabulary: the
  /// caller drops such rows first.
  /// - Parameter tokens: [B], in the order of the rows.
  /// - Returns: logits of the token after it, [B, V].
  public mutating func step(tokens: [Int32]) -> Tensor {
    precondition(
      tokens.count == rowCount && rowCount > 0,
      "DecodingState.step: expected \(rowCount) tokens, at least 1, found \(tokens.count)")
    precondition(
      lengths.allSatisfy { $0 < maximumLength },
      "DecodingState.step: expected rows shorter than \(maximumLength), found \(lengths)")
    for (row, token) in zip(rows, tokens) {
      session.feed(CollectionOfOne(token), to: row, readsLogits: true)
    }
    session.run()
    return session.logits
  }

  /// Keeps only these rows, in this order; a row named twice goes on as two.
  public mutating func keep(rows kept: [Int]) {
    let old = rows
    rows = kept.map { index in
      precondition(
        old.indices.contains(index),
        "DecodingState.keep: expected rows below \(old.count), found \(index)")
      return session.fork(old[index])
    }
    for row in old { session.remove(row) }
  }
}
