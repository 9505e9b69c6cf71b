import ArgumentParser
import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbEvaluation
import PlumbRecipes

/// Measures how cyclic the preferences of a file are.
struct DataCyclesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cycles",
    abstract: "Measure how cyclic preferences are: strict cycles, and what no order explains.",
    discussion: """
      Reads one of
        preference pairs, in any of the common schemas; answers to one prompt are compared
        verdicts of a tournament: {"question_id": …, "comparisons": [{"first", "second", "winner"}]},
          or {"message_id": …, "first": …, "second": …, "winner": 0, 1 or 2}
        tables of a model, as 'plumb score' prints them: {"preference_logits": [[…]]}

      Counts strict 3-cycles of net verdicts within prompts, and splits the table of log-odds into \
      the part that ratings explain, what circulates around triangles (curl) and around longer holes \
      (harmonic): HodgeRank, energies weighted by the number of comparisons. Systems of a tournament \
      have one table over all prompts; other files have a table for each prompt, added up. Intervals \
      draw prompts. The null is a Bradley-Terry model with ties and, in a tournament, a first-place \
      term, fitted and simulated: what an order and noise alone would show.

        plumb data cycles examples/data/tournament-vicuna80.jsonl.zst
        plumb data cycles pairs.jsonl --json
        plumb score --model DIR < lists.jsonl > tables.jsonl; plumb data cycles tables.jsonl
      """)

  @Argument(help: ArgumentHelp("The file.", valueName: "file"), completion: .file())
  var file: String

  @Option(help: ArgumentHelp("Simulations of the null; 0 for none.", valueName: "n"))
  var draws = 200

  @Option(help: ArgumentHelp("Resamples of the bootstrap.", valueName: "n"))
  var resamples = 500

  @Option(help: ArgumentHelp("Seed of simulations and bootstrap.", valueName: "n"))
  var seed: UInt64 = 0

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if !(0...1_000_000).contains(draws) {
      throw ValidationError("--draws: expected a number from 0 to 1000000, found \(draws)")
    }
    if !(1...1_000_000).contains(resamples) {
      throw ValidationError("--resamples: expected a number from 1 to 1000000, found \(resamples)")
    }
  }

  func run() throws {
    let found = try measure()
    if found.hasNullWithoutWidth {
      StandardError.write(
        "the null has zero width: every simulation shows the same cyclic share, as can be with one "
          + "verdict a pair; its interval and p-value say nothing about the energy\n")
    }
    guard json else {
      try StandardOutput().write(found.table(title: file).text)
      if found.promptsWithLoops == 0 {
        StandardError.write(
          "no prompt has three answers that were all compared, or a longer loop: cycles cannot be "
            + "seen in this file\n")
      }
      return
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    try StandardOutput().write(
      String(decoding: try encoder.encode(found), as: UTF8.self) + "\n")
  }

  private func measure() throws -> Cyclicity {
    let url = URL(filePath: file)
    if let tables = try JudgeTables.read(url) {
      return Cyclicity(tables: tables, resamples: resamples, seed: seed)
    }
    let isTournament = try Tournament.isTournament(url)
    let graphs =
      isTournament
      ? PreferenceGraph.graphs(of: try Tournament(contentsOf: url)).filter {
        !$0.comparisons.isEmpty
      }
      : PreferenceGraph.graphs(of: try DataFile.preferencePairs(url).rows)
    return Cyclicity(
      graphs, pooled: isTournament,
      null: draws == 0
        ? nil
        : DavidsonModel(
          fitting: graphs, sharesRatings: isTournament, localPenalty: isTournament ? .infinity : 1,
          // A pair has a chosen and a rejected response, but no first one.
          fitsPlace: isTournament),
      draws: draws, resamples: resamples, seed: seed)
  }
}

/// Tables of log-odds, one a line.
enum JudgeTables {
  static let key = "preference_logits"

  /// The tables; nil where the first row has none.
  static func read(_ url: URL) throws -> [[[Double]]]? {
    var reader = try RowReader(url.path)
    var tables: [[[Double]]] = []
    while let row = try reader.next() {
      if tables.isEmpty, !row.has(key) { return nil }
      tables.append(try table(row))
    }
    return tables.isEmpty ? nil : tables
  }

  private static func table(_ row: Row) throws -> [[Double]] {
    let rows = row.json[key]?.array?.map { $0.array?.map(\.number) ?? [] } ?? []
    let table = rows.map { $0.compactMap(\.self) }
    guard table.count > 1, table.allSatisfy({ $0.count == table.count }) else {
      throw row.fault(
        "\"\(key)\"", expected: "a square table of numbers, at least two by two",
        found: "rows of \(rows.map(\.count))")
    }
    for i in table.indices {
      for j in table.indices where abs(table[i][j] + table[j][i]) > 1e-6 * (1 + abs(table[i][j])) {
        throw row.fault(
          "\"\(key)\"", expected: "an antisymmetric table",
          found: "\(table[i][j]) and \(table[j][i]) at (\(i), \(j))")
      }
    }
    return table
  }
}
