import Foundation

/// What a policy cost: time, tokens, optimizer steps and judged responses of the steps that made it.
struct PolicyCosts {
  /// The policy as the report names it.
  let name: String
  /// Steps; 0 where nothing was trained.
  let steps: Int
  /// Response tokens that the stage sampled; nil for a stage that samples none.
  let sampled: Int?
  /// Tokens that it trained on, one that two passes read counted twice: response tokens on-line, all tokens of
  /// the files off-line; nil where it does not tell.
  let trained: Int?
  /// Optimizer steps; nil where a step of the stage is one.
  let optimizerSteps: Int?
  /// Responses that its judge was asked about; nil for a stage without a judge.
  let judged: Int?
  /// Responses that a held-out judge was asked about while the stage ran, which taught it nothing; nil
  /// where none watched.
  let watched: Int?
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
    let read = counts.count == last.count ? counts.reduce(0, +) : nil
    let metrics = try context.metrics(of: name)
    func sum(_ metric: String) -> Int? {
      let values = metrics.compactMap { $0.values[metric] }
      return values.isEmpty ? nil : Int(values.reduce(0, +))
    }
    sampled = sum("sample/tokens")
    trained = sampled == nil ? read : sum("train/tokens")
    optimizerSteps = sum("optimizer_steps")
    judged = sum("judge/responses")
    watched = sum("held_out/responses")
  }

  /// A contestant that trains nothing and chooses each of its answers among n.
  init(_ contestant: BestOfPolicy, answers: Int) {
    name = contestant.title
    steps = 0
    (sampled, trained, optimizerSteps) = (nil, nil, nil)
    judged = answers * contestant.n
    watched = nil
    seconds = nil
  }

  /// What every run of the recipe has in common.
  var figures: [Figure] {
    [
      ("sampled_tokens", sampled, "tokens"), ("training_tokens", trained, "tokens"),
      ("optimizer_steps", optimizerSteps, "steps"), ("judged_responses", judged, "responses"),
      ("watched_responses", watched, "responses"),
    ].compactMap { figure, count, unit in
      count.map { Figure("\(name)/\(figure)", Double($0), unit: unit, sampleSize: steps) }
    }
  }

  /// The costs of all policies that have some; nil where none has.
  static func table(_ costs: [PolicyCosts]) -> TextTable? {
    guard !costs.isEmpty else { return nil }
    return TextTable(
      title: "What each policy cost on this machine",
      columns: [
        "policy", "rounds or steps", "judged responses", "by the held-out judge", "sampled tokens",
        "optimizer steps", "tokens trained on", "time",
      ],
      rows: costs.map(\.cells))
  }

  private var cells: [String] {
    func text(_ count: Int?) -> String { count.map { NumberText.grouped($0) } ?? "–" }
    return [
      name, steps > 0 ? NumberText.grouped(steps) : "–", text(judged), text(watched), text(sampled),
      text(optimizerSteps), text(trained), seconds.map { NumberText.duration($0) } ?? "–",
    ]
  }
}
