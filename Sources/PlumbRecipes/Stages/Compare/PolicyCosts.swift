import Foundation

/// What a policy cost: time, tokens and judged responses of the steps that made it.
struct PolicyCosts {
  /// The policy as the report names it.
  let name: String
  /// Steps; 0 where nothing was trained.
  let steps: Int
  /// Tokens that the stage worked on, sampling and every pass counted; nil where it does not tell.
  let tokens: Int?
  /// Responses that its judge was asked about; nil for a stage without a judge.
  let judged: Int?
  /// Seconds of wall-clock time; differs from run to run, so it enters no figure.
  let seconds: Double?

  /// Reads what a stage of this run left in `timings.jsonl` and `metrics.jsonl`; nil for a path and for
  /// a stage without steps.
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
    let asked = try context.metrics(of: name).compactMap { $0.values["judge/responses"] }
    judged = asked.isEmpty ? nil : Int(asked.reduce(0, +))
  }

  /// A contestant that trains nothing and chooses each of its answers among n.
  init(_ contestant: BestOfPolicy, answers: Int) {
    name = contestant.title
    steps = 0
    tokens = nil
    judged = answers * contestant.n
    seconds = nil
  }

  /// What every run of the recipe has in common.
  var figures: [Figure] {
    [
      tokens.map {
        Figure("\(name)/training_tokens", Double($0), unit: "tokens", sampleSize: steps)
      },
      judged.map {
        Figure("\(name)/judged_responses", Double($0), unit: "responses", sampleSize: steps)
      },
    ].compactMap { $0 }
  }

  /// The costs of all policies that have some; nil where none has.
  static func table(_ costs: [PolicyCosts]) -> TextTable? {
    guard !costs.isEmpty else { return nil }
    return TextTable(
      title: "What each policy cost on this machine",
      columns: ["policy", "steps", "judged responses", "tokens", "time", "tokens/s"],
      rows: costs.map(\.cells))
  }

  private var cells: [String] {
    let rate = tokens.flatMap { tokens in seconds.map { Double(tokens) / max($0, 1e-9) } }
    return [
      name, steps > 0 ? NumberText.grouped(steps) : "–",
      judged.map { NumberText.grouped($0) } ?? "–", tokens.map { NumberText.grouped($0) } ?? "–",
      seconds.map { NumberText.duration($0) } ?? "–", rate.map { NumberText.short($0) } ?? "–",
    ]
  }
}
