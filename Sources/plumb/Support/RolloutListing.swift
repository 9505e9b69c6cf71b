import PlumbCheckpoints
import PlumbRecipes
import PlumbRollouts
import PlumbTokenizers

/// A rollout buffer for a person, or as JSON.
struct RolloutListing {
  let buffer: RolloutBuffer
  let withTokens: Bool

  /// Where the buffer comes from, and its sizes.
  var head: String {
    let responses = buffer.groups.flatMap(\.responses)
    let tokens = responses.reduce(0) { $0 + $1.tokens.count }
    let stopped = responses.count { $0.finishReason == .stop }
    let provenance = buffer.provenance
    let source = provenance.source == .sampled ? "sampled from" : "pairs of"
    let sampling = provenance.sampling.map {
      ", temperature \($0.temperature), at most \($0.maximumNewTokens) tokens, seed \($0.seed)"
        + ($0.isUnfiltered ? "" : ", filtered")
    }
    return """
      \(source) \(provenance.origin), step \(provenance.step)\(sampling ?? "")
      \(buffer.groups.count) prompts, \(responses.count) responses, \(tokens) tokens, \(stopped) \
      ended by themselves

      """
  }

  /// One prompt with its responses.
  func text(_ index: Int) -> String {
    let group = buffer.groups[index]
    let judge = group.judge.map { ", judged by \($0)" } ?? ""
    var lines = ["[\(index)] \(group.id), \(group.promptTokens.count) prompt tokens\(judge)"]
    lines += group.prompt.map { "\($0.role): \(indented($0.content))" }
    for (number, response) in group.responses.enumerated() {
      lines += ["", "  (\(number)) \(indented(response.text))"]
    }
    var tables = [summary(of: group)]
    if let table = group.preferenceLogits, table.count > 1 { tables.append(preferences(table)) }
    if withTokens { tables += group.responses.indices.map { tokenTable(group, $0) } }
    return lines.joined(separator: "\n") + "\n\n" + tables.map(\.text).joined(separator: "\n")
  }

  private func indented(_ text: String) -> String { text.replacing("\n", with: "\n      ") }

  /// The numbers of each response; columns that no response has are left out.
  private func summary(of group: RolloutGroup) -> TextTable {
    let means = group.responses.count > 1 ? group.opponentMeans(includingSelf: false) : nil
    let columns: [(name: String, cell: (Int, Rollout) -> String?)] = [
      ("response", { number, _ in "\(number)" }),
      ("tokens", { _, response in "\(response.tokens.count)" }),
      ("end", { _, response in response.finishReason.rawValue }),
      ("score", { _, response in response.score.map { number(Double($0)) } }),
      ("log-odds", { index, _ in means.map { number($0[index]) } }),
      ("log-prob", { _, response in response.logprob.map(number) }),
      ("KL", { _, response in response.divergence.map(number) }),
      (
        "KL/token",
        { _, response in
          response.divergence.map { number($0 / Double(max(1, response.tokens.count))) }
        }
      ),
      ("reward", { _, response in response.sum(\.tokenRewards).map(number) }),
      ("mean value", { _, response in response.mean(\.values).map(number) }),
      ("mean advantage", { _, response in response.mean(\.advantages).map(number) }),
    ]
    let filled = columns.filter { column in
      group.responses.enumerated().contains { column.cell($0.offset, $0.element) != nil }
    }
    return TextTable(
      columns: filled.map(\.name),
      rows: group.responses.enumerated().map { index, response in
        filled.map { $0.cell(index, response) ?? "–" }
      })
  }

  private func preferences(_ table: [[Double]]) -> TextTable {
    TextTable(
      title: "log-odds that the row is preferred to the column",
      columns: [""] + table.indices.map { "\($0)" },
      rows: table.enumerated().map { index, row in ["\(index)"] + row.map(number) })
  }

  private func tokenTable(_ group: RolloutGroup, _ index: Int) -> TextTable {
    let response = group.responses[index]
    let fields: [(name: String, values: [Float])] = [
      ("log-prob", response.behaviourLogprobs), ("KL", response.tokenDivergences),
      ("reward", response.tokenRewards), ("value", response.values),
      ("advantage", response.advantages), ("return", response.returns),
    ].filter { !$0.values.isEmpty }
    return TextTable(
      title: "tokens of response \(index)", columns: ["", "id"] + fields.map(\.name),
      rows: response.tokens.indices.map { place in
        ["\(place)", "\(response.tokens[place])"]
          + fields.map { number(Double($0.values[place])) }
      })
  }

  /// One prompt as a JSON object; what is not filled is left out.
  func json(_ index: Int) -> JSONValue {
    let group = buffer.groups[index]
    let means = group.responses.count > 1 ? group.opponentMeans(includingSelf: false) : nil
    var fields: [JSONField] = [
      JSONField(key: "prompt_index", value: .integer(index)),
      JSONField(key: "id", value: .string(group.id)),
      JSONField(key: "origin", value: .string(buffer.provenance.origin)),
      JSONField(key: "step", value: .integer(buffer.provenance.step)),
      JSONField(
        key: "prompt",
        value: .array(
          group.prompt.map { .fields(["role": .string($0.role), "content": .string($0.content)]) })),
    ]
    if let judge = group.judge { fields.append(JSONField(key: "judge", value: .string(judge))) }
    fields.append(
      JSONField(
        key: "responses",
        value: .array(
          group.responses.enumerated().map { number, response in
            json(response, meanLogOdds: means?[number])
          })))
    if let table = group.preferenceLogits {
      fields.append(
        JSONField(
          key: "preference_logits", value: .array(table.map { .array($0.map { .number($0) }) })))
    }
    return .object(fields)
  }

  private func json(_ response: Rollout, meanLogOdds: Double?) -> JSONValue {
    var fields: [JSONField] = [
      JSONField(key: "text", value: .string(response.text)),
      JSONField(key: "length", value: .integer(response.tokens.count)),
      JSONField(key: "finish_reason", value: .string(response.finishReason.rawValue)),
    ]
    if let score = response.score { fields.append(JSONField(key: "score", value: .float(score))) }
    for (key, value) in [
      ("mean_log_odds", meanLogOdds), ("logprob", response.logprob), ("kl", response.divergence),
      ("reward", response.sum(\.tokenRewards)), ("mean_value", response.mean(\.values)),
      ("mean_advantage", response.mean(\.advantages)),
    ] {
      if let value { fields.append(JSONField(key: key, value: .number(value))) }
    }
    if withTokens {
      fields.append(JSONField(key: "tokens", value: .ids(response.tokens)))
      for (key, values) in [
        ("token_logprobs", response.behaviourLogprobs), ("token_kl", response.tokenDivergences),
        ("token_rewards", response.tokenRewards), ("token_values", response.values),
        ("token_advantages", response.advantages), ("token_returns", response.returns),
      ] where !values.isEmpty { fields.append(JSONField(key: key, value: .floats(values))) }
    }
    return .object(fields)
  }
}

extension Rollout {
  /// Sum of a per-token field; nil where it is not filled.
  fileprivate func sum(_ path: KeyPath<Rollout, [Float]>) -> Double? {
    let values = self[keyPath: path]
    return values.isEmpty ? nil : values.reduce(0) { $0 + Double($1) }
  }

  fileprivate func mean(_ path: KeyPath<Rollout, [Float]>) -> Double? {
    sum(path).map { $0 / Double(self[keyPath: path].count) }
  }

  /// Log-probability under the policy that sampled, nats.
  fileprivate var logprob: Double? { sum(\.behaviourLogprobs) }

  /// `log π - log π_ref` of each token, nats; empty where one side is not filled.
  fileprivate var tokenDivergences: [Float] {
    behaviourLogprobs.count == referenceLogprobs.count
      ? zip(behaviourLogprobs, referenceLogprobs).map { $0 - $1 } : []
  }

  /// Sum of the log-ratios to the reference, nats (k1).
  fileprivate var divergence: Double? {
    let tokens = tokenDivergences
    return tokens.isEmpty ? nil : tokens.reduce(0) { $0 + Double($1) }
  }
}

/// Three decimals.
private func number(_ value: Double) -> String { NumberText.fixed(value, 3) }
