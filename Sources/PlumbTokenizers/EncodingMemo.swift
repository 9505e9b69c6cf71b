import Synchronization

/// Ids of the pre-tokens met before, shared by all copies of a tokenizer.
///
/// Words repeat: most pre-tokens are found here without a merge. The memo only saves work; what it
/// holds never changes a result. If another thread has it, a caller works with an empty one of its
/// own.
final class EncodingMemo: Sendable {
  /// The table itself, and the scratch memory of the merge loop.
  struct Contents: Sendable {
    /// Longer pre-tokens rarely come again.
    static let longestKey = 48
    /// At some 20 bytes of key and ids each, the table stays within a few MB.
    static let maximumCount = 100_000

    private var keys = ByteTable()
    private var ends: [Int] = []
    private var ids: [Int32] = []

    func ids(of key: UnsafeBufferPointer<UInt8>) -> ArraySlice<Int32>? {
      guard let index = keys.find(key) else { return nil }
      return ids[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
    }

    mutating func store(_ value: ArraySlice<Int32>, for key: UnsafeBufferPointer<UInt8>) {
      if keys.count == Self.maximumCount { self = Contents() }
      guard keys.insert(key).isNew else { return }
      ids.append(contentsOf: value)
      ends.append(ids.count)
    }
  }

  private let contents = Mutex(Contents())

  /// Runs `body` with the memo, or with an empty one while another thread has it.
  func with(_ body: (inout Contents) -> Void) {
    let done: Void? = contents.withLockIfAvailable { body(&$0) }
    if done != nil { return }
    var own = Contents()
    body(&own)
  }
}
