import ArgumentParser
import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbRecipes

/// Makes preference pairs from the votes of forums.
struct DataPairsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pairs",
    abstract: "Make preference pairs from the votes in forum dumps.",
    discussion: """
      Reads Stack Exchange's Posts.xml, Reddit's RS_* (submissions) and RC_* (comments), and \
      threads as JSON lines, each plain, gzip or zstd, of any size in bounded memory. Two answers \
      to one question with different votes make a pair. A site is named by its folder or file; \
      NAME=FILE names it otherwise. Give a month's RS_ and RC_ files together.

        plumb data pairs beer.stackexchange.com/Posts.xml --output pairs/beer
        plumb data pairs RS_2012-01.zst RC_2012-01.zst --output pairs --rule shp
        plumb data pairs ai/Posts.xml law/Posts.xml --output pairs/both \\
          --hold-out-site law --decontaminate rm_bench=test.jsonl.gz

      Writes train, validation, test and held-out pairs and report.json into the folder. HTML \
      becomes Markdown, code is kept. Malformed rows are counted, never fatal. A run that was \
      killed continues when the same command is given again, and ends in the same bytes. What \
      each count of the report means: Documentation/ForumDumps.md.
      """)

  @Argument(
    help: ArgumentHelp("Dumps; SITE=FILE names the site of a Posts.xml.", valueName: "file"),
    completion: .file())
  var inputs: [String]

  @Option(
    help: ArgumentHelp(
      "The folder for the pairs; new, empty, or with unfinished work.",
      valueName: "dir"),
    completion: .directory)
  var output: String

  @Option(
    help: ArgumentHelp(
      "worldpm: more net votes win, acceptance counts one. shp: more votes win, and only if the better answer is the later one."
    ))
  var rule = Rule.worldpm

  @Option(help: ArgumentHelp("Votes by which the better answer must lead.", valueName: "votes"))
  var minMargin = 0

  @Option(
    help: ArgumentHelp(
      "How many times the other's votes the better answer must have; votes below 1 count as 1.",
      valueName: "ratio"))
  var minScoreRatio: Double?

  @Option(
    help: ArgumentHelp(
      "What acceptance counts in votes (default: 1 for worldpm, 0 for shp).", valueName: "votes"))
  var acceptanceVotes: Int?

  @Option(
    help: ArgumentHelp(
      "The most pairs of one question, drawn by --seed (default: all; WorldPM draws 1).",
      valueName: "n"))
  var pairsPerPost: Int?

  @Option(
    help: ArgumentHelp("Answers of one question that are compared.", valueName: "n"))
  var answersPerPost = 256

  @Option(help: ArgumentHelp("Leave out longer questions.", valueName: "characters"))
  var maxPromptCharacters: Int?

  @Option(help: ArgumentHelp("Leave out longer answers.", valueName: "characters"))
  var maxResponseCharacters: Int?

  @Option(help: ArgumentHelp("Leave out shorter answers.", valueName: "characters"))
  var minResponseCharacters = 1

  @Flag(help: "Keep questions that repeat the words of an earlier one.")
  var keepDuplicates = false

  @Option(
    help: ArgumentHelp(
      "A test set whose texts must not be in the pairs: NAME=FILE or FILE; repeatable.",
      valueName: "file"))
  var decontaminate: [String] = []

  @Option(help: ArgumentHelp("Words in a row that count as overlap.", valueName: "n"))
  var decontaminationWords = 13

  @Option(help: ArgumentHelp("The share of questions for validation.", valueName: "share"))
  var validation = 0.1

  @Option(help: ArgumentHelp("The share of questions for test.", valueName: "share"))
  var test = 0.1

  @Option(
    help: ArgumentHelp(
      "A site whose pairs go to held-out only (Reddit: r/NAME); repeatable.", valueName: "site"))
  var holdOutSite: [String] = []

  @Flag(
    name: .customLong("skip-over-18"), help: "Leave out Reddit's submissions for adults.")
  var skipOver18 = false

  @Option(help: ArgumentHelp("Decides the division and which pairs are drawn.", valueName: "n"))
  var seed: UInt64 = 0

  @Option(help: "How the files are compressed.")
  var compression = Compression.zst

  @Option(help: ArgumentHelp("What the files are (default: found out).", valueName: "format"))
  var format: Format?

  @Flag(help: "Begin anew and replace what this command wrote to the folder before.")
  var overwrite = false

  @Flag(help: "Print the report as one JSON object.")
  var json = false

  /// The rules by the names of their papers.
  enum Rule: String, CaseIterable, ExpressibleByArgument {
    case worldpm, shp

    var kind: VoteRule.Kind { self == .worldpm ? .worldPM : .shp }
  }

  /// What the files end with.
  enum Compression: String, CaseIterable, ExpressibleByArgument {
    case zst, gz, none

    var value: ForumPairOptions.Compression {
      switch self {
      case .zst: .zst
      case .gz: .gz
      case .none: .none
      }
    }
  }

  /// What a dump may be.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case stackexchange, reddit, threads

    var value: ForumInput.Format {
      switch self {
      case .stackexchange: .stackExchange
      case .reddit: .reddit
      case .threads: .threads
      }
    }
  }

  func validate() throws {
    func require(_ holds: Bool, _ name: String, _ expected: String, _ found: Any) throws {
      if !holds { throw ValidationError("--\(name): expected \(expected), found \(found)") }
    }
    try require(!output.isEmpty, "output", "a folder", "''")
    try require(minMargin >= 0, "min-margin", "0 or more", minMargin)
    if let ratio = minScoreRatio {
      try require(ratio >= 1 && ratio.isFinite, "min-score-ratio", "1 or more", ratio)
    }
    if let votes = acceptanceVotes {
      try require((0...1000).contains(votes), "acceptance-votes", "0 to 1000", votes)
    }
    if let pairs = pairsPerPost { try require(pairs >= 1, "pairs-per-post", "1 or more", pairs) }
    try require(
      (2...4096).contains(answersPerPost), "answers-per-post", "2 to 4096", answersPerPost)
    if let limit = maxPromptCharacters {
      try require(limit >= 1, "max-prompt-characters", "1 or more", limit)
    }
    if let limit = maxResponseCharacters {
      try require(
        limit >= minResponseCharacters, "max-response-characters",
        "no less than --min-response-characters (\(minResponseCharacters))", limit)
    }
    try require(
      minResponseCharacters >= 1, "min-response-characters", "1 or more", minResponseCharacters)
    try require(
      (1...1000).contains(decontaminationWords), "decontamination-words", "1 to 1000",
      decontaminationWords)
    for (name, share) in [("validation", validation), ("test", test)] {
      try require(share >= 0 && share < 1, name, "a share from 0 to below 1", share)
    }
    try require(validation + test < 1, "validation", "less than 1 with --test", validation + test)
  }

  func run() throws {
    Interruption.install()
    var progress = PairsProgress()
    let job = try ForumPairsJob(
      try inputs.map(input), to: URL(filePath: output, directoryHint: .isDirectory),
      options: options, testSets: decontaminate.map(Self.named), overwrite: overwrite
    ) { now in
      progress.show(now)
      return !Interruption.isRequested
    }
    if job.isContinued { StandardError.write("continuing the unfinished work in \(output)\n") }
    let report: ForumPairsReport
    do {
      report = try job.run()
    } catch is ForumPairsJob.Interrupted {
      progress.finish()
      throw CommandFailure(
        "interrupted; the same command continues", exitCode: Interruption.exitCode)
    } catch {
      progress.finish()
      throw error
    }
    progress.finish()
    try StandardOutput().write((json ? report.json.serialized() : report.table) + "\n")
  }

  private func input(_ argument: String) throws -> ForumInput {
    let (name, url) = Self.split(argument)
    return try ForumInput(url, site: name, format: format?.value)
  }

  private static func named(_ argument: String) -> (name: String, url: URL) {
    let (name, url) = split(argument)
    return (name ?? String(url.lastPathComponent.prefix { $0 != "." }), url)
  }

  /// `NAME=FILE`, or a file alone; a name has no slash.
  private static func split(_ argument: String) -> (name: String?, url: URL) {
    if let mark = argument.firstIndex(of: "="), mark != argument.startIndex,
      !argument[..<mark].contains("/")
    {
      let file = String(argument[argument.index(after: mark)...])
      return (String(argument[..<mark]), URL(filePath: file))
    }
    return (nil, URL(filePath: argument))
  }

  private var options: ForumPairOptions {
    var options = ForumPairOptions()
    options.rule = VoteRule(rule.kind)
    options.rule.minimumMargin = minMargin
    options.rule.minimumRatio = minScoreRatio
    if let acceptanceVotes { options.rule.acceptanceVotes = acceptanceVotes }
    options.maximumPairsPerPost = pairsPerPost
    options.maximumAnswersPerPost = answersPerPost
    options.maximumPromptCharacters = maxPromptCharacters
    options.maximumResponseCharacters = maxResponseCharacters
    options.minimumResponseCharacters = minResponseCharacters
    options.keepsDuplicates = keepDuplicates
    options.decontaminationWords = decontaminationWords
    options.validationFraction = validation
    options.testFraction = test
    options.heldOutSites = Set(holdOutSite)
    options.skipsAdult = skipOver18
    options.seed = seed
    options.compression = compression.value
    return options
  }
}
