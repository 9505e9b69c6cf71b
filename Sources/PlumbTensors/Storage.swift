import Glibc
import Synchronization

/// A buffer of Float32 that is written while its owner is made and only read afterwards.
///
/// That rule, kept by `Tensor.make` and by the copy-on-write blocks, is what makes the class
/// sendable. Memory comes from `StoragePool`, so that a training step touches no fresh pages.
final class Storage: @unchecked Sendable {
  let base: UnsafeMutablePointer<Float>
  let count: Int

  /// A buffer with undefined contents; in debug builds they are NaN, so that a read shows.
  init(count: Int) {
    self.count = count
    base = StoragePool.take(count)
    #if DEBUG
      base.update(repeating: .nan, count: count)
    #endif
  }

  deinit { StoragePool.give(base, count) }

  var buffer: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: base, count: count)
  }

  /// A new buffer with the scalars from `offset` on.
  func copy(from offset: Int = 0, count: Int) -> Storage {
    let result = Storage(count: count)
    result.base.update(from: base + offset, count: count)
    return result
  }
}

/// Memory that tensors have given back and later tensors take again.
public enum TensorMemory {
  /// Hands idle memory back to the system.
  ///
  /// A finished stage calls this, so that the next one, with other shapes, starts from nothing.
  public static func releaseIdle() { StoragePool.releaseIdle() }
}

/// Free buffers by size class, four classes per power of two.
///
/// The kernel clears every page it hands out: without the pool a step of SmolLM2's shape spends a
/// sixth of its time in page faults. What is kept is bounded by what was in use at once: a step that
/// has run before finds all its memory here, and no more than that is held.
private enum StoragePool {
  static let hugePage = 2 << 20

  struct State {
    var addresses: [[UInt]] = Array(repeating: [], count: 256)
    var idle = 0
    var live = 0
    var mostLive = 0

    /// Size classes peak at different times; a sixteenth and 256 MB cover what they differ by.
    var limit: Int { mostLive + mostLive / 16 + 256 << 20 }

    mutating func use(_ bytes: Int) {
      live += bytes
      mostLive = max(mostLive, live)
    }

    /// Removes idle buffers, the largest first, until all memory is within the limit.
    mutating func evict() -> [UInt] {
      var evicted: [UInt] = []
      for index in addresses.indices.reversed() {
        while live + idle > limit, let address = addresses[index].popLast() {
          idle -= StoragePool.bytes(ofClass: index)
          evicted.append(address)
        }
      }
      return evicted
    }
  }
  static let state = Mutex(State())

  static func sizeClass(_ count: Int) -> (index: Int, bytes: Int) {
    let last = max(count * MemoryLayout<Float>.size, 256) - 1
    let exponent = Int.bitWidth - 1 - last.leadingZeroBitCount
    let index = 4 * exponent + (last >> (exponent - 2)) & 3
    return (index, bytes(ofClass: index))
  }

  static func bytes(ofClass index: Int) -> Int {
    (index & 3 + 5) << (index / 4 - 2)
  }

  static func take(_ count: Int) -> UnsafeMutablePointer<Float> {
    let (index, bytes) = sizeClass(count)
    let (reused, evicted) = state.withLock { state -> (UInt?, [UInt]) in
      state.use(bytes)
      if let address = state.addresses[index].popLast() {
        state.idle -= bytes
        return (address, [])
      }
      return (nil, state.live + state.idle > state.limit ? state.evict() : [])
    }
    EngineTrace.noteAllocation(bytes: bytes, isFresh: reused == nil)
    if let reused, let pointer = UnsafeMutablePointer<Float>(bitPattern: reused) { return pointer }
    free(evicted)
    var memory: UnsafeMutableRawPointer?
    // Huge pages for what fills one: one fault in place of 512, where the system allows it.
    let isHuge = bytes >= hugePage
    guard posix_memalign(&memory, isHuge ? hugePage : 64, bytes) == 0, let memory else {
      fatalError("Storage: no memory for \(count) scalars (\(bytes) bytes)")
    }
    #if os(Linux)
      if isHuge { madvise(memory, bytes, Int32(MADV_HUGEPAGE)) }
    #endif
    return memory.bindMemory(to: Float.self, capacity: count)
  }

  static func give(_ pointer: UnsafeMutablePointer<Float>, _ count: Int) {
    let (index, bytes) = sizeClass(count)
    state.withLock { state in
      state.addresses[index].append(UInt(bitPattern: pointer))
      state.live -= bytes
      state.idle += bytes
    }
  }

  static func releaseIdle() {
    let evicted = state.withLock { state in
      let evicted = state.addresses.flatMap { $0 }
      for index in state.addresses.indices { state.addresses[index].removeAll() }
      state.idle = 0
      state.mostLive = state.live
      return evicted
    }
    free(evicted)
  }

  private static func free(_ addresses: [UInt]) {
    for address in addresses { Glibc.free(UnsafeMutableRawPointer(bitPattern: address)) }
  }
}
