import FoundationEssentials

/// What was found in one file.
public struct ForumInputReport: Codable, Hashable, Sendable {
  /// A row that could not be read.
  public struct Example: Codable, Hashable, Sendable {
    /// The place of its first byte in the content, after decompression.
    public let offset: Int
    /// What is wrong with it.
    public let fault: String
  }

  /// The file.
  public let file: String
  /// The site, for files that hold one.
  public let site: String?
  /// What the file holds.
  public let format: ForumInput.Format
  /// Bytes that were read, after decompression.
  public internal(set) var bytes = 0
  /// What was counted.
  public internal(set) var counts = ForumCounts()
  /// The first malformed rows.
  public internal(set) var examples: [Example] = []
  /// What the reader should know, such as that the dump is cut.
  public internal(set) var notes: [String] = []

  init(_ input: ForumInput) {
    file = input.url.path
    site = input.format == .stackExchange ? input.site : nil
    format = input.format
  }

  mutating func addFault(at offset: Int, _ fault: String) {
    counts[.malformed] += 1
    if examples.count < 5 { examples.append(Example(offset: offset, fault: fault)) }
  }
}
