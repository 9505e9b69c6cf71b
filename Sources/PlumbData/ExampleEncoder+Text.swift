import PlumbTokenizers

extension ExampleEncoder {
  /// A whole conversation in which every answer is a target.
  func conversation(
    _ messages: [Message], example: Int, _ report: inout EncodingReport
  ) -> TokenGroup? {
    guard let last = messages.last else {
      report.drop("empty response")
      return nil
    }
    let full = encoder.prompt(messages.dropLast()) + encoder.response(last.content)
    var isTarget = [Bool](repeating: false, count: full.count)
    for (index, message) in messages.enumerated() where message.role == "assistant" {
      let start = encoder.prompt(Array(messages[..<index])).count
      let answer = encoder.response(message.content)
      let end = start + answer.count
      // A template may render an earlier answer otherwise than a policy generates it.
      guard end <= full.count, Array(full[start..<end]) == answer else { continue }
      for place in start..<end { isTarget[place] = true }
    }
    guard let first = isTarget.firstIndex(of: true) else {
      report.drop("empty response")
      return nil
    }
    let excess = full.count - limits.context
    if excess > 0, limits.policy == .drop {
      report.drop("too long")
      return nil
    }
    // The beginning goes first, as long as an answer is left to learn; then the end.
    let lastStart = encoder.prompt(messages.dropLast()).count
    let start = max(0, min(excess, max(0, lastStart - limits.context / 2)))
    let end = min(full.count, start + limits.context)
    report.promptsCut += start > 0 ? 1 : 0
    report.responsesCut += end < full.count ? 1 : 0
    let tokens = full.map(Int32.init)
    let split = min(max(first, start + 1), end - 1)
    return TokenGroup(
      prompt: Array(tokens[start..<split]), responses: [Array(tokens[split..<end])],
      isTarget: [Array(isTarget[split..<end])], example: example)
  }

  /// Texts for language modelling: every token is a target, long texts are cut into pieces.
  ///
  /// A text follows the end-of-text token, which predicts its first token, and is closed by one.
  /// Nothing is dropped for its length: a text longer than the context becomes several groups.
  /// Conversations are rendered by the template; their prompts are targets too.
  public func groups(of texts: [TextRow]) -> (groups: [TokenGroup], report: EncodingReport) {
    collect(texts) { row, index, report in
      let tokens = [encoder.endOfText] + tokens(of: row)
      guard tokens.count > 1 else {
        report.drop("empty text")
        return []
      }
      // Pieces overlap by one token, so that every token but the first is a target exactly once.
      let length = limits.context - 1
      return stride(from: 0, to: tokens.count - 1, by: length).map { start in
        let piece = tokens[start..<min(start + limits.context, tokens.count)].map(Int32.init)
        return TokenGroup(
          prompt: [piece[0]], responses: [Array(piece.dropFirst())], example: index)
      }
    }
  }

  private func tokens(of row: TextRow) -> [Int] {
    switch row.content {
    case .text(let text):
      // As a response, so that no marker is found in the text; without the end of the turn.
      let tokens = encoder.response(text).dropLast()
      return tokens.isEmpty ? [] : tokens + [encoder.endOfText]
    case .messages(let messages):
      guard let last = messages.last else { return [] }
      guard last.role == "assistant" else { return encoder.prompt(messages) }
      let scored = encoder.scored(prompt: messages.dropLast(), response: last.content)
      return scored.prompt + scored.response
    }
  }
}
