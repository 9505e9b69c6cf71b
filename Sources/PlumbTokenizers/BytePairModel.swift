/// One merge rule: two adjacent tokens become one.
///
/// Its rank is its place in the list.
struct Merge: Hashable, Sendable {
  var left: Int32
  var right: Int32
  var result: Int32
}

/// The merge rules of a byte-level BPE model, and the loop that applies them to a pre-token.
struct BytePairModel: Sendable {
  /// Memory that `encode` uses again for each pre-token.
  struct Scratch {
    var symbols: [Int32] = []
    var ranks: [UInt32] = []
    var next: [Int32] = []
    var previous: [Int32] = []
    var heap = MinimumHeap()
  }

  /// Up to this many bytes, a scan for the lowest rank beats a heap.
  private static let longestScan = 64
  private static let unmergeable = UInt32.max

  /// Ids of the single bytes; -1 where the vocabulary has none.
  let byteIDs: [Int32]
  /// Stands for bytes without a token; nil: they are dropped, as Hugging Face tokenizers does.
  let unknownID: Int32?
  let fusesUnknown: Bool
  let merges: [Merge]
  /// Pair of ids to index in `merges`; of equal pairs, the last counts.
  private let ranks: PairTable

  init(byteIDs: [Int32], unknownID: Int32?, fusesUnknown: Bool, merges: [Merge]) {
    self.byteIDs = byteIDs
    self.unknownID = unknownID
    self.fusesUnknown = fusesUnknown
    self.merges = merges
    var ranks = PairTable(minimumCapacity: merges.count)
    for (rank, merge) in merges.enumerated() {
      ranks.update(PairTable.key(merge.left, merge.right), rank)
    }
    self.ranks = ranks
  }

  /// Whether merging ordinary bytes can end in `id`.
  func canEmit(_ id: Int) -> Bool {
    let isUnknown = unknownID.map(Int.init) == id && byteIDs.contains(-1)
    return isUnknown || byteIDs.contains(Int32(id)) || merges.contains { Int($0.result) == id }
  }

  /// Appends the ids of the pre-token `bytes`: the merge of lowest rank first, of equal ranks the
  /// leftmost, until none applies (Sennrich 2016).
  func encode(
    _ bytes: UnsafeBufferPointer<UInt8>, into ids: inout [Int32], scratch: inout Scratch
  ) {
    scratch.symbols.removeAll(keepingCapacity: true)
    for byte in bytes {
      let id = byteIDs[Int(byte)]
      if id >= 0 {
        scratch.symbols.append(id)
      } else if let unknownID, !(fusesUnknown && scratch.symbols.last == unknownID) {
        scratch.symbols.append(unknownID)
      }
    }
    if scratch.symbols.count <= Self.longestScan {
      mergeByScan(&scratch)
      ids.append(contentsOf: scratch.symbols)
    } else {
      mergeByHeap(&scratch, into: &ids)
    }
  }

  @inline(__always)
  private func rank(_ left: Int32, _ right: Int32) -> UInt32 {
    ranks[PairTable.key(left, right)].map(UInt32.init) ?? Self.unmergeable
  }

  private func mergeByScan(_ scratch: inout Scratch) {
    guard scratch.symbols.count > 1 else { return }
    scratch.ranks.removeAll(keepingCapacity: true)
    for index in 1..<scratch.symbols.count {
      scratch.ranks.append(rank(scratch.symbols[index - 1], scratch.symbols[index]))
    }
    while true {
      var best = Self.unmergeable
      var place = 0
      for index in scratch.ranks.indices where scratch.ranks[index] < best {
        best = scratch.ranks[index]
        place = index
      }
      if best == Self.unmergeable { return }
      scratch.symbols[place] = merges[Int(best)].result
      scratch.symbols.remove(at: place + 1)
      scratch.ranks.remove(at: place)
      if place > 0 {
        scratch.ranks[place - 1] = rank(scratch.symbols[place - 1], scratch.symbols[place])
      }
      if place < scratch.ranks.count {
        scratch.ranks[place] = rank(scratch.symbols[place], scratch.symbols[place + 1])
      }
    }
  }

  /// The same in O(n log n): symbols in a linked list, pairs in a heap of (rank, place).
  private func mergeByHeap(_ scratch: inout Scratch, into ids: inout [Int32]) {
    let count = scratch.symbols.count
    scratch.next = Array(1...Int32(count))
    scratch.previous = Array(-1..<Int32(count - 1))
    scratch.ranks = [UInt32](repeating: Self.unmergeable, count: count)
    scratch.heap.removeAll()
    for place in 0..<count - 1 { rankPair(at: place, &scratch) }
    while let entry = scratch.heap.pop() {
      let rank = UInt32(entry >> 32)
      let place = Int(UInt32(truncatingIfNeeded: entry))
      // A pair that has changed since was pushed again with its new rank.
      guard scratch.ranks[place] == rank else { continue }
      let right = Int(scratch.next[place])
      scratch.symbols[place] = merges[Int(rank)].result
      scratch.ranks[right] = Self.unmergeable
      let after = Int(scratch.next[right])
      scratch.next[place] = Int32(after)
      if after < count { scratch.previous[after] = Int32(place) }
      rankPair(at: place, &scratch)
      if scratch.previous[place] >= 0 { rankPair(at: Int(scratch.previous[place]), &scratch) }
    }
    var place = 0
    while place < count {
      ids.append(scratch.symbols[place])
      place = Int(scratch.next[place])
    }
  }

  private func rankPair(at place: Int, _ scratch: inout Scratch) {
    let right = Int(scratch.next[place])
    let rank =
      right < scratch.symbols.count
      ? rank(scratch.symbols[place], scratch.symbols[right]) : Self.unmergeable
    scratch.ranks[place] = rank
    if rank != Self.unmergeable { scratch.heap.push(UInt64(rank) << 32 | UInt64(place)) }
  }
}
