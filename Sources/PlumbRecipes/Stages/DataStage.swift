import Foundation
import PlumbData
import PlumbTokenizers

/// Settings of the preparation of data.
public struct DataConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "data"

  /// Files of forum threads, whose votes make pairs.
  public var forum: [String] = []
  /// Files of preference pairs.
  public var preferences: [String] = []
  /// Files of demonstrations.
  public var demonstrations: [String] = []
  /// The least difference in votes of a forum pair, beyond being different.
  public var minimumMargin = 0
  /// Forum pairs per thread; 0 for all.
  public var maxPairsPerThread = 10
  /// Sites of which no thread is split: all their pairs go to `forum.sites`, to test on new subjects.
  public var heldOutSites: [String] = []
  /// Forum questions and answers with more characters are left out; 0 for no limit.
  public var maxForumCharacters = 0
  /// Preferences and demonstrations whose prompt has more characters are left out; 0 for no limit.
  public var maxPromptCharacters = 0
  /// Preferences and demonstrations with an answer of more characters are left out; 0 for no limit.
  public var maxResponseCharacters = 0
  /// Prompts for policies have at most this many characters; 0 for no limit.
  public var maxPolicyPromptCharacters = 0
  /// The share of prompts that the optimisers' models train on.
  public var trainShare = 0.5
  /// The share kept for the held-out judge, which no optimiser sees.
  public var judgeShare = 0.3
  /// The share that decides when training was best.
  public var validationShare = 0.05
  /// The share that everything is measured on.
  public var testShare = 0.15

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    for (name, share) in [
      ("train_share", trainShare), ("judge_share", judgeShare),
      ("validation_share", validationShare), ("test_share", testShare),
    ] {
      try require(name, (0...1).contains(share), "a number from 0 to 1", share)
    }
    let sum = trainShare + judgeShare + validationShare + testShare
    try require("train_share", abs(sum - 1) < 1e-9, "shares that add up to 1", sum)
    try require(
      "preferences", !(forum + preferences + demonstrations).isEmpty, "at least one file", "none")
    for (name, limit) in [
      ("max_forum_characters", maxForumCharacters), ("max_prompt_characters", maxPromptCharacters),
      ("max_response_characters", maxResponseCharacters),
      ("max_policy_prompt_characters", maxPolicyPromptCharacters),
    ] { try require(name, limit >= 0, "an integer of at least 0", limit) }
    try require("minimum_margin", minimumMargin >= 0, "an integer of at least 0", minimumMargin)
    try require(
      "max_pairs_per_thread", maxPairsPerThread >= 0, "an integer of at least 0",
      maxPairsPerThread)
  }
}

/// Forum threads to vote pairs (WorldPM's rule, arXiv 2505.10527, 3.1.1); preference pairs and
/// demonstrations; everything split by prompt, so that no prompt is in two parts.
struct DataStage: Stage {
  let configuration: DataConfiguration

  static let parts = ["train", "judge", "validation", "test"]

  var inputs: [String] {
    configuration.forum + configuration.preferences + configuration.demonstrations
  }

  static var product: StageProduct { .noModel }

  func plan(_ context: PlanContext) throws -> StagePlan {
    var sizes: [String: Int] = [:]
    let split = try split(seed: context.recipe.seed)
    func count(_ name: String, _ rows: [some PromptRecord]) {
      for (part, rows) in split.divide(rows) {
        sizes["\(name).\(part).jsonl.zst", default: 0] += rows.count
      }
    }
    let found = try read { try context.artifact($0) }
    count("forum", found.forum)
    if !configuration.heldOutSites.isEmpty { sizes["forum.sites.jsonl.zst"] = found.sites.count }
    count("preferences", found.preferences)
    count("demonstrations", found.demonstrations)
    return StagePlan(
      "\(found.forum.count) forum pairs, \(found.preferences.count) preference pairs, "
        + "\(found.demonstrations.count) demonstrations, split by prompt", sizes: sizes, seconds: 5)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let found = try read { try context.artifact($0) }
    let split = try split(seed: context.seed)
    var figures: [Figure] = []
    var table = TextTable(
      title: "Data by part (split by prompt)", columns: ["set"] + Self.parts, rows: [])
    func write<Row: PromptRecord>(
      _ name: String, _ rows: [Row], to save: ([Row], URL) throws -> Void
    ) throws {
      let divided = split.divide(rows)
      for part in Self.parts {
        let rows = divided[part] ?? []
        try save(rows, context.directory.appending(path: "\(name).\(part).jsonl.zst"))
        figures.append(
          Figure("\(name)_\(part)", Double(rows.count), unit: "rows", sampleSize: rows.count))
      }
      table.rows.append([name] + Self.parts.map { "\(divided[$0]?.count ?? 0)" })
    }
    if !configuration.heldOutSites.isEmpty {
      try DataFile.write(
        found.sites, to: context.directory.appending(path: "forum.sites.jsonl.zst"))
      figures.append(
        Figure(
          "forum_sites", Double(found.sites.count), unit: "rows", sampleSize: found.sites.count))
      table.title += "; \(found.sites.count) forum pairs of held-out sites"
    }
    try write("forum", found.forum) { try DataFile.write($0, to: $1) }
    try write("preferences", found.preferences) { try DataFile.write($0, to: $1) }
    try write("demonstrations", found.demonstrations) { try DataFile.write($0, to: $1) }
    try write("prompts", prompts(found)) { try DataFile.write($0, to: $1) }
    for report in found.reports { context.note(report) }
    let details = found.reports.map {
      ReportBlock.details(
        summary: "What was read from \(URL(filePath: $0.file).lastPathComponent)",
        text: $0.table.replacing($0.file, with: URL(filePath: $0.file).lastPathComponent))
    }
    return StageResult(
      figures: figures, tables: [table],
      sections: [ReportSection("Data", [.table(table)] + details)])
  }

  /// Everything that was read.
  private struct Found {
    var forum: [PreferencePair] = []
    /// Forum pairs of the sites that are held out.
    var sites: [PreferencePair] = []
    var preferences: [PreferencePair] = []
    var demonstrations: [Demonstration] = []
    var reports: [DataReport] = []
  }

  private func read(_ locate: (String) throws -> URL) throws -> Found {
    func limit(_ count: Int) -> Int? { count > 0 ? count : nil }
    var read = ReadOptions()
    read.maximumPromptCharacters = limit(configuration.maxPromptCharacters)
    read.maximumResponseCharacters = limit(configuration.maxResponseCharacters)
    var votes = VotePairOptions()
    votes.minimumMargin = configuration.minimumMargin
    votes.maximumPairsPerThread = limit(configuration.maxPairsPerThread)
    votes.maximumPromptCharacters = limit(configuration.maxForumCharacters)
    votes.maximumResponseCharacters = limit(configuration.maxForumCharacters)
    var found = Found()
    for file in configuration.forum {
      let pairs = try DataFile.votePairs(locate(file), pairs: votes)
      found.forum += pairs.rows.filter { !configuration.heldOutSites.contains($0.source) }
      found.sites += pairs.rows.filter { configuration.heldOutSites.contains($0.source) }
      found.reports.append(pairs.report)
    }
    for site in configuration.heldOutSites where !found.sites.contains(where: { $0.source == site })
    {
      throw ConfigurationProblem(
        "held_out_sites", expected: "sites of the forum files that have pairs", found: site)
    }
    for file in configuration.preferences {
      let pairs = try DataFile.preferencePairs(locate(file), options: read)
      found.preferences += pairs.rows
      found.reports.append(pairs.report)
    }
    for file in configuration.demonstrations {
      let rows = try DataFile.demonstrations(locate(file), options: read)
      found.demonstrations += rows.rows
      found.reports.append(rows.report)
    }
    return found
  }

  /// The prompts that policies answer: those of the pairs and demonstrations, each once.
  private func prompts(_ found: Found) -> [PromptRow] {
    var seen: Set<String> = []
    let all =
      found.preferences.map { PromptRow(id: $0.id, source: $0.source, prompt: $0.prompt) }
      + found.demonstrations.map { PromptRow(id: $0.id, source: $0.source, prompt: $0.prompt) }
    let limit = configuration.maxPolicyPromptCharacters
    return all.filter { row in
      let characters = row.prompt.reduce(0) { $0 + $1.content.count }
      return (limit == 0 || characters <= limit) && seen.insert(row.promptKey).inserted
    }
  }

  private func split(seed: UInt64) throws -> Split {
    try Split(
      [
        .init("train", configuration.trainShare), .init("judge", configuration.judgeShare),
        .init("validation", configuration.validationShare), .init("test", configuration.testShare),
      ].filter { $0.fraction > 0 }, seed: seed)
  }
}
