/// A map from a pair of token ids to a number, by open addressing.
///
/// A merge loop asks for every adjacent pair; this costs one multiplication and mostly one cache
/// line, where `Dictionary` hashes with SipHash.
struct PairTable: Sendable {
  private struct Slot {
    var key: UInt64
    var value: Int
  }

  private static let free = UInt64.max
  private var slots: [Slot]
  private var shift: UInt64
  private(set) var count = 0

  init(minimumCapacity: Int = 16) {
    var bits: UInt64 = 5
    while 1 << bits < 2 * minimumCapacity { bits += 1 }
    slots = [Slot](repeating: Slot(key: Self.free, value: 0), count: 1 << Int(bits))
    shift = 64 - bits
  }

  /// A pair as one key: left id in the high half.
  static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  subscript(key: UInt64) -> Int? {
    let slot = slots[place(of: key)]
    return slot.key == key ? slot.value : nil
  }

  /// The value stored under `key`; `value` is stored first if there is none.
  mutating func insert(_ key: UInt64, _ value: Int) -> Int {
    let place = place(of: key)
    if slots[place].key == key { return slots[place].value }
    slots[place] = Slot(key: key, value: value)
    count += 1
    if 2 * count > slots.count { grow() }
    return value
  }

  /// Stores `value`, in place of an older one.
  mutating func update(_ key: UInt64, _ value: Int) {
    if insert(key, value) != value { slots[place(of: key)].value = value }
  }

  private func place(of key: UInt64) -> Int {
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift)
    while slots[place].key != key, slots[place].key != Self.free { place = (place + 1) & mask }
    return place
  }

  private mutating func grow() {
    let old = slots
    slots = [Slot](repeating: Slot(key: Self.free, value: 0), count: 2 * old.count)
    shift -= 1
    for slot in old where slot.key != Self.free { slots[place(of: slot.key)] = slot }
  }
}
