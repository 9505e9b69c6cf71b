import Foundation
import PlumbTensors

/// Draws the tokens of one response.
///
/// Its random numbers are those of (seed, purpose, step, row), one per position, so that a response
/// depends neither on the other rows of a batch nor on when they finish.
public struct TokenSampler: Sendable {
  /// A token and how probable it was.
  public struct Draw: Hashable, Sendable {
    /// The token's id.
    public let token: Int32
    /// Its log-prob under the logits divided by the sampling temperature, before any filter.
    public let logprob: Float

    /// Makes a draw.
    public init(token: Int32, logprob: Float) {
      self.token = token
      self.logprob = logprob
    }
  }

  /// The options it draws by.
  public let options: SamplingOptions
  private var stream: RandomStream
  private var seen: Set<Int32>

  /// Makes a sampler for one response.
  /// - Parameters:
  ///   - options: how to draw.
  ///   - prompt: ids already in context, for the repetition penalty.
  ///   - step: which round of sampling this is.
  ///   - row: which response of the round, counted over all prompts.
  public init(options: SamplingOptions, prompt: [Int32], step: Int, row: Int) {
    self.options = options
    stream = RandomStream(seed: options.seed, purpose: "sampling", step: step, row: row)
    seen = options.repetitionPenalty == 1 ? [] : Set(prompt)
  }

  /// Draws the next token from logits, through the filters of `options`.
  /// - Parameter logits: of the whole vocabulary.
  /// - Returns: nil if the logits hold a NaN or give no distribution.
  public mutating func next(_ logits: [Float]) -> Draw? {
    var scaled = LogitFilters(logits)
    if options.logprobTemperature != 1 { scaled.divide(by: options.logprobTemperature) }
    if options.isUnfiltered {
      return scaled.probabilities.flatMap { next(probabilities: $0[...]) }
    }
    let uniform = uniform()
    var filters = LogitFilters(logits)
    filters.apply(options, seen: seen)
    let choice =
      options.isGreedy
      ? Self.largest(filters.logits)
      : filters.probabilities.flatMap { Self.pick($0[...], at: uniform) }
    // Not the logarithm of a probability: a penalty can make a token likely whose own one underflows.
    guard let choice, let logprob = scaled.logprob(of: choice) else { return nil }
    if options.repetitionPenalty != 1 { seen.insert(Int32(choice)) }
    return Draw(token: Int32(choice), logprob: logprob)
  }

  /// Draws the next token from the distribution itself, without filters.
  /// - Parameter probabilities: of the whole vocabulary, under the sampling temperature.
  /// - Returns: nil if the probabilities are NaN.
  mutating func next(probabilities: ArraySlice<Float>) -> Draw? {
    Self.pick(probabilities, at: uniform()).map { choice in
      Draw(
        token: Int32(choice), logprob: log(probabilities[probabilities.startIndex + choice]))
    }
  }

  /// A number in [0, 1); one per position is used up even where greedy sampling ignores it.
  private mutating func uniform() -> Double { Double(stream.next() >> 11) * 0x1p-53 }

  /// The first of the largest logits.
  private static func largest(_ logits: [Float]) -> Int? {
    logits.indices.reduce(nil as Int?) { best, index in
      guard let best else { return index }
      return logits[index] > logits[best] ? index : best
    }
  }

  /// The token where the running sum of probabilities, in order of ids, passes `target`.
  private static func pick(_ probabilities: ArraySlice<Float>, at target: Double) -> Int? {
    var mass = 0.0
    var last: Int?
    for (index, probability) in probabilities.enumerated() where probability > 0 {
      mass += Double(probability)
      last = index
      if mass > target { break }
    }
    return last
  }
}
