import CZstd
import Glibc

/// The memory of one zstd decoder, in which large blocks are files.
///
/// A frame made with `zstd --long=31` may refer to any of the last 2 GB of its content, so a
/// decoder keeps them: its window. Here a block above a threshold is a shared mapping of a temporary
/// file that has no name any more. ``trim()`` takes its pages from the process; what was written to
/// them stays in the file, where matches that reach back find it. The kernel can write such pages
/// to the disk when memory is short, which without swap it cannot do with ordinary memory.
final class WindowMemory {
  /// Bytes up to which a block is ordinary memory: those of a window of 128 MB, the largest that
  /// zstd takes unasked, and what zstd adds to a window.
  static let ordinaryByteCount = 129 << 20
  /// Bytes of files that may be resident before they are dropped.
  static let residentByteCount = 32 << 20

  /// Why there was no memory, once an allocation has failed.
  private(set) var failure: String?
  /// The blocks that are files: the length in bytes at each address.
  private(set) var mappings: [UnsafeMutableRawPointer: Int] = [:]
  private let threshold: Int
  private let residentLimit: Int
  private let folder: String
  private var statusDescriptor: Int32 = -1
  private var baseline = 0

  /// Blocks above `threshold` bytes become files in `folder`, of which `residentLimit` bytes may be
  /// resident when ``trim()`` returns.
  ///
  /// Without `folder` it is `$TMPDIR`, else `/var/tmp`: that lies on a disk where `/tmp` is often
  /// itself memory.
  init(
    threshold: Int = ordinaryByteCount, residentLimit: Int = residentByteCount,
    folder: String? = nil
  ) {
    self.threshold = threshold
    self.residentLimit = residentLimit
    let named = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    self.folder = folder ?? (named.isEmpty ? "/var/tmp" : named)
  }

  deinit {
    for (address, byteCount) in mappings { munmap(address, byteCount) }
    if statusDescriptor >= 0 { close(statusDescriptor) }
  }

  /// A decompression context with this memory, which must outlive it; nil with ``failure`` set.
  func makeContext() -> OpaquePointer? {
    ZSTD_createDCtx_advanced(
      ZSTD_customMem(
        customAlloc: { memory, byteCount in WindowMemory.at(memory)?.allocate(byteCount) },
        customFree: { memory, address in WindowMemory.at(memory)?.free(address) },
        opaque: Unmanaged.passUnretained(self).toOpaque()))
  }

  private static func at(_ pointer: UnsafeMutableRawPointer?) -> WindowMemory? {
    pointer.map { Unmanaged<WindowMemory>.fromOpaque($0).takeUnretainedValue() }
  }

  /// A block of `byteCount` bytes with undefined content; nil with ``failure`` set.
  func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    guard byteCount > threshold else {
      let block = malloc(byteCount)
      if block == nil { failure = "out of memory" }
      return block
    }
    do throws(SystemFault) {
      let block = try mapFile(byteCount)
      mappings[block] = byteCount
      if statusDescriptor < 0 { statusDescriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC) }
      baseline = residentCount() ?? 0
      return block
    } catch {
      let megabytes = (byteCount + 999_999) / 1_000_000
      failure =
        "its window needs a file of \(megabytes) MB in \(folder), which cannot be made: "
        + "\(String(cString: strerror(error.code))); set TMPDIR to a folder with that much room"
      return nil
    }
  }

  /// Gives back what ``allocate(_:)`` gave; nil is nothing.
  func free(_ address: UnsafeMutableRawPointer?) {
    guard let address else { return }
    if let byteCount = mappings.removeValue(forKey: address) {
      munmap(address, byteCount)
    } else {
      Glibc.free(address)
    }
  }

  /// Drops the pages of the files if more than the limit has become resident.
  ///
  /// To be called between pieces of a few hundred kilobytes. The pages are counted, not the bytes
  /// decoded: matches that reach far back bring in old pages too, 16 with each fault. What one piece
  /// brings in comes on top of the limit; the kernel can take it back at any time.
  func trim() {
    guard !mappings.isEmpty else { return }
    // The count is that of the process. Where others unmap files it falls, and with it the start;
    // where they map some, or there is no count, pages are dropped too early, which costs only time.
    if let count = residentCount() {
      baseline = min(baseline, count)
      guard count - baseline > residentLimit else { return }
    }
    for (address, byteCount) in mappings { madvise(address, byteCount, MADV_DONTNEED) }
    baseline = residentCount() ?? 0
  }

  /// Bytes of files and shared memory that are resident in this process.
  private func residentCount() -> Int? {
    // "size resident shared …", in pages.
    let line = withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { buffer in
      let count = pread(statusDescriptor, buffer.baseAddress, buffer.count, 0)
      return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    }
    let fields = line.split(separator: " ")
    guard fields.count > 2, let pages = Int(fields[2]) else { return nil }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// The failure of a system call.
  private struct SystemFault: Error {
    let code: Int32
  }

  /// Maps a new file of `byteCount` bytes without a name, its room on the disk taken: a page that
  /// finds none when it is written would end the process.
  private func mapFile(_ byteCount: Int) throws(SystemFault) -> UnsafeMutableRawPointer {
    var path = Array("\(folder)/plumb-window-XXXXXX".utf8CString)
    let descriptor = mkstemp(&path)
    guard descriptor >= 0 else { throw SystemFault(code: errno) }
    defer { close(descriptor) }
    unlink(path)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    var code: Int32
    repeat { code = posix_fallocate(descriptor, 0, byteCount) } while code == EINTR
    guard code == 0 else { throw SystemFault(code: code) }
    let block = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard let block, block != MAP_FAILED else { throw SystemFault(code: errno) }
    // Else the page cache is made in large pieces, and one far match makes up to 2 MB resident.
    madvise(block, byteCount, MADV_RANDOM)
    return block
  }
}
