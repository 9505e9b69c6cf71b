import Foundation

/// What the training of a policy cost: time and tokens of the steps that made it.
struct PolicyCosts {
  /// The policy as the recipe names it.
  let name: String
  /// Steps.
  let steps: Int
  /// Tokens that the stage worked on, sampling and every pass counted; nil where it does not tell.
  let tokens: Int?
  /// Seconds of wall-clock time; differs from run to run, so it enters no figure.
  let seconds: Double

  /// Reads what a stage of this run left in `timings.jsonl`; nil for a path and for a stage without
  /// steps.
  ///
  /// A step that was done again after a kill counts once: the last time.
  init?(_ context: StageContext, _ name: String) throws {
    var last: [Int: [String: Double]] = [:]
    for line in try context.timings(of: name) { last[line.step] = line.values }
    guard !last.isEmpty else { return nil }
    self.name = name
    steps = last.count
    seconds = last.values.reduce(0) { $0 + ($1["seconds"] ?? 0) }
    // The log has the rate, which is tokens over seconds; the product is the whole number again.
    let counts = last.values.compactMap { step in
      step["tokens_per_second"].map { Int(($0 * max(step["seconds"] ?? 0, 1e-9)).rounded()) }
    }
    tokens = counts.count == last.count ? counts.reduce(0, +) : nil
  }

  /// The tokens, which every run of the recipe has in common.
  var figure: Figure? {
    tokens.map {
      Figure("\(name)/training_tokens", Double($0), unit: "tokens", sampleSize: steps)
    }
  }

  /// The costs of all policies that have some; nil where none has.
  static func table(_ costs: [PolicyCosts]) -> TextTable? {
    guard !costs.isEmpty else { return nil }
    return TextTable(
      title: "What training cost on this machine",
      columns: ["policy", "steps", "tokens", "time", "tokens/s"],
      rows: costs.map { cost in
        [
          cost.name, NumberText.grouped(cost.steps),
          cost.tokens.map { NumberText.grouped($0) } ?? "–", NumberText.duration(cost.seconds),
          cost.tokens.map { NumberText.short(Double($0) / max(cost.seconds, 1e-9)) } ?? "–",
        ]
      })
  }
}
