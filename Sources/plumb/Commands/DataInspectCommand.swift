import ArgumentParser
import Foundation
import PlumbData
import PlumbTokenizers

/// Reports what a data file holds.
struct DataInspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Report the rows of a data file: schemas, what is dropped and why, lengths.",
    discussion: """
      Recognises preference pairs, demonstrations, labelled answers, prompts, texts and forum \
      threads by their keys, from the first usable row. A row that fits no schema is an error that \
      names its line.

        plumb data inspect examples/data/preferences.jsonl.zst
        plumb data inspect pairs.jsonl --tokenizer examples/models/plumb-5m --json
      """)

  @Argument(help: ArgumentHelp("The data file.", valueName: "file"), completion: .file())
  var file: String

  @Option(
    help: ArgumentHelp(
      "A folder with a tokenizer, to give lengths in tokens too.", valueName: "dir"),
    completion: .directory)
  var tokenizer: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    var options = ReadOptions()
    if let tokenizer {
      options.encoder = try ConversationEncoder.load(
        from: URL(filePath: tokenizer, directoryHint: .isDirectory))
    }
    let report = try DataFile.inspect(URL(filePath: file), options: options)
    guard json else { return try StandardOutput().write(report.table + "\n") }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try StandardOutput().write(String(decoding: try encoder.encode(report), as: UTF8.self) + "\n")
  }
}
