import CKernels

/// Pages of keys and values, 16 tokens in all layers each, from one pool.
///
/// Sequences with a common beginning share its pages; a page goes back to the pool with its last
/// reader. Memory grows by slabs of many pages and is kept while the pool lives. Written only through
/// the one session that holds it, which makes it sendable.
final class KeyValuePages: @unchecked Sendable {
  static let tokens = Int(PLUMB_PAGE_TOKENS)

  /// Floats of a page.
  let size: Int
  private var slabs: [Storage] = []
  private(set) var addresses: [UnsafeMutablePointer<Float>?] = []
  private var readers: [Int32] = []
  private var free: [Int] = []

  init(size: Int) { self.size = size }

  /// Pages that are in use.
  var usedCount: Int { readers.count - free.count }

  /// A page for one reader, with undefined contents.
  func take() -> Int {
    if free.isEmpty { grow() }
    let page = free.removeLast()
    readers[page] = 1
    return page
  }

  /// Counts another reader.
  func retain(_ page: Int) { readers[page] += 1 }

  /// One reader less; without readers the page is free.
  func release(_ page: Int) {
    readers[page] -= 1
    if readers[page] == 0 { free.append(page) }
  }

  /// A page that one reader may write: the same if it has no other, otherwise a copy.
  func writable(_ page: Int) -> Int {
    guard readers[page] > 1 else { return page }
    let copy = take()
    if let source = addresses[page] { addresses[copy]?.update(from: source, count: size) }
    release(page)
    return copy
  }

  /// A pool with the same pages in memory of its own.
  func copy() -> KeyValuePages {
    let result = KeyValuePages(size: size)
    while result.addresses.count < addresses.count { result.grow() }
    for page in addresses.indices where readers[page] > 0 {
      if let source = addresses[page] { result.addresses[page]?.update(from: source, count: size) }
    }
    result.readers = readers
    result.free = free
    return result
  }

  /// Adds a slab: 8 MB, or a page where that is more.
  private func grow() {
    let count = max(1, (8 << 20) / max(1, 4 * size))
    let slab = Storage(count: count * size)
    slabs.append(slab)
    let first = addresses.count
    for page in 0..<count { addresses.append(slab.base + page * size) }
    readers += [Int32](repeating: 0, count: count)
    free += (first..<first + count).reversed()
  }
}
