public import PlumbTensors

/// Draws the tokens of one response.
///
/// Its random numbers are those of (seed, purpose, step, row), one per position, so that a response
/// depends neither on the other rows of a batch nor on when they finish.
public struct TokenSampler: Sendable {
  /// The options it draws by.
  public let options: SamplingOptions
  private var stream: RandomStream
  /// What the repetition penalty applies to; nil where there is none.
  private(set) var seen: TokenSet?

  /// Makes a sampler for one response.
  /// - Parameters:
  ///   - options: how to draw.
  ///   - prompt: ids already in context, for the repetition penalty.
  ///   - step: which round of sampling this is.
  ///   - row: which response of the round, counted over all prompts.
  public init(options: SamplingOptions, prompt: [Int32], step: Int, row: Int) {
    self.options = options
    stream = RandomStream(seed: options.seed, purpose: "sampling", step: step, row: row)
    seen = options.repetitionPenalty == 1 ? nil : TokenSet(prompt)
  }

  /// Draws the next token from logits, through the filters of `options`.
  /// - Parameter logits: of the whole vocabulary.
  /// - Returns: nil if the logits hold a NaN or give no distribution.
  public mutating func next(_ logits: [Float]) -> TokenDraw? {
    let draw = TokenDraw.draw(from: logits, options.draws, uniform: uniform(), seen: seen)
    if let draw { note(draw.token) }
    return draw
  }

  /// A number in [0, 1); one per position is used up even where greedy sampling ignores it.
  mutating func uniform() -> Double { Double(stream.next() >> 11) * 0x1p-53 }

  /// Counts a token as seen.
  mutating func note(_ token: Int32) {
    guard seen != nil else { return }
    if !isKnownUniquelyReferenced(&seen) { seen = seen?.copy() }
    seen?.insert(token)
  }
}

extension SamplingOptions {
  /// The same for the engine.
  var draws: DrawOptions {
    var draws = DrawOptions()
    draws.temperature = temperature
    draws.topK = topK
    draws.topP = topP
    draws.minP = minP
    draws.repetitionPenalty = repetitionPenalty
    return draws
  }
}
