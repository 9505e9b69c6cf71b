/// How the next token is chosen from the logits.
///
/// Applied in the order of transformers' `generate`: repetition penalty, temperature, top-k, top-p,
/// min-p. For policy training leave every filter off: with one on, the tokens are no longer samples of
/// the distribution whose log-probs are recorded.
public struct SamplingOptions: Codable, Hashable, Sendable {
  /// Divides the logits; 0 takes the most probable token (greedy).
  public var temperature: Float
  /// Keeps the k largest logits and all equal to the k-th; off if nil.
  public var topK: Int?
  /// Keeps the smallest set of most probable tokens whose mass reaches p; off if nil.
  public var topP: Float?
  /// Keeps tokens at least this fraction as probable as the most probable one; off if nil.
  public var minP: Float?
  /// Divides positive and multiplies negative logits of every token seen so far, prompt included
  /// (Keskar 2019); 1 is off.
  public var repetitionPenalty: Float
  /// Longest response, in tokens.
  public var maximumNewTokens: Int
  /// Seed of all draws.
  public var seed: UInt64

  /// Makes options; the defaults sample the model's own distribution.
  public init(
    temperature: Float = 1, topK: Int? = nil, topP: Float? = nil, minP: Float? = nil,
    repetitionPenalty: Float = 1, maximumNewTokens: Int = 128, seed: UInt64 = 0
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.maximumNewTokens = maximumNewTokens
    self.seed = seed
  }

  /// Whether the most probable token is always taken.
  public var isGreedy: Bool { temperature == 0 }

  /// Temperature under which log-probs are recorded: 1 where sampling is greedy.
  public var logprobTemperature: Float { isGreedy ? 1 : temperature }

  /// Whether tokens are samples of the distribution whose log-probs are recorded.
  public var isUnfiltered: Bool { filter == nil }

  /// The first option under which they are not; nil where there is none.
  ///
  /// Its name, the value that would change nothing, and its value.
  var filter: (name: String, neutral: String, value: String)? {
    if isGreedy { return ("temperature", "more than 0", "\(temperature) (greedy)") }
    if let topK { return ("top_k", "none", "\(topK)") }
    if let topP { return ("top_p", "none", "\(topP)") }
    if let minP { return ("min_p", "none", "\(minP)") }
    guard repetitionPenalty != 1 else { return nil }
    return ("repetition_penalty", "1", "\(repetitionPenalty)")
  }

  /// Checks every number.
  /// - Throws: `RolloutError.invalidOption` naming the option, what it may be and what was found.
  public func validate() throws(RolloutError) {
    func require(
      _ condition: Bool, _ name: String, _ expected: String, _ found: some Any
    ) throws(RolloutError) {
      guard condition else {
        throw .invalidOption(name: name, expected: expected, found: "\(found)")
      }
    }
    try require(
      temperature >= 0 && temperature.isFinite, "temperature", "0 (greedy) or more", temperature)
    if let topK { try require(topK >= 1, "top_k", "1 or more", topK) }
    if let topP { try require(topP > 0 && topP <= 1, "top_p", "more than 0, at most 1", topP) }
    if let minP { try require(minP >= 0 && minP <= 1, "min_p", "0 to 1", minP) }
    try require(
      repetitionPenalty > 0 && repetitionPenalty.isFinite, "repetition_penalty",
      "a positive number", repetitionPenalty)
    try require(maximumNewTokens >= 1, "max_new_tokens", "1 or more", maximumNewTokens)
  }
}
