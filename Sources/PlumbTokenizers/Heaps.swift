/// A binary heap of keys, smallest first.
struct MinimumHeap: Sendable {
  private var keys: [UInt64] = []

  mutating func removeAll() {
    keys.removeAll(keepingCapacity: true)
  }

  mutating func push(_ key: UInt64) {
    keys.append(key)
    var child = keys.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if keys[parent] <= key { break }
      keys[child] = keys[parent]
      child = parent
    }
    keys[child] = key
  }

  mutating func pop() -> UInt64? {
    guard let smallest = keys.first, let moved = keys.popLast() else { return nil }
    let count = keys.count
    if count == 0 { return smallest }
    var parent = 0
    while true {
      var child = 2 * parent + 1
      if child >= count { break }
      if child + 1 < count, keys[child + 1] < keys[child] { child += 1 }
      if moved <= keys[child] { break }
      keys[parent] = keys[child]
      parent = child
    }
    keys[parent] = moved
    return smallest
  }
}
