import ArgumentParser
import PlumbCheckpoints
import PlumbModels
import PlumbTensors
import PlumbTokenizers

/// Prints the log-probabilities that a language model gives to tokens.
struct LogprobsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logprobs",
    abstract: "Print the log-probabilities of tokens under a language model.",
    discussion: """
      A row is one of
        {"tokens": [5, 1, 3]}           log-probs of the second token to the last
        {"text": "Once upon a time"}    the same, without any template
        {"prompt": …, "response": …}    of the response and the end of its turn
      and its answer {"logprobs": […], "sum": …}, natural logarithms. A prompt may be a text (one \
      turn of the user) or a list of messages with role and content; "messages" is another name \
      for it.

        echo '{"tokens": [5, 1, 3]}' | plumb logprobs --model DIR
        plumb logprobs --model runs/quickstart/stages/sft --input rows.jsonl.zst
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var adapter: AdapterOptions
  @OptionGroup var input: InputOptions
  @OptionGroup var threads: ThreadOptions

  /// A sequence, and where the part begins whose log-probs are asked for.
  private struct Request {
    let tokens: [Int32]
    let start: Int
  }

  func run() throws {
    threads.configure()
    let language = try LanguageModel(path: model.model, options: adapter)
    try RowPipeline(input: input.input, budget: 4096, work: \.tokens.count) { row in
      try request(row, language)
    } answer: { batch in
      try answers(batch, language)
    }.run()
  }

  private func request(_ row: Row, _ language: LanguageModel) throws -> Request {
    let configuration = language.model.configuration
    let request: Request
    if row.has("tokens") {
      request = Request(
        tokens: try row.tokens("tokens", vocabularySize: configuration.vocabularySize), start: 1)
    } else if row.has("text") {
      request = Request(
        tokens: try language.texts.encoder(for: row).continuation(of: try row.text("text")),
        start: 1)
    } else if row.has("prompt") || row.has("messages"), row.has("response") {
      let encoder = try language.texts.encoder(for: row)
      let turns = try row.prompt()
      let prompt = encoder.prompt(turns).map(Int32.init)
      let response = encoder.response(try row.answer("response", to: turns)).map(Int32.init)
      request = Request(tokens: prompt + response, start: prompt.count)
    } else {
      throw row.unknownForm(
        expected: "\"tokens\", \"text\", or \"prompt\" and \"response\"")
    }
    try row.check(request.tokens, fit: configuration)
    return request
  }

  private func answers(_ batch: [Request], _ language: LanguageModel) throws -> [JSONValue] {
    var rows: [Int] = []
    var targets: [Int32] = []
    var offset = 0
    for request in batch {
      rows += (request.start..<request.tokens.count).map { offset + $0 - 1 }
      targets += request.tokens[request.start...]
      offset += request.tokens.count
    }
    let logprobs =
      rows.isEmpty
      ? []
      : language.model.logprobs(
        tokens: batch.flatMap(\.tokens), layout: PackedLayout(lengths: batch.map(\.tokens.count)),
        rows: rows, targets: targets
      ).logprobs.scalars
    guard logprobs.allSatisfy(\.isFinite) else {
      throw CommandFailure(
        "\(model.model): expected finite log-probabilities, found NaN or infinity")
    }
    var rest = logprobs[...]
    return batch.map { request in
      let own = Array(rest.prefix(request.tokens.count - request.start))
      rest = rest.dropFirst(own.count)
      return .fields([
        "logprobs": .floats(own), "sum": .number(own.reduce(0) { $0 + Double($1) }),
      ])
    }
  }
}
