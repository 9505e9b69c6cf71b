import Foundation
public import PlumbData
import PlumbTensors
import PlumbTokenizers

/// What the three suites of preference tests are made from; see `PreferenceSuite`.
public struct SuiteConfiguration: ConfigurationSection {
  /// Files of good answers to make worse, held out from training.
  ///
  /// Preference pairs, whose chosen answer is taken, or demonstrations.
  public var goodAnswers: [String] = []
  /// The ways in which good answers are made worse.
  public var corruptions = Corruption.allCases
  /// Files of right and wrong answers in several styles, in RM-Bench's form.
  public var styleGrids: [String] = []
  /// The domains of the style grids to take; none takes all.
  public var styleGridDomains: [String] = []
  /// Files of worked solutions, in GSM8K's form, to be made wrong.
  public var solutions: [String] = []
  /// Files of questions that list their options.
  public var options: [String] = []
  /// Files of pairs by votes; one task a file.
  public var votes: [String] = []
  /// Files of pairs by people's preferences; one task a source.
  public var preferences: [String] = []
  /// Sources of `preferences` to leave out, such as those that were not judged by people.
  public var exceptSources: [String] = []
  /// Tests in each task (style grids: prompts); the same ones whatever the order of the files.
  public var maxRowsPerTask = 300
  /// Good answers with more characters are left out, so that what was made worse is not cut away.
  public var maxAnswerCharacters = 600

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("good_answers", !files.isEmpty, "at least one file for one suite", "none")
    try requireCount("max_rows_per_task", maxRowsPerTask)
    try requireCount("max_answer_characters", maxAnswerCharacters)
    try require(
      "corruptions", Set(corruptions).count == corruptions.count, "different names",
      corruptions.map(\.rawValue).joined(separator: ", "))
  }

  /// Every file that is read.
  var files: [String] { goodAnswers + styleGrids + solutions + options + votes + preferences }
}

/// Makes the tests of all suites from their files.
///
/// What is drawn is keyed by the seed and the text of a row, so that a row gives the same test
/// wherever it stands.
struct SuiteBuilder {
  let configuration: SuiteConfiguration
  let seed: UInt64
  let artifact: (String) throws -> URL

  func pairs() throws -> [SuitePair] {
    try corrupted() + grids() + solutions() + options() + votes() + preferences()
  }

  /// Rows in an order that depends on their keys only.
  private func drawn<Row>(_ rows: [Row], for task: String, key: (Row) -> String) -> [Row] {
    let seed = StableHash.of(task, seed: seed)
    return rows.enumerated().map { (StableHash.of(key($0.element), seed: seed), $0.offset) }
      .sorted { $0 < $1 }.map { rows[$0.1] }
  }

  private func random(_ task: String, _ key: String) -> RandomStream {
    RandomStream(seed: StableHash.of(key, seed: seed), purpose: task)
  }

  private func corrupted() throws -> [SuitePair] {
    var seen: Set<String> = []
    var rows: [Demonstration] = []
    for file in configuration.goodAnswers {
      for row in try DataFile.demonstrations(artifact(file)).rows
      where row.response.count <= configuration.maxAnswerCharacters
        && seen.insert(row.promptKey + "\n" + row.response).inserted
      {
        rows.append(row)
      }
    }
    return configuration.corruptions.flatMap { corruption -> [SuitePair] in
      let task = corruption.rawValue
      let order = drawn(rows, for: task) { $0.promptKey + "\n" + $0.response }
      var found: [SuitePair] = []
      for (place, row) in order.enumerated() where found.count < configuration.maxRowsPerTask {
        var random = random(task, row.promptKey + "\n" + row.response)
        let worse = corruption.worse(
          than: row.response, other: other(than: row, after: place, in: order), random: &random)
        guard let worse else { continue }
        found.append(
          SuitePair(
            suite: .adversarial, task: task,
            pair: PreferencePair(
              id: "\(row.id)/\(task)", source: row.source, prompt: row.prompt,
              chosen: row.response, rejected: worse)))
      }
      return found
    }
  }

  /// Of the next answers to other prompts, the one of the most similar length: length alone must not
  /// give it away.
  private func other(
    than row: Demonstration, after place: Int, in order: [Demonstration]
  ) -> String? {
    let length = row.response.count
    var best: String?
    var candidates = 0
    for distance in 1..<max(2, order.count) where candidates < 16 {
      let candidate = order[(place + distance) % order.count]
      guard candidate.promptKey != row.promptKey else { continue }
      candidates += 1
      let difference = abs(candidate.response.count - length)
      if difference < best.map({ abs($0.count - length) }) ?? .max { best = candidate.response }
    }
    return best
  }

  private func grids() throws -> [SuitePair] {
    let grids = try configuration.styleGrids.flatMap {
      try SuiteFile.styleGrids(artifact($0))
    }.filter {
      configuration.styleGridDomains.isEmpty || configuration.styleGridDomains.contains($0.domain)
    }
    return drawn(grids, for: "style") { $0.prompt + $0.chosen.joined() }
      .prefix(configuration.maxRowsPerTask).flatMap { grid in
        grid.pairs(task: "style").map {
          SuitePair(suite: .adversarial, task: $0.task, pair: $0.pair)
        }
      }
  }

  private func solutions() throws -> [SuitePair] {
    try configuration.solutions.flatMap { file -> [SuitePair] in
      let solutions = try SuiteFile.solutions(artifact(file))
      return WorkedSolution.Error.allCases.flatMap { error -> [SuitePair] in
        let task = "\(Self.stem(file))-\(error.rawValue)"
        var found: [SuitePair] = []
        for solution in drawn(solutions, for: task, key: \.question)
        where found.count < configuration.maxRowsPerTask {
          var random = random(task, solution.question)
          guard let right = solution.text, let wrong = solution.wrong(error, random: &random)?.text
          else { continue }
          found.append(
            test(.objective, task, solution.id, solution.question, right, wrong))
        }
        return found
      }
    }
  }

  private func options() throws -> [SuitePair] {
    let questions = try configuration.options.flatMap { try SuiteFile.options(artifact($0)) }
    let bySource = Dictionary(grouping: questions, by: \.source)
    return bySource.sorted { $0.key < $1.key }.flatMap { source, questions in
      let task = "options-" + source.replacing("flan_cot_", with: "")
      return drawn(questions, for: task, key: \.question)
        .prefix(configuration.maxRowsPerTask).map { question in
          var random = random(task, question.question)
          let pair = question.pair(random: &random)
          return test(
            .objective, task, question.id, question.question, pair.right, pair.wrong)
        }
    }
  }

  private func votes() throws -> [SuitePair] {
    try configuration.votes.flatMap { file in
      limited(try DataFile.preferencePairs(artifact(file)).rows, task: Self.stem(file))
    }
  }

  private func preferences() throws -> [SuitePair] {
    let rows = try configuration.preferences.flatMap {
      try DataFile.preferencePairs(artifact($0)).rows
    }.filter { !configuration.exceptSources.contains($0.source) }
    return Dictionary(grouping: rows, by: \.source).sorted { $0.key < $1.key }
      .flatMap { limited($0.value, task: $0.key) }
  }

  private func limited(_ rows: [PreferencePair], task: String) -> [SuitePair] {
    drawn(rows, for: task) { $0.id + $0.promptKey + $0.chosen + $0.rejected }
      .prefix(configuration.maxRowsPerTask)
      .map { SuitePair(suite: .subjective, task: task, pair: $0) }
  }

  private func test(
    _ suite: PreferenceSuite, _ task: String, _ id: String, _ question: String, _ right: String,
    _ wrong: String
  ) -> SuitePair {
    SuitePair(
      suite: suite, task: task,
      pair: PreferencePair(
        id: "\(id)/\(task)", source: task, prompt: [Message(role: "user", content: question)],
        chosen: right, rejected: wrong))
  }

  /// `forum.test` of `data/forum.test.jsonl.zst`.
  private static func stem(_ file: String) -> String {
    var name = String(file.split(separator: "/").last ?? "")
    for ending in [".zst", ".gz", ".jsonl", ".json"] where name.hasSuffix(ending) {
      name.removeLast(ending.count)
    }
    return name
  }
}
