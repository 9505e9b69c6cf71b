public import PlumbTokenizers

/// What came of turning rows into tokens.
public struct EncodingReport: Codable, Hashable, Sendable {
  /// Rows that came in.
  public internal(set) var rows = 0
  /// Rows that became token groups.
  public internal(set) var kept = 0
  /// Kept rows whose prompt lost its beginning.
  public internal(set) var promptsCut = 0
  /// Kept rows of which a response lost its end.
  public internal(set) var responsesCut = 0
  /// Rows that were left out, by reason.
  public internal(set) var dropped: [String: Int] = [:]
  /// Tokens in all groups.
  public internal(set) var tokens = 0

  init() {}

  mutating func drop(_ reason: String) { dropped[reason, default: 0] += 1 }
}

/// Turns rows into token groups: template, limits, and counts of what was cut or dropped.
public struct ExampleEncoder: Sendable {
  /// What the responses are for.
  public enum Form: String, Codable, Hashable, Sendable {
    /// To be generated: a response ends as a policy must learn to end it.
    case generated
    /// To be judged: a response ends with the token at which a reward head reads.
    case scored
  }

  /// Which answers of a conversation are learnt.
  public enum Turns: String, Codable, Hashable, Sendable, CaseIterable {
    /// The last one.
    case last
    /// Every answer whose tokens, end of turn included, stand in the conversation as generated.
    case all
  }

  /// The tokenizer with its template.
  public let encoder: ConversationEncoder
  /// How long examples may be.
  public let limits: TokenLimits

  /// An encoder of rows.
  public init(_ encoder: ConversationEncoder, limits: TokenLimits) {
    self.encoder = encoder
    self.limits = limits
  }

  /// Pairs as groups of two responses, chosen first.
  public func groups(
    of pairs: [PreferencePair], form: Form
  ) -> (groups: [TokenGroup], report: EncodingReport) {
    collect(pairs) { pair, index, report in
      let group = group(
        prompt: pair.prompt, responses: [pair.chosen, pair.rejected], form: form, example: index,
        &report)
      guard let group else { return [] }
      guard group.responses[0] != group.responses[1] else {
        report.drop("identical responses after the cut")
        return []
      }
      return [group]
    }
  }

  /// Answers to one prompt, such as all samples of a policy, as one group.
  ///
  /// Nil where the limits say that the example is to be dropped, or a response has no tokens.
  public func group(
    prompt: [Message], responses: [String], form: Form, example: Int = 0
  ) -> TokenGroup? {
    var report = EncodingReport()
    return group(prompt: prompt, responses: responses, form: form, example: example, &report)
  }

  /// Demonstrations as groups of one response; with `.all`, earlier answers are targets too.
  public func groups(
    of demonstrations: [Demonstration], turns: Turns = .last
  ) -> (groups: [TokenGroup], report: EncodingReport) {
    collect(demonstrations) { row, index, report in
      let group: TokenGroup? =
        switch turns {
        case .last:
          self.group(
            prompt: row.prompt, responses: [row.response], form: .generated, example: index,
            &report)
        case .all: conversation(row.messages, example: index, &report)
        }
      return group.map { [$0] } ?? []
    }
  }

  /// Unpaired rows as groups of one response.
  public func groups(
    of rows: [UnpairedRow], form: Form
  ) -> (groups: [TokenGroup], report: EncodingReport) {
    collect(rows) { row, index, report in
      let group = group(
        prompt: row.prompt, responses: [row.response], form: form, example: index, &report)
      return group.map { [$0] } ?? []
    }
  }

  func collect<Row>(
    _ rows: [Row], _ encode: (Row, Int, inout EncodingReport) -> [TokenGroup]
  ) -> (groups: [TokenGroup], report: EncodingReport) {
    var report = EncodingReport()
    var groups: [TokenGroup] = []
    for (index, row) in rows.enumerated() {
      report.rows += 1
      let made = encode(row, index, &report)
      if !made.isEmpty { report.kept += 1 }
      report.tokens += made.reduce(0) { $0 + $1.tokenCount }
      groups += made
    }
    return (groups, report)
  }

  private func group(
    prompt: [Message], responses: [String], form: Form, example: Int,
    _ report: inout EncodingReport
  ) -> TokenGroup? {
    let promptTokens: [Int]
    let responseTokens: [[Int]]
    switch form {
    case .generated:
      promptTokens = encoder.prompt(prompt)
      responseTokens = responses.map { encoder.response($0) }
    case .scored:
      let scored = responses.map { encoder.scored(prompt: prompt, response: $0) }
      promptTokens = scored.first?.prompt ?? []
      responseTokens = scored.map(\.response)
    }
    guard responseTokens.allSatisfy({ !$0.isEmpty }) else {
      report.drop("empty response")
      return nil
    }
    // A reward head reads at the end marks, so a cut must not take them.
    let kept = form == .scored ? encoder.scoredEnd.count : 0
    let fitted = limits.fit(
      promptTokens.map(Int32.init), responseTokens.map { $0.map(Int32.init) }, keepingLast: kept)
    guard let fitted else {
      report.drop("too long")
      return nil
    }
    report.promptsCut += fitted.promptWasCut ? 1 : 0
    report.responsesCut += fitted.responseWasCut ? 1 : 0
    return TokenGroup(prompt: fitted.prompt, responses: fitted.responses, example: example)
  }
}
