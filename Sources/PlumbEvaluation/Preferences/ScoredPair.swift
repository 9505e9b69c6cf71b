public import PlumbData

/// What is known about a preference pair beside its texts: what reports slice and compare by.
public struct PairFacts: Codable, Hashable, Sendable {
  /// Pairs with the same key share a prompt; they are drawn together and never split.
  public var prompt: String
  /// The data set that the pair comes from.
  public var source: String
  /// By how much the chosen answer is better, in the units of the source; nil where unknown.
  public var margin: Double?
  /// How often the user speaks before the answers; nil where unknown.
  public var turns: Int?
  /// The style of the chosen answer; nil for rows of token ids.
  public var chosen: ResponseStyle?
  /// The style of the rejected answer.
  public var rejected: ResponseStyle?

  /// Facts from their parts.
  public init(
    prompt: String, source: String, margin: Double? = nil, turns: Int? = nil,
    chosen: ResponseStyle? = nil, rejected: ResponseStyle? = nil
  ) {
    self.prompt = prompt
    self.source = source
    self.margin = margin
    self.turns = turns
    self.chosen = chosen
    self.rejected = rejected
  }

  /// The facts of a pair of a data set.
  ///
  /// - Parameters:
  ///   - pair: with its texts.
  ///   - tokenCount: the length of an answer in tokens, end marks not counted.
  public init(_ pair: PreferencePair, tokenCount: (String) -> Int) {
    self.init(
      prompt: pair.promptKey, source: pair.source, margin: pair.margin, turns: pair.userTurnCount,
      chosen: ResponseStyle(of: pair.chosen, tokens: tokenCount(pair.chosen)),
      rejected: ResponseStyle(of: pair.rejected, tokens: tokenCount(pair.rejected)))
  }
}

/// A preference pair with what a model said of it.
///
/// Models of every kind come down to this: log-odds are `r_chosen - r_rejected` of a reward model,
/// `s(chosen > rejected) / tau` of a general preference model, and so on.
public struct ScoredPair: Codable, Hashable, Sendable {
  /// Log-odds that the chosen answer is preferred, nats; finite.
  public var logOdds: Double
  /// What is known about the pair.
  public var facts: PairFacts

  /// A pair with its log-odds.
  public init(logOdds: Double, facts: PairFacts) {
    self.logOdds = logOdds
    self.facts = facts
  }
}
