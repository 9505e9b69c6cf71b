import PlumbTokenizers

/// Which pairs of answers are made from a forum thread.
public struct VotePairOptions: Codable, Hashable, Sendable {
  /// Votes by which the chosen answer must lead; WorldPM asks for any difference, so 0 and 1 agree.
  public var minimumMargin = 0
  /// The most pairs taken from one thread; all if nil.
  public var maximumPairsPerThread: Int?
  /// The longest question in characters (Unicode scalars); any length if nil.
  public var maximumPromptCharacters: Int?
  /// The longest answer in characters (Unicode scalars); any length if nil.
  public var maximumResponseCharacters: Int?
  /// Decides which pairs are taken where there are more than the maximum.
  public var seed: UInt64 = 0

  /// WorldPM's rule, without limits.
  public init() {}
}

extension ForumThread.Answer {
  /// What a rule looks at.
  fileprivate var judged: VoteRule.Answer {
    VoteRule.Answer(score: score, isAccepted: accepted, time: ForumTime.unknown)
  }
}

extension ForumThread {
  /// The preference pairs of this thread by WorldPM's rule, in the order of the answers.
  ///
  /// Any two answers with different net votes make a pair; the one with more is chosen, and the
  /// difference is the margin (arXiv 2505.10527, §3.1.1). Empty and equal answers, and texts over
  /// the limits, make none.
  public func votePairs(_ options: VotePairOptions = VotePairOptions()) -> [PreferencePair] {
    let prompt = prompt
    let promptLength = prompt.reduce(0) { $0 + $1.content.unicodeScalars.count }
    guard promptLength > 0, promptLength <= options.maximumPromptCharacters ?? .max else {
      return []
    }
    let usable = answers.filter { answer in
      !trimmed(answer.text).isEmpty
        && answer.text.unicodeScalars.count <= options.maximumResponseCharacters ?? .max
    }
    var rule = VoteRule(.worldPM)
    rule.minimumMargin = options.minimumMargin
    var pairs: [PreferencePair] = []
    for (index, first) in usable.enumerated() {
      for second in usable[(index + 1)...] {
        guard case .better(let isFirst, let margin) = rule.verdict(first.judged, second.judged)
        else { continue }
        let (better, worse) = isFirst ? (first, second) : (second, first)
        guard trimmed(better.text) != trimmed(worse.text) else { continue }
        pairs.append(
          PreferencePair(
            id: "\(site)-\(id)-\(better.id)-\(worse.id)", source: site, prompt: prompt,
            chosen: better.text, rejected: worse.text, margin: Double(margin)))
      }
    }
    return limited(pairs, options)
  }

  /// At most the maximum: those whose ids hash lowest, in their old order.
  private func limited(_ pairs: [PreferencePair], _ options: VotePairOptions) -> [PreferencePair] {
    guard let maximum = options.maximumPairsPerThread, pairs.count > maximum else { return pairs }
    let ranked = pairs.enumerated()
      .map { (StableHash.of($0.element.id, seed: options.seed), $0.offset) }.sorted { $0 < $1 }
    return ranked.prefix(max(0, maximum)).map(\.1).sorted().map { pairs[$0] }
  }
}
