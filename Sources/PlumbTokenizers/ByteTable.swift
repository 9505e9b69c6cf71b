/// Byte strings numbered in the order of their insertion, found by content.
///
/// Open addressing over one arena. Keys are compared as bytes: a `[String: Int]` would take
/// canonically equivalent texts for one key, and would cost an allocation per entry.
struct ByteTable: Sendable {
  private var arena: [UInt8] = []
  private var ends: [Int] = []
  private var hashes: [UInt32] = []
  /// Entry number plus one; 0 is a free slot.
  private var slots: [UInt32]

  init(minimumCapacity: Int = 16) {
    var size = 32
    while size < 2 * minimumCapacity { size *= 2 }
    slots = [UInt32](repeating: 0, count: size)
  }

  var count: Int { ends.count }
  /// Bytes held by all keys.
  var byteCount: Int { arena.count }

  /// The bytes of entry `index`.
  subscript(index: Int) -> ArraySlice<UInt8> {
    arena[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
  }

  func find(_ key: UnsafeBufferPointer<UInt8>) -> Int? {
    let found = slots[slot(of: key, hash: Self.hash(key))]
    return found == 0 ? nil : Int(found) - 1
  }

  func find(_ key: String) -> Int? {
    var key = key
    return key.withUTF8 { find($0) }
  }

  /// The number of `key`, which is added if it is new.
  mutating func insert(_ key: UnsafeBufferPointer<UInt8>) -> (index: Int, isNew: Bool) {
    let hash = Self.hash(key)
    let place = slot(of: key, hash: hash)
    if slots[place] != 0 { return (Int(slots[place]) - 1, false) }
    arena.append(contentsOf: key)
    ends.append(arena.count)
    hashes.append(hash)
    slots[place] = UInt32(ends.count)
    if 2 * ends.count > slots.count { grow() }
    return (ends.count - 1, true)
  }

  mutating func insert(_ key: String) -> (index: Int, isNew: Bool) {
    var key = key
    return key.withUTF8 { insert($0) }
  }

  mutating func removeAll() {
    self = ByteTable()
  }

  private func slot(of key: UnsafeBufferPointer<UInt8>, hash: UInt32) -> Int {
    let mask = slots.count - 1
    var place = Int(hash) & mask
    while slots[place] != 0 {
      let index = Int(slots[place]) - 1
      if hashes[index] == hash, equal(index, key) { break }
      place = (place + 1) & mask
    }
    return place
  }

  private func equal(_ index: Int, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
    let start = index == 0 ? 0 : ends[index - 1]
    guard ends[index] - start == key.count else { return false }
    for offset in 0..<key.count where arena[start + offset] != key[offset] { return false }
    return true
  }

  private mutating func grow() {
    let mask = 2 * slots.count - 1
    slots = [UInt32](repeating: 0, count: 2 * slots.count)
    for (index, hash) in hashes.enumerated() {
      var place = Int(hash) & mask
      while slots[place] != 0 { place = (place + 1) & mask }
      slots[place] = UInt32(index + 1)
    }
  }

  /// Eight bytes at a time: multiply, fold, and once more at the end (after wyhash's mixing step).
  static func hash(_ key: UnsafeBufferPointer<UInt8>) -> UInt32 {
    let raw = UnsafeRawBufferPointer(key)
    var state = UInt64(key.count) &* 0x9E37_79B9_7F4A_7C15
    var offset = 0
    while offset + 8 <= key.count {
      state = mix(state ^ raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    var tail: UInt64 = 0
    while offset < key.count {
      tail = tail << 8 | UInt64(raw[offset])
      offset += 1
    }
    let mixed = mix(state ^ tail ^ 0xA076_1D64_78BD_642F)
    return UInt32(truncatingIfNeeded: mixed ^ mixed >> 32)
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
    return product.high ^ product.low
  }
}
