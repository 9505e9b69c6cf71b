/// Learns merge rules from counted pre-tokens: the most frequent pair first.
///
/// The same bookkeeping as the `BpeTrainer` of Hugging Face `tokenizers`, so that the same texts
/// give the same rules: of equally frequent pairs, the one with the smaller ids comes first; a pair
/// whose spelling is a token already merges into that token.
struct MergeTrainer {
  /// All pre-tokens end to end; word `w` has `lengths[w]` symbols from `starts[w]` on.
  private var symbols: [Int32] = []
  private var starts: [Int] = []
  private var lengths: [Int] = []
  private let wordCounts: [Int]

  /// Pair to number of the pair, in the order of their discovery.
  private var pairs = PairTable(minimumCapacity: 1 << 16)
  private var keys: [UInt64] = []
  private var pairCounts: [Int] = []
  /// Words in which each pair has newly appeared since it was last queued, in ascending order.
  private var newPlaces: [[Int32]] = []
  private var touched: [Int] = []
  private var queue = PairQueue()

  /// The tokens' bytes, by id less `firstID`.
  private var tokens: ByteTable
  private let firstID: Int
  private let reserved: ByteTable

  /// Starts with single bytes.
  ///
  /// - Parameters:
  ///   - counts: the pre-tokens.
  ///   - alphabet: all 256 bytes in the order of their ids.
  ///   - firstID: the id of the first of them.
  ///   - reserved: special tokens, which no merge may spell.
  init(_ counts: PreTokenCounts, alphabet: [UInt8], firstID: Int, reserved: [String]) {
    self.firstID = firstID
    wordCounts = counts.counts
    var tokens = ByteTable(minimumCapacity: 1 << 12)
    var ids = [Int32](repeating: 0, count: 256)
    for (index, byte) in alphabet.enumerated() {
      ids[Int(byte)] = Int32(firstID + index)
      _ = [byte].withUnsafeBufferPointer { tokens.insert($0) }
    }
    self.tokens = tokens
    var names = ByteTable()
    for name in reserved { _ = names.insert(name) }
    self.reserved = names
    symbols.reserveCapacity(counts.words.byteCount)
    for word in 0..<counts.words.count {
      starts.append(symbols.count)
      symbols.append(contentsOf: counts.words[word].lazy.map { ids[Int($0)] })
      lengths.append(symbols.count - starts[word])
    }
  }

  /// The number of tokens, with the special ones.
  var vocabularySize: Int { firstID + tokens.count }

  /// The bytes of the tokens from `firstID` on.
  var tokenBytes: [ArraySlice<UInt8>] { (0..<tokens.count).map { tokens[$0] } }

  /// Merges until there are `size` tokens, or no pair occurs `minimumCount` times.
  mutating func train(
    to size: Int, minimumCount: Int, progress: (Int) -> Void
  ) -> [Merge] {
    var merges: [Merge] = []
    countPairs()
    while vocabularySize < size, let top = queue.pop() {
      let count = pairCounts[top.pair]
      if count != top.count {
        queue.push(PairQueue.Entry(count: count, key: top.key, pair: top.pair, words: top.words))
        continue
      }
      if count < max(1, minimumCount) { break }
      let left = Int32(truncatingIfNeeded: top.key >> 32)
      let right = Int32(truncatingIfNeeded: top.key)
      guard let result = token(joining: left, right) else { continue }
      merges.append(Merge(left: left, right: right, result: result))
      for word in top.words { merge(left, right, into: result, inWord: Int(word)) }
      queueNewPairs()
      if merges.count % 256 == 0 { progress(vocabularySize) }
    }
    return merges
  }

  private mutating func countPairs() {
    for word in starts.indices where lengths[word] > 1 {
      for place in starts[word]..<starts[word] + lengths[word] - 1 {
        change(symbols[place], symbols[place + 1], by: 1, word: word)
      }
    }
    queueNewPairs()
  }

  /// The token that a pair becomes, nil if that would spell a special token.
  private mutating func token(joining left: Int32, _ right: Int32) -> Int32? {
    let bytes = Array(tokens[Int(left) - firstID] + tokens[Int(right) - firstID])
    return bytes.withUnsafeBufferPointer { bytes in
      if reserved.find(bytes) != nil { return nil }
      return Int32(firstID + tokens.insert(bytes).index)
    }
  }

  /// Counts an occurrence of a pair in `word`, or one less, as often as the word occurs.
  private mutating func change(_ left: Int32, _ right: Int32, by sign: Int, word: Int) {
    let key = PairTable.key(left, right)
    let pair = pairs.insert(key, keys.count)
    if pair == keys.count {
      keys.append(key)
      pairCounts.append(0)
      newPlaces.append([])
    }
    pairCounts[pair] += sign * wordCounts[word]
    guard sign > 0 else { return }
    if newPlaces[pair].isEmpty { touched.append(pair) }
    if newPlaces[pair].last != Int32(word) { newPlaces[pair].append(Int32(word)) }
  }

  private mutating func queueNewPairs() {
    for pair in touched {
      let words = newPlaces[pair]
      newPlaces[pair] = []
      if pairCounts[pair] > 0 {
        queue.push(
          PairQueue.Entry(count: pairCounts[pair], key: keys[pair], pair: pair, words: words))
      }
    }
    touched.removeAll(keepingCapacity: true)
  }

  private mutating func merge(
    _ left: Int32, _ right: Int32, into result: Int32, inWord word: Int
  ) {
    let start = starts[word]
    let end = start + lengths[word]
    var read = start
    var write = start
    while read < end {
      guard read + 1 < end, symbols[read] == left, symbols[read + 1] == right else {
        symbols[write] = symbols[read]
        read += 1
        write += 1
        continue
      }
      if write > start {
        change(symbols[write - 1], left, by: -1, word: word)
        change(symbols[write - 1], result, by: 1, word: word)
      }
      if read + 2 < end {
        change(right, symbols[read + 2], by: -1, word: word)
        change(result, symbols[read + 2], by: 1, word: word)
      }
      symbols[write] = result
      write += 1
      read += 2
    }
    lengths[word] = write - start
  }
}
