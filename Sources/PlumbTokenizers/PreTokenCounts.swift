/// How often each pre-token occurs in the texts of a training run.
struct PreTokenCounts {
  private(set) var words = ByteTable(minimumCapacity: 1 << 16)
  private(set) var counts: [Int] = []
  private(set) var bytesRead = 0

  /// Counts the pre-tokens of `text`, normalized as the tokenizer will do it.
  mutating func add(_ text: String, _ preTokenizer: PreTokenizer, _ normalization: Normalization) {
    var text = normalization.applied(to: text)
    if preTokenizer.addsPrefixSpace, let first = text.utf8.first, first != UInt8(ascii: " ") {
      text = " " + text
    }
    text.withUTF8 { bytes in
      bytesRead += bytes.count
      ClassifiedText.with(bytes) { text in
        preTokenizer.split(text, from: 0, to: bytes.count) { start, end in
          let (index, isNew) = words.insert(UnsafeBufferPointer(rebasing: bytes[start..<end]))
          if isNew { counts.append(1) } else { counts[index] += 1 }
        }
      }
    }
  }
}
