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

/// Free buffers by size class, four classes per power of two.
///
/// The kernel clears every page it hands out: without the pool a step over 100 MB of activations
/// spends more time in page faults than in its element-wise operations.
private enum StoragePool {
  /// Idle memory above this many bytes goes back to the system.
  static let idleLimit = 1 << 30
  static let hugePage = 2 << 20

  struct Idle {
    var addresses: [[UInt]] = Array(repeating: [], count: 256)
    var bytes = 0
  }
  static let idle = Mutex(Idle())

  static func sizeClass(_ count: Int) -> (index: Int, bytes: Int) {
    let last = max(count * MemoryLayout<Float>.size, 256) - 1
    let exponent = Int.bitWidth - 1 - last.leadingZeroBitCount
    let quarters = last >> (exponent - 2)
    return (4 * exponent + quarters & 3, (quarters + 1) << (exponent - 2))
  }

  static func take(_ count: Int) -> UnsafeMutablePointer<Float> {
    let (index, bytes) = sizeClass(count)
    let reused = idle.withLock { idle -> UInt? in
      guard let address = idle.addresses[index].popLast() else { return nil }
      idle.bytes -= bytes
      return address
    }
    EngineTrace.noteAllocation(bytes: bytes, isFresh: reused == nil)
    if let reused, let pointer = UnsafeMutablePointer<Float>(bitPattern: reused) { return pointer }
    var memory: UnsafeMutableRawPointer?
    // Huge pages for what fills several: one fault in place of 512, where the system allows it.
    let isHuge = bytes >= 4 * hugePage
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
    let isKept = idle.withLock { idle -> Bool in
      guard idle.bytes + bytes <= idleLimit else { return false }
      idle.addresses[index].append(UInt(bitPattern: pointer))
      idle.bytes += bytes
      return true
    }
    if !isKept { free(pointer) }
  }
}
