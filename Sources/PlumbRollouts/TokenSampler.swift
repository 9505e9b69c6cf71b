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

  /// Draws the next token.
  /// - Parameter logits: of the whole vocabulary.
  /// - Returns: nil if the logits hold a NaN or give no distribution.
  public mutating func next(_ logits: [Float]) -> Draw? {
    // One number per position is used up even where greedy sampling ignores it.
    let uniform = Double(stream.next() >> 11) * 0x1p-53
    var scaled = LogitFilters(logits)
    if options.logprobTemperature != 1 { scaled.divide(by: options.logprobTemperature) }
    guard let (weights, total) = scaled.softmaxWeights() else { return nil }

    let choice: Int?
    if options.isUnfiltered {
      choice = Self.pick(weights, at: uniform * total)
    } else {
      var filters = LogitFilters(logits)
      filters.apply(options, seen: seen)
      if options.isGreedy {
        choice = Self.largest(filters.logits)
      } else {
        choice = filters.softmaxWeights().flatMap { Self.pick($0.weights, at: uniform * $0.total) }
      }
    }
    guard let choice else { return nil }
    if options.repetitionPenalty != 1 { seen.insert(Int32(choice)) }
    let shifted = Double(scaled.logits[choice]) - Double(scaled.largest)
    return Draw(token: Int32(choice), logprob: Float(shifted - log(total)))
  }

  /// The first of the largest logits.
  private static func largest(_ logits: [Float]) -> Int? {
    logits.indices.reduce(nil as Int?) { best, index in
      guard let best else { return index }
      return logits[index] > logits[best] ? index : best
    }
  }

  /// The token where the running sum of weights, in order of ids, passes `target`.
  private static func pick(_ weights: [Float], at target: Double) -> Int? {
    var mass = 0.0
    var last: Int?
    for (index, weight) in weights.enumerated() where weight > 0 {
      mass += Double(weight)
      last = index
      if mass > target { break }
    }
    return last
  }
}
