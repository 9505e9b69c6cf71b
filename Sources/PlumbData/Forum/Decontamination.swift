import FoundationEssentials
import PlumbCheckpoints
import PlumbTokenizers

/// Test sets whose texts must not be trained on, as hashes of their word n-grams.
///
/// A text is contaminated if it shares `wordCount` words in a row with a test set (GPT-3's rule with
/// 13 words; arXiv 2005.14165, appendix C), or, where the test set's text is shorter, if it is the
/// same text; of that kind, texts below ``minimumWordCount`` words ("yes") prove nothing. Words are
/// compared without case and punctuation.
struct Decontamination {
  /// A test set.
  struct TestSet {
    let name: String
    /// Texts that were read.
    var texts = 0
    /// Hashes of runs of words, and of whole texts that have fewer.
    var runs: Set<UInt64> = []
    var short: Set<UInt64> = []
  }

  /// Words that a whole text must have to be told from a common phrase.
  static let minimumWordCount = 4
  /// Words in a row that make an overlap.
  let wordCount: Int
  private(set) var sets: [TestSet] = []
  /// Which hashes may be in a set at all: most are ruled out by one look at a small table.
  private var filter = [UInt64](repeating: 0, count: 1 << 17)

  /// Hashes that all sets together may have; one takes about 20 bytes.
  static let maximumHashCount = 6_000_000

  /// Reads the test sets; throws what their reader throws, and ``DataError`` for too many words.
  init(_ files: [(name: String, url: URL)], wordCount: Int) throws {
    self.wordCount = wordCount
    var total = 0
    for (name, url) in files {
      var set = TestSet(name: name)
      var reader = try RowReader(contentsOf: url)
      while let (_, row) = try reader.next() {
        Self.texts(row) { text in
          set.texts += 1
          let words = Self.words(Array(text.utf8))
          if words.count < wordCount {
            if words.count >= Self.minimumWordCount { set.short.insert(Self.whole(words)) }
          } else {
            Self.runs(words, wordCount) { set.runs.insert($0) }
          }
        }
        guard total + set.runs.count + set.short.count <= Self.maximumHashCount else {
          throw DataError(
            .invalidSetting, file: url.path, "the test sets are too large to hold",
            expected: "at most \(Self.maximumHashCount) runs of \(wordCount) words", found: "more")
        }
      }
      guard set.texts > 0 else {
        throw DataError(.noUsableRows, file: url.path, "there is no text in this test set")
      }
      total += set.runs.count + set.short.count
      for hash in set.runs { mark(hash) }
      for hash in set.short { mark(hash) }
      sets.append(set)
    }
  }

  /// The first test set that `text` overlaps with, if any.
  func firstHit(_ text: [UInt8]) -> Int? {
    guard !sets.isEmpty else { return nil }
    let words = Self.words(text)
    var hit: Int?
    func look(_ hash: UInt64, _ isHit: (TestSet, UInt64) -> Bool) {
      guard hit == nil, filter[Int(hash >> 6) & 0x1ffff] & (1 << (hash & 63)) != 0 else { return }
      hit = sets.firstIndex { isHit($0, hash) }
    }
    look(Self.whole(words)) { $0.short.contains($1) }
    Self.runs(words, wordCount) { look($0) { $0.runs.contains($1) } }
    return hit
  }

  private mutating func mark(_ hash: UInt64) {
    filter[Int(hash >> 6) & 0x1ffff] |= 1 << (hash & 63)
  }

  private static func words(_ text: [UInt8]) -> [UInt64] {
    var words: [UInt64] = []
    words.reserveCapacity(text.count / 5)
    NormalisedWords.forEach(in: text) { words.append($0) }
    return words
  }

  private static func whole(_ words: [UInt64]) -> UInt64 {
    StableHash.mixed(words.reduce(UInt64(words.count)) { ($0 &* factor) &+ $1 })
  }

  private static let factor: UInt64 = 0x9e37_79b9_7f4a_7c15

  /// A polynomial hash of every run of `count` words, each found from the one before.
  private static func runs(_ words: [UInt64], _ count: Int, _ body: (UInt64) -> Void) {
    guard words.count >= count else { return }
    let leading = (0..<count).reduce(1 as UInt64) { power, _ in power &* factor }
    var hash: UInt64 = 0
    for (index, word) in words.enumerated() {
      hash = hash &* factor &+ word
      if index >= count { hash = hash &- leading &* words[index - count] }
      if index >= count - 1 { body(StableHash.mixed(hash)) }
    }
  }

  /// The texts of a row: what any schema calls prompt and answer; of an unknown one every string of
  /// four words or more.
  private static func texts(_ row: JSONValue, _ body: (String) -> Void) {
    let decoder = RowDecoder(file: "", source: "")
    guard let decoded = try? decoder.decode(row, line: 1).row else { return strings(row, body) }
    switch decoded {
    case .pair(let pair):
      pair.prompt.forEach { body($0.content) }
      body(pair.chosen)
      body(pair.rejected)
    case .unpaired(let row):
      row.prompt.forEach { body($0.content) }
      body(row.response)
    case .demonstration(let row): row.messages.forEach { body($0.content) }
    case .prompt(let row): row.prompt.forEach { body($0.content) }
    case .text(let row): body(row.text)
    case .thread(let thread):
      thread.prompt.forEach { body($0.content) }
      thread.answers.forEach { body($0.text) }
    case .dropped: strings(row, body)
    }
  }

  private static func strings(_ value: JSONValue, _ body: (String) -> Void) {
    switch value {
    case .string(let text):
      var count = 0
      NormalisedWords.forEach(in: Array(text.utf8)) { _ in count += 1 }
      if count >= minimumWordCount { body(text) }
    case .array(let values): for value in values { strings(value, body) }
    case .object(let fields): for field in fields { strings(field.value, body) }
    case .null, .bool, .integer, .number: break
    }
  }
}
