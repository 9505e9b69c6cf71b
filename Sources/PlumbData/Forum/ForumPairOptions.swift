public import FoundationEssentials

/// Which pairs are made from forum dumps, and where they go.
public struct ForumPairOptions: Codable, Hashable, Sendable {
  /// How the files are compressed.
  public enum Compression: String, Codable, CaseIterable, Sendable {
    case zst, gz, none

    /// What the names of files end with.
    var fileExtension: String { self == .none ? "jsonl" : "jsonl.\(rawValue)" }
  }

  /// Which of two answers is the better one.
  public var rule = VoteRule()
  /// The most pairs taken from one question; all if nil.
  public var maximumPairsPerPost: Int?
  /// Answers of one question that are compared; of more, those whose ids hash lowest.
  public var maximumAnswersPerPost = 256
  /// The longest question in characters (Unicode scalars); any length if nil.
  public var maximumPromptCharacters: Int?
  /// The longest answer in characters (Unicode scalars); any length if nil.
  public var maximumResponseCharacters: Int?
  /// The shortest answer in characters (Unicode scalars).
  public var minimumResponseCharacters = 1
  /// Keep questions whose words were all seen before in the same order.
  public var keepsDuplicates = false
  /// Words in a row that make an overlap with a test set.
  public var decontaminationWords = 13
  /// The share of questions that go to `validation`, 0 for none.
  public var validationFraction = 0.1
  /// The share of questions that go to `test`, 0 for none.
  public var testFraction = 0.1
  /// Decides the parts, and which pairs are taken where there are more than the maximum.
  public var seed: UInt64 = 0
  /// Sites whose pairs go to `held-out` and nowhere else.
  public var heldOutSites: Set<String> = []
  /// Leave out submissions for adults (Reddit).
  public var skipsAdult = false
  /// Bytes that a row of a dump may have.
  public var maximumRowByteCount = 8 << 20
  /// How the files are compressed.
  public var compression = Compression.zst

  /// WorldPM's rule, all pairs, without limits; 80 % for training.
  public init() {}

  /// The division by prompt; throws ``DataError`` for fractions that make no sense.
  func split() throws -> Split {
    let train = 1 - validationFraction - testFraction
    var parts = [Split.Part("train", train)]
    if validationFraction != 0 { parts.append(.init("validation", validationFraction)) }
    if testFraction != 0 { parts.append(.init("test", testFraction)) }
    return try Split(parts, seed: seed)
  }
}

/// One file of a forum.
public struct ForumInput: Codable, Hashable, Sendable {
  /// What a file holds.
  public enum Format: String, Codable, CaseIterable, Sendable {
    /// Stack Exchange's `Posts.xml`.
    case stackExchange = "stackexchange"
    /// Reddit's submissions and comments, a JSON object a line.
    case reddit
    /// Threads that are already whole, as ``ForumThread`` reads them.
    case threads
  }

  /// The file, plain, gzip or zstd.
  public let url: URL
  /// The site of a `Posts.xml`; others name their site in each row.
  public let site: String
  /// What the file holds.
  public let format: Format

  /// A file; site and format are found out where they are nil.
  ///
  /// The site is the name of the folder if the file is called `Posts.xml`, else of the file, without
  /// `.stackexchange.com`. The format shows in the first bytes. Throws ``DataError`` for a file that
  /// is none of the three, `CheckpointError` for one that cannot be read.
  public init(_ url: URL, site: String? = nil, format: Format? = nil) throws {
    self.url = url
    self.format = try format ?? Self.format(of: url)
    self.site = site ?? Self.site(of: url)
  }

  private static func site(of url: URL) -> String {
    let file = url.lastPathComponent
    var name = String(file.prefix { $0 != "." })
    if name == "Posts" {
      name = url.absoluteURL.deletingLastPathComponent().lastPathComponent
    } else {
      // `beer.stackexchange.com-Posts.xml`, as an archive may be named.
      name = file
      for ending in [".zst", ".gz", ".xml", "-Posts"] where name.hasSuffix(ending) {
        name.removeLast(ending.count)
      }
    }
    let host = ".stackexchange.com"
    if name.hasSuffix(host) { name.removeLast(host.count) }
    return name.isEmpty || name == "/" ? "forum" : name
  }
}
