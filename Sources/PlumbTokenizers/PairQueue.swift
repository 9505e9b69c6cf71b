/// Pairs of tokens, the most frequent first; of equally frequent ones, the smaller ids first.
struct PairQueue {
  /// A pair with its count at the time of queueing, and the words it occurs in.
  struct Entry {
    var count: Int
    var key: UInt64
    var pair: Int
    var words: [Int32]

    func precedes(_ other: Entry) -> Bool {
      count != other.count ? count > other.count : key < other.key
    }
  }

  private var entries: [Entry] = []

  mutating func push(_ entry: Entry) {
    entries.append(entry)
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].precedes(entries[parent]) else { break }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> Entry? {
    guard let last = entries.popLast() else { return nil }
    guard let first = entries.first else { return last }
    entries[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      if child >= entries.count { return first }
      if child + 1 < entries.count, entries[child + 1].precedes(entries[child]) { child += 1 }
      guard entries[child].precedes(entries[parent]) else { return first }
      entries.swapAt(child, parent)
      parent = child
    }
  }
}
