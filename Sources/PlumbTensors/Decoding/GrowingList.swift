/// A list whose memory stays in place while a kernel reads it.
///
/// Emptied, it keeps its room. Its owner calls `free` once.
struct GrowingList<Element: BitwiseCopyable> {
  private(set) var base: UnsafeMutablePointer<Element>
  private(set) var count = 0
  private var capacity: Int

  init(capacity: Int = 16) {
    self.capacity = capacity
    base = .allocate(capacity: capacity)
  }

  func free() { base.deallocate() }

  mutating func removeAll() { count = 0 }

  mutating func append(_ element: Element) {
    if count == capacity { grow(to: 2 * capacity) }
    (base + count).initialize(to: element)
    count += 1
  }

  mutating func append(repeating element: Element, count: Int) {
    for _ in 0..<count { append(element) }
  }

  subscript(index: Int) -> Element {
    precondition(index >= 0 && index < count, "GrowingList: expected an index below \(count)")
    return base[index]
  }

  func copy() -> GrowingList {
    var result = GrowingList(capacity: capacity)
    result.base.update(from: base, count: count)
    result.count = count
    return result
  }

  private mutating func grow(to larger: Int) {
    let new = UnsafeMutablePointer<Element>.allocate(capacity: larger)
    new.update(from: base, count: count)
    base.deallocate()
    base = new
    capacity = larger
  }
}
