import ArgumentParser
import Foundation
import PlumbCheckpoints
import PlumbTokenizers

/// Turns text into token ids, or ids into text.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Turn texts into token ids, or ids into texts.",
    discussion: """
      Reads {"text": …} and writes {"ids": […]}; with --decode, reads {"ids": […]} and writes \
      {"text": …}. No template is applied and no token added. The ids are those of Hugging Face's \
      tokenizers.

        echo '{"text": "Hello"}' | plumb tokenize --tokenizer tokenizer.json
        plumb tokenize --tokenizer tokenizer.json --decode < ids.jsonl
      """)

  @Option(
    help: ArgumentHelp("A tokenizer.json, or a folder with one.", valueName: "file"),
    completion: .file())
  var tokenizer: String

  @OptionGroup var input: InputOptions

  @Flag(help: "Turn ids into text.")
  var decode = false

  @Flag(
    name: .customLong("no-special-tokens"),
    help:
      "Read <|endoftext|> and the like in a text as plain characters; leave them out of decoded text."
  )
  var ignoresSpecialTokens = false

  func run() throws {
    let tokenizer = try Tokenizer(contentsOf: URL(filePath: tokenizer))
    if decode {
      try RowPipeline(input: input.input, budget: 1 << 18, work: \.count) { row in
        try row.tokens(
          "ids", vocabularySize: tokenizer.vocabularySize, allowingNone: true)
      } answer: { batch in
        batch.map { ids in
          let text = tokenizer.decode(
            ids.map(Int.init), skippingSpecialTokens: ignoresSpecialTokens)
          return .fields(["text": .string(text)])
        }
      }.run()
    } else {
      try RowPipeline(input: input.input, budget: 1 << 20, work: \.utf8.count) { row in
        try row.text("text")
      } answer: { batch in
        batch.map { text in
          let ids = tokenizer.encode(text, parsingSpecialTokens: !ignoresSpecialTokens)
          return .fields(["ids": .ids(ids)])
        }
      }.run()
    }
  }
}
