import ArgumentParser
import PlumbCheckpoints
import PlumbModels
import PlumbRollouts
import PlumbTokenizers

/// Samples answers from a language model.
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Answer prompts with a language model.",
    discussion: """
      A row is one of
        {"prompt": "Why is the sky blue?"}  the user's turn, or a list of messages
        {"text": "Once upon a time"}        continued as it is, without any template
        {"tokens": [5, 1, 3]}               token ids, continued as they are
      and its answer {"text": …, "tokens": […]}: the new tokens, with the one that ended the \
      response, and their text without it. A folder without tokenizer gives tokens only. With \
      --samples, each row has that many answers, one a line.

      A response ends at the tokenizer's end of turn or end of text, at the model's own \
      end-of-sequence tokens, after --max-new-tokens, or where the context is full. In a folder \
      without tokenizer nothing says what ids mean, so only --stop-token ends it early.

      The same seed gives the same answers, whatever rows are computed together.

        echo '{"prompt": "Why is the sky blue?"}' | plumb generate --model DIR
        plumb generate --model DIR --temperature 0 --max-new-tokens 64 < rows.jsonl
        plumb generate --model DIR --input rows.jsonl.zst --samples 4 --top-p 0.95
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var adapter: AdapterOptions
  @OptionGroup var input: InputOptions

  @Option(help: ArgumentHelp("Longest response in tokens.", valueName: "n"))
  var maxNewTokens = 128

  @Option(
    help: ArgumentHelp("Divides the logits; 0 takes the most probable token.", valueName: "t"))
  var temperature: Float = 1

  @Option(help: ArgumentHelp("Seed of all draws.", valueName: "n"))
  var seed: UInt64 = 0

  @Option(help: ArgumentHelp("Draw from the k most probable tokens.", valueName: "k"))
  var topK: Int?

  @Option(
    help: ArgumentHelp(
      "Draw from the most probable tokens that together have probability p.", valueName: "p"))
  var topP: Float?

  @Option(
    help: ArgumentHelp(
      "Draw from tokens at least p times as probable as the most probable one.", valueName: "p"))
  var minP: Float?

  @Option(
    help: ArgumentHelp("Makes tokens seen before less likely; 1 is off.", valueName: "x"))
  var repetitionPenalty: Float = 1

  @Option(help: ArgumentHelp("Answers to each row.", valueName: "k"))
  var samples = 1

  @Option(
    name: .customLong("stop-token"),
    help: ArgumentHelp(
      "A further id that ends a response. May be given many times.", valueName: "id"))
  var stopTokens: [Int] = []

  @Flag(name: .customLong("ignore-eos"), help: "Go on after tokens that end a response.")
  var ignoresEnd = false

  @OptionGroup var threads: ThreadOptions

  private var options: SamplingOptions {
    SamplingOptions(
      temperature: temperature, topK: topK, topP: topP, minP: minP,
      repetitionPenalty: repetitionPenalty, maximumNewTokens: maxNewTokens, seed: seed)
  }

  func validate() throws {
    do {
      try options.validate()
    } catch {
      throw ValidationError("\(error)")
    }
    guard (1...10_000).contains(samples) else {
      throw ValidationError("--samples: expected a number from 1 to 10000, found \(samples)")
    }
    if let id = stopTokens.first(where: { $0 < 0 }) {
      throw ValidationError("--stop-token: expected a token id, found \(id)")
    }
  }

  func run() throws {
    threads.configure()
    let language = try LanguageModel(path: model.model, options: adapter)
    let engine = try SamplingEngine(
      model: language.model, stopTokens: ends(of: language), options: options)
    var firstRow = 0
    try RowPipeline(input: input.input, budget: 256, work: { _ in samples }) { row in
      try prompt(row, language)
    } answer: { batch in
      let responses = try engine.sample(prompts: batch, count: samples, firstRow: firstRow)
      firstRow += batch.count
      return responses.flatMap { $0 }.map { answer($0.tokens, language, engine.stopTokens) }
    }.run()
  }

  private func ends(of language: LanguageModel) -> Set<Int> {
    guard !ignoresEnd else { return [] }
    guard let encoder = language.texts.encoder else { return Set(stopTokens) }
    return encoder.stopTokens.union(language.model.configuration.eosTokenIDs).union(stopTokens)
  }

  private func prompt(_ row: Row, _ language: LanguageModel) throws -> [Int32] {
    let configuration = language.model.configuration
    let tokens: [Int32]
    if row.has("tokens") {
      tokens = try row.tokens("tokens", vocabularySize: configuration.vocabularySize)
    } else if row.has("text") {
      tokens = try language.texts.encoder(for: row).continuation(of: try row.text("text"))
    } else if row.has("prompt") || row.has("messages") {
      let encoder = try language.texts.encoder(for: row)
      tokens = encoder.prompt(try row.prompt()).map(Int32.init)
    } else {
      throw row.unknownForm(expected: "\"prompt\", \"text\" or \"tokens\"")
    }
    let limit = configuration.maximumPositions
    guard tokens.count < limit else {
      throw row.fault(
        "the prompt leaves no room for a response",
        expected: "at most \(limit - 1) tokens (the model's context is \(limit))",
        found: "\(tokens.count)")
    }
    try row.check(tokens, fit: configuration)
    return tokens
  }

  private func answer(
    _ tokens: [Int32], _ language: LanguageModel, _ ends: Set<Int>
  ) -> JSONValue {
    guard let tokenizer = language.texts.encoder?.tokenizer else {
      return .fields(["tokens": .ids(tokens)])
    }
    let text = tokenizer.decode(tokens.map(Int.init).prefix { !ends.contains($0) }.map { $0 })
    return .fields(["text": .string(text), "tokens": .ids(tokens)])
  }
}
