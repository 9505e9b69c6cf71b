/// Tokens by id and by spelling, and the bytes they stand for.
struct Vocabulary: Sendable {
  private var spellings: ByteTable
  private var ids: [Int32] = []
  /// Entry in `spellings` by id; -1 where an id is not used.
  private var entries: [Int32] = []
  private var bytes: [[UInt8]] = []
  private var special: [Bool] = []

  /// Ids from here on would make a table of unreasonable size.
  static let idLimit = 1 << 24

  init(minimumCapacity: Int) {
    spellings = ByteTable(minimumCapacity: minimumCapacity)
  }

  /// The highest id plus one: what an embedding must hold.
  var size: Int { entries.count }
  /// The number of tokens, which is less than `size` if some ids are not used.
  var count: Int { ids.count }

  /// Adds a token.
  /// - Parameter isLiteral: its spelling is the text itself, as with added tokens.
  /// - Returns: a complaint (expected, found) if the id or the spelling is taken by another.
  mutating func add(
    _ spelling: String, id: Int, isLiteral: Bool, isSpecial: Bool
  ) -> (expected: String, found: String)? {
    guard (0..<Self.idLimit).contains(id) else {
      return ("an id in 0..<\(Self.idLimit)", "\(id) for \"\(spelling)\"")
    }
    if id < entries.count, entries[id] >= 0 {
      let other = self.spelling(of: id) ?? ""
      if !other.utf8.elementsEqual(spelling.utf8) {
        return ("ids used once", "\(id) for \"\(other)\" and for \"\(spelling)\"")
      }
      if !isLiteral { return ("tokens listed once", "\"\(spelling)\" twice") }
    } else {
      let (entry, isNew) = spellings.insert(spelling)
      guard isNew else {
        return ("tokens listed once", "\"\(spelling)\" with the ids \(ids[entry]) and \(id)")
      }
      ids.append(Int32(id))
      let missing = id + 1 - entries.count
      if missing > 0 {
        entries.append(contentsOf: repeatElement(-1, count: missing))
        bytes.append(contentsOf: repeatElement([], count: missing))
        special.append(contentsOf: repeatElement(false, count: missing))
      }
      entries[id] = Int32(entry)
    }
    let decoded = isLiteral ? nil : ByteAlphabet.decode(spelling)
    bytes[id] = decoded ?? Array(spelling.utf8)
    special[id] = isSpecial
    return nil
  }

  func id(of spelling: String) -> Int? {
    spellings.find(spelling).map { Int(ids[$0]) }
  }

  func spelling(of id: Int) -> String? {
    guard entries.indices.contains(id), entries[id] >= 0 else { return nil }
    return String(decoding: spellings[Int(entries[id])], as: UTF8.self)
  }

  /// The bytes that `id` stands for; nil where no token has this id.
  func bytes(of id: Int) -> [UInt8]? {
    entries.indices.contains(id) && entries[id] >= 0 ? bytes[id] : nil
  }

  func isSpecial(_ id: Int) -> Bool {
    special.indices.contains(id) && special[id]
  }

  /// The used ids, in order.
  var usedIDs: [Int] { entries.indices.filter { entries[$0] >= 0 } }
}
