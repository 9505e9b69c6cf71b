public import FoundationEssentials
import PlumbCheckpoints
public import PlumbTokenizers

/// What to keep of a file and what to report about it.
public struct ReadOptions: Sendable {
  /// Gives lengths in tokens too.
  public var encoder: ConversationEncoder?
  /// The longest prompt in characters (Unicode scalars); longer rows are dropped and counted.
  public var maximumPromptCharacters: Int?
  /// The longest answer in characters (Unicode scalars); longer rows are dropped and counted.
  public var maximumResponseCharacters: Int?
  /// The key under which a row says who chose; see ``PreferencePair/group``.
  public var groupField = "group"
  /// Reading stops after this many rows of the file.
  public var maximumRows: Int?

  /// Keeps everything and measures characters.
  public init() {}
}

/// Readers of data files: `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, or a list in a `.json` file.
///
/// The schema of every row is recognised by its keys. A row that is no JSON, or fits no schema,
/// throws ``DataError`` with the line; a row without usable content is dropped and counted; a file
/// without a usable row throws. Rows that hold more than is asked for are converted: pairs are
/// read as demonstrations (the chosen answer) or as prompts, and so on.
public enum DataFile {
  /// Pairs of a chosen and a rejected answer.
  public static func preferencePairs(
    _ url: URL, options: ReadOptions = ReadOptions()
  ) throws -> (rows: [PreferencePair], report: DataReport) {
    try read(url, options, as: "preference pairs") { row in
      guard case .pair(let pair) = row else { return .failure(.noPreference) }
      return .success([pair])
    }
  }

  /// Conversations that end with an answer.
  public static func demonstrations(
    _ url: URL, options: ReadOptions = ReadOptions()
  ) throws -> (rows: [Demonstration], report: DataReport) {
    try read(url, options, as: "demonstrations") { row in
      switch row {
      case .demonstration(let row): return .success([row])
      case .pair(let pair):
        let answer = Message(role: "assistant", content: pair.chosen)
        return .success([
          Demonstration(id: pair.id, source: pair.source, messages: pair.prompt + [answer])
        ])
      case .unpaired(let row) where row.label:
        let answer = Message(role: "assistant", content: row.response)
        return .success([
          Demonstration(id: row.id, source: row.source, messages: row.prompt + [answer])
        ])
      default: return .failure(.noAnswer)
      }
    }
  }

  /// Answers with a verdict; a pair gives two.
  public static func unpairedRows(
    _ url: URL, options: ReadOptions = ReadOptions()
  ) throws -> (rows: [UnpairedRow], report: DataReport) {
    try read(url, options, as: "unpaired rows") { row in
      switch row {
      case .unpaired(let row): return .success([row])
      case .pair(let pair):
        return .success(
          [(pair.chosen, true), (pair.rejected, false)].map { response, label in
            UnpairedRow(
              id: "\(pair.id)-\(label ? "chosen" : "rejected")", source: pair.source,
              prompt: pair.prompt, response: response, label: label)
          })
      default: return .failure(.noLabel)
      }
    }
  }

  /// Prompts, whatever comes after them in the file; the answer of a demonstration is kept as the
  /// known one.
  public static func prompts(
    _ url: URL, options: ReadOptions = ReadOptions()
  ) throws -> (rows: [PromptRow], report: DataReport) {
    try read(url, options, as: "prompts") { row in
      switch row {
      case .prompt(let row): .success([row])
      case .pair(let row): .success([PromptRow(id: row.id, source: row.source, prompt: row.prompt)])
      case .unpaired(let row):
        .success([PromptRow(id: row.id, source: row.source, prompt: row.prompt)])
      case .demonstration(let row):
        .success([
          PromptRow(id: row.id, source: row.source, prompt: row.prompt, answer: row.response)
        ])
      case .thread(let row):
        .success([PromptRow(id: row.id, source: row.site, prompt: row.prompt)])
      case .text, .dropped: .failure(.emptyPrompt)
      }
    }
  }

  /// Text to learn a language from: running text, conversations, or whole threads.
  public static func texts(
    _ url: URL, options: ReadOptions = ReadOptions()
  ) throws -> (rows: [TextRow], report: DataReport) {
    try read(url, options, as: "texts") { row in
      switch row {
      case .text(let row): .success([row])
      case .demonstration(let row):
        .success([TextRow(id: row.id, source: row.source, content: .messages(row.messages))])
      case .prompt(let row):
        .success([TextRow(id: row.id, source: row.source, content: .messages(row.prompt))])
      case .thread(let row):
        .success([TextRow(id: row.id, source: row.site, content: .text(row.text))])
      case .pair, .unpaired, .dropped: .failure(.noText)
      }
    }
  }

  /// Forum threads as they stand in the file.
  public static func forumThreads(
    _ url: URL, options: ReadOptions = ReadOptions()
  ) throws -> (rows: [ForumThread], report: DataReport) {
    try read(url, options, as: "forum threads") { row in
      guard case .thread(let thread) = row else { return .failure(.noThread) }
      return .success([thread])
    }
  }

  /// The vote pairs of a file of forum threads; see ``ForumThread/votePairs(_:)``.
  public static func votePairs(
    _ url: URL, pairs: VotePairOptions = VotePairOptions(), options: ReadOptions = ReadOptions()
  ) throws -> (rows: [PreferencePair], report: DataReport) {
    try read(url, options, as: "vote pairs") { row in
      guard case .thread(let thread) = row else { return .failure(.noThread) }
      let made = thread.votePairs(pairs)
      return made.isEmpty ? .failure(.noPair) : .success(made)
    }
  }

  /// A report about a file, read as what its first usable row is.
  ///
  /// Conversations with running text among the first thousand rows are read as texts.
  public static func inspect(
    _ url: URL, options: ReadOptions = ReadOptions()
  ) throws -> DataReport {
    var reader = try RowReader(contentsOf: url)
    let decoder = RowDecoder(url)
    var first: DataRow?
    var seen = 0
    while first == nil || seen < 1000, let (line, value) = try reader.next() {
      seen += 1
      let row = try decoder.decode(value, line: line).row
      if case .dropped = row { continue }
      if case .text = row {
        first = row
        break
      }
      first = first ?? row
    }
    switch first {
    case .pair: return try preferencePairs(url, options: options).report
    case .unpaired: return try unpairedRows(url, options: options).report
    case .demonstration: return try demonstrations(url, options: options).report
    case .prompt: return try prompts(url, options: options).report
    case .text: return try texts(url, options: options).report
    case .thread: return try forumThreads(url, options: options).report
    case .dropped, nil:
      throw DataError(.noUsableRows, file: url.path, "there is no usable row in this file")
    }
  }
}
