import Foundation
import PlumbCheckpoints
import PlumbRollouts
import PlumbTokenizers

/// Responses of one round, for a person to read.
struct SampleTable: Codable, Equatable {
  /// One response; a line of `samples.jsonl`.
  struct Row: Codable, Equatable {
    let update: Int
    let id: String
    let prompt: String
    let response: String
    /// Of the training judge; absent where it gives preferences only.
    let score: Double?
    /// Mean log-odds against the other responses to the prompt; absent for one response.
    let meanLogOdds: Double?
    /// Nats, from the reference.
    let kl: Double?
    /// Tokens.
    let length: Int
    let finishReason: FinishReason

    enum CodingKeys: String, CodingKey {
      case update, id, prompt, response, score, kl, length
      case meanLogOdds = "mean_log_odds"
      case finishReason = "finish_reason"
    }
  }

  let update: Int
  let rows: [Row]

  /// All responses to the first prompts of a round.
  init(_ buffer: RolloutBuffer, update: Int, prompts: Int) {
    self.update = update
    rows = buffer.groups.prefix(prompts).flatMap { group in
      let prompt = group.prompt.map { "\($0.role): \($0.content)" }.joined(separator: "\n")
      let means = group.responses.count > 1 ? group.opponentMeans(includingSelf: false) : nil
      return group.responses.enumerated().map { number, response in
        Row(
          update: update, id: group.id, prompt: prompt, response: response.text,
          score: response.score.map(Double.init), meanLogOdds: means?[number], kl: response.kl,
          length: response.tokens.count, finishReason: response.finishReason)
      }
    }
  }

  /// One JSON object a line, keys sorted.
  func lines() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try rows.reduce(into: Data()) { $0 += try encoder.encode($1) + Data("\n".utf8) }
  }

  /// The table of the report.
  var textTable: TextTable {
    func cell(_ value: Double?) -> String { value.map { NumberText.fixed($0, 2) } ?? "–" }
    return TextTable(
      title: "Samples of update \(update)",
      columns: ["prompt", "response", "score", "log-odds", "KL (nats)", "tokens", "end"],
      rows: rows.map { row in
        [
          row.prompt, row.response, cell(row.score), cell(row.meanLogOdds), cell(row.kl),
          "\(row.length)", row.finishReason.rawValue,
        ]
      })
  }
}
