import ArgumentParser
import Foundation
import PlumbCheckpoints
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbRecipes
import PlumbTensors
import PlumbTokenizers

/// Counts and times what it costs to compare K responses with each kind of preference model.
struct ModelCostCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cost",
    abstract: "Show what comparing K responses costs with each kind of preference model.",
    discussion: """
      Puts the heads of a reward model, a general preference model and a pair model on the trunk of \
      the model, and makes the table of all pairs of K responses with each. Sequences and tokens are \
      counted where the trunk is called; seconds are wall-clock, the shortest of the repeats. Rewards \
      and embeddings need K sequences, a pair model K (K - 1) in both orders.

        plumb model cost --model examples/models/plumb-5m
        plumb model cost --model DIR --responses 2,8,32 --output cost.html --json
      """)

  @OptionGroup var model: ModelOptions

  @Option(help: ArgumentHelp("Numbers of responses.", valueName: "list"))
  var responses = "2,4,8,16,32,64"

  @Option(help: ArgumentHelp("Tokens of the prompt.", valueName: "n"))
  var promptTokens = 32

  @Option(help: ArgumentHelp("Tokens of each response.", valueName: "n"))
  var responseTokens = 48

  @Option(help: ArgumentHelp("Measurements of each, of which the shortest counts.", valueName: "n"))
  var repeats = 1

  @Option(
    help: ArgumentHelp("Write a page with table and drawing.", valueName: "file"),
    completion: .file(extensions: ["html"]))
  var output: String?

  @Flag(help: "Print one JSON object a line.")
  var json = false

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    _ = try counts()
    for (name, value, range) in [
      ("--prompt-tokens", promptTokens, 1...1_000_000),
      ("--response-tokens", responseTokens, 2...1_000_000), ("--repeats", repeats, 1...1000),
    ] where !range.contains(value) {
      throw ValidationError(
        "\(name): expected a number from \(range.lowerBound) to \(range.upperBound), found \(value)"
      )
    }
  }

  private func counts() throws -> [Int] {
    let counts = responses.split(separator: ",").map { Int($0) }
    guard !counts.isEmpty, counts.allSatisfy({ $0.map { (2...10_000).contains($0) } ?? false })
    else {
      throw ValidationError(
        "--responses: expected numbers from 2 to 10000 with commas, found '\(responses)'")
    }
    return counts.compactMap(\.self)
  }

  func run() throws {
    threads.configure()
    let folder = try openModel(model.model)
    let models = try models(folder)
    let limit = folder.configuration.maximumPositions
    let longest = promptTokens + 2 * responseTokens
    guard longest <= limit else {
      throw CommandFailure(
        "\(model.model): expected at most \(limit) tokens in a sequence, found \(longest): the prompt "
          + "and two responses")
    }
    var costs: [PreferenceCost] = []
    for count in try counts() {
      for model in models {
        let cost = try PreferenceCost(
          of: model, responses: count, promptTokens: promptTokens, responseTokens: responseTokens,
          repeats: repeats)
        costs.append(cost)
        if json { try StandardOutput().write(lines: [Self.line(cost)]) }
      }
    }
    let table = PreferenceCost.table(costs)
    if !json { try StandardOutput().write(table.text) }
    guard let output else { return }
    let report = Report(
      title: "What comparing K responses costs",
      sections: [
        ReportSection(
          "\(promptTokens) tokens of prompt, \(responseTokens) of each response",
          [.table(table), .charts(PreferenceCost.charts(costs))])
      ])
    try AtomicFile.write(Data(report.html.utf8), to: URL(filePath: output))
  }

  /// The three heads on one trunk; their weights do not matter here.
  private func models(_ folder: ModelFolder) throws -> [PreferenceModel] {
    let configuration = folder.configuration
    let end = try TextEncoder(path: model.model).encoder?.endOfText
    return [
      .reward(
        try RewardModel(configuration: configuration, head: .worldPM, endOfText: end, seed: 0)),
      .generalPreference(
        try GeneralPreferenceModel(
          configuration: configuration, options: .init(), endOfText: end, seed: 0)),
      .pair(
        try PairPreferenceModel(
          configuration: configuration, opening: [], endOfText: end, seed: 0)),
    ]
  }

  private static func line(_ cost: PreferenceCost) -> JSONValue {
    .fields([
      "model": .string(cost.kind.rawValue), "responses": .integer(cost.responses),
      "sequences": .integer(cost.passes.sequences), "tokens": .integer(cost.passes.tokens),
      "batches": .integer(cost.passes.batches), "seconds": .number(cost.seconds),
    ])
  }
}
