public import FoundationEssentials
import PlumbCheckpoints
import PlumbTokenizers

/// Systems whose answers to the same prompts were compared two by two.
public struct Tournament: Hashable, Sendable {
  /// One verdict.
  public struct Comparison: Hashable, Sendable {
    /// Index into `prompts`.
    public let prompt: Int
    /// Index into `systems` of the answer that the judge saw first.
    public let first: Int
    /// Index into `systems` of the answer that it saw second.
    public let second: Int
    /// 1 if the first won, 0 if the second did, one half for a tie.
    public let points: Double

    /// A verdict from its parts.
    public init(prompt: Int, first: Int, second: Int, points: Double) {
      self.prompt = prompt
      self.first = first
      self.second = second
      self.points = points
    }
  }

  /// What was asked.
  public struct Prompt: Hashable, Sendable {
    /// Unique in the file.
    public let id: String
    /// The kind of question; empty where the file names none.
    public let category: String
    /// The question; empty where the file leaves it out.
    public let text: String
    /// The answers by system; empty where the file leaves them out.
    public let answers: [String: String]

    /// A prompt from its parts.
    public init(
      id: String, category: String = "", text: String = "", answers: [String: String] = [:]
    ) {
      self.id = id
      self.category = category
      self.text = text
      self.answers = answers
    }
  }

  /// Names, sorted.
  public let systems: [String]
  /// In the order of the file.
  public let prompts: [Prompt]
  /// In the order of the file.
  public let comparisons: [Comparison]

  /// A tournament from its parts; traps on indices that are out of range.
  public init(systems: [String], prompts: [Prompt], comparisons: [Comparison]) {
    precondition(
      comparisons.allSatisfy {
        prompts.indices.contains($0.prompt) && systems.indices.contains($0.first)
          && systems.indices.contains($0.second) && $0.first != $0.second
      }, "Tournament: expected comparisons of two of the systems on one of the prompts")
    self.systems = systems
    self.prompts = prompts
    self.comparisons = comparisons
  }

  /// The categories of the prompts, sorted, without the empty one.
  public var categories: [String] {
    Set(prompts.map(\.category)).filter { !$0.isEmpty }.sorted()
  }

  /// Reads a file of rows `{question_id, category, prompt, answers, comparisons: [{first, second,
  /// winner}]}`, one a prompt, or `{message_id, first, second, winner}`, one a verdict.
  ///
  /// The winner is 1 for the first, 2 for the second, 0 for a tie.
  /// - Throws: `DataError` naming the line and the field.
  public init(contentsOf url: URL) throws {
    var reader = try RowReader(contentsOf: url)
    var builder = Builder(file: url.path)
    while let (line, row) = try reader.next() { try builder.add(row, line: line) }
    guard !builder.verdicts.isEmpty else {
      throw DataError(
        .noUsableRows, file: url.path, "there is no verdict in this file",
        expected: "rows with comparisons, or with first, second and winner", found: "none")
    }
    self = builder.tournament
  }

  /// Whether a row is one of a tournament's.
  static func isRow(_ row: JSONValue) -> Bool {
    row["comparisons"] != nil || (row["first"] != nil && row["winner"] != nil)
  }

  /// Whether the first row of a file is one of a tournament's; false for an empty file.
  public static func isTournament(_ url: URL) throws -> Bool {
    var reader = try RowReader(contentsOf: url)
    return try reader.next().map { isRow($0.value) } ?? false
  }

  private struct Builder {
    let file: String
    var prompts: [Prompt] = []
    var places: [String: Int] = [:]
    var verdicts: [(prompt: Int, first: String, second: String, points: Double)] = []

    mutating func add(_ row: JSONValue, line: Int) throws {
      guard Tournament.isRow(row) else {
        throw fault(
          line, "not a row of a tournament", "comparisons, or first, second and winner", row)
      }
      let id = ["question_id", "message_id", "id"].lazy.compactMap { key -> String? in
        row[key]?.string ?? row[key]?.integer.map(String.init)
      }.first
      guard let id else {
        throw fault(line, "a prompt without a name", "question_id, message_id or id", row)
      }
      let place: Int
      if let known = places[id] {
        place = known
      } else {
        var answers: [String: String] = [:]
        for field in row["answers"]?.object ?? [] {
          answers[field.key] = field.value.string ?? ""
        }
        place = prompts.count
        places[id] = place
        prompts.append(
          Prompt(
            id: id, category: row["category"]?.string ?? "", text: row["prompt"]?.string ?? "",
            answers: answers))
      }
      for verdict in row["comparisons"]?.array ?? [row] {
        guard let first = verdict["first"]?.string, let second = verdict["second"]?.string,
          first != second
        else { throw fault(line, "field 'first', 'second'", "two different names", verdict) }
        guard let winner = verdict["winner"]?.integer, (0...2).contains(winner) else {
          throw fault(line, "field 'winner'", "0, 1 or 2", verdict)
        }
        verdicts.append((place, first, second, winner == 0 ? 0.5 : winner == 1 ? 1 : 0))
      }
    }

    private func fault(
      _ line: Int, _ message: String, _ expected: String, _ found: JSONValue
    ) -> DataError {
      DataError(
        .unknownSchema, file: file, line: line, message, expected: expected,
        found: String(found.serialized().prefix(60)))
    }

    var tournament: Tournament {
      let systems = Set(verdicts.flatMap { [$0.first, $0.second] }).sorted()
      let index = Dictionary(uniqueKeysWithValues: systems.enumerated().map { ($1, $0) })
      return Tournament(
        systems: systems, prompts: prompts,
        comparisons: verdicts.map {
          Comparison(
            prompt: $0.prompt, first: index[$0.first] ?? 0, second: index[$0.second] ?? 0,
            points: $0.points)
        })
    }
  }
}

extension Tournament {
  /// The net verdicts as preference pairs of texts: for each prompt and two systems, both orders summed.
  ///
  /// Pairs without texts, with equal texts, or without a winner are left out; the margin is the
  /// difference of points.
  public func pairs(source: String) -> [PreferencePair] {
    var net: [Int: [[Int]: Double]] = [:]
    for comparison in comparisons {
      let (low, high) = (
        min(comparison.first, comparison.second), max(comparison.first, comparison.second)
      )
      let points = 2 * comparison.points - 1
      net[comparison.prompt, default: [:]][[low, high], default: 0] +=
        comparison.first == low ? points : -points
    }
    return prompts.indices.flatMap { index in
      (net[index] ?? [:]).sorted { $0.key.lexicographicallyPrecedes($1.key) }.compactMap {
        pair, points -> PreferencePair? in
        let prompt = prompts[index]
        let names = points > 0 ? pair : pair.reversed()
        guard points != 0, !prompt.text.isEmpty,
          let chosen = prompt.answers[systems[names[0]]],
          let rejected = prompt.answers[systems[names[1]]], chosen != rejected,
          !chosen.isEmpty, !rejected.isEmpty
        else { return nil }
        return PreferencePair(
          id: "\(prompt.id)-\(systems[names[0]])-\(systems[names[1]])", source: source,
          prompt: [Message(role: "user", content: prompt.text)], chosen: chosen,
          rejected: rejected, margin: abs(points))
      }
    }
  }
}
