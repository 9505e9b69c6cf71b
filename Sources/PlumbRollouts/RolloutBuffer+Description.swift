import PlumbTokenizers

extension RolloutBuffer {
  /// The buffer for a person: where it comes from, then prompts and responses with their numbers.
  ///
  /// - Parameters:
  ///   - limit: groups printed.
  ///   - width: characters of a text before it is cut.
  public func describe(groups limit: Int = 5, width: Int = 160) -> String {
    var lines = [summary]
    for group in groups.prefix(limit) {
      lines.append("")
      let judge = group.judge.map { ", judged by \($0)" } ?? ""
      lines.append("[\(group.id)] \(group.promptTokens.count) prompt tokens\(judge)")
      for message in group.prompt {
        lines.append("  \(message.role): \(shortened(message.content, to: width))")
      }
      let means = group.opponentMeans()
      for (number, response) in group.responses.enumerated() {
        var facts = ["\(response.tokens.count) tokens", response.finishReason.rawValue]
        if let score = response.score { facts.append("score \(rounded(Double(score)))") }
        if let means { facts.append("mean log-odds \(rounded(means[number]))") }
        if let sum = response.sum(\.behaviourLogprobs) { facts.append("logprob \(rounded(sum))") }
        if let policy = response.sum(\.behaviourLogprobs),
          let reference = response.sum(\.referenceLogprobs)
        {
          facts.append("kl \(rounded(policy - reference))")
        }
        lines.append("  \(number): \(shortened(response.text, to: width))")
        lines.append("     (\(facts.joined(separator: ", ")))")
      }
    }
    if groups.count > limit { lines.append("\n… and \(groups.count - limit) more groups") }
    return lines.joined(separator: "\n")
  }

  private var summary: String {
    let responses = groups.flatMap(\.responses)
    let tokens = responses.reduce(0) { $0 + $1.tokens.count }
    let stopped = responses.count { $0.finishReason == .stop }
    let kind =
      switch provenance.source {
      case .sampled: "sampled from"
      case .preferencePairs: "pairs of"
      }
    return """
      \(groups.count) groups, \(responses.count) responses, \(tokens) tokens, \(stopped) stopped; \
      \(kind) \(provenance.origin), step \(provenance.step)
      """
  }
}

extension Rollout {
  /// Sum of a per-token field; nil where it is not filled.
  fileprivate func sum(_ path: KeyPath<Rollout, [Float]>) -> Double? {
    let values = self[keyPath: path]
    return values.isEmpty ? nil : values.reduce(0) { $0 + Double($1) }
  }
}

/// One line, cut to `width` characters.
private func shortened(_ text: String, to width: Int) -> String {
  let line = text.map { $0.isNewline ? "⏎" : String($0) }.joined()
  return line.count <= width ? line : line.prefix(max(0, width - 1)) + "…"
}

/// Three decimals.
private func rounded(_ value: Double) -> String {
  value.isFinite ? "\((value * 1000).rounded() / 1000)" : "\(value)"
}
