import FoundationEssentials
import Glibc
import PlumbCheckpoints

/// Append-only files, one for each partition, written through small buffers.
///
/// No file stays open: with a buffer for each partition, an open and a close cost nothing beside
/// the write, and thousands of partitions need no descriptors.
struct PartitionedFiles {
  private let folder: URL
  private let name: String
  private let bufferByteCount: Int
  private var buffers: [[UInt8]]
  /// Bytes in each file together with its buffer.
  private(set) var lengths: [Int]

  /// Files `NAME-0007` in `folder`, with a share of `memory` bytes as buffers.
  ///
  /// `lengths` are those of an earlier ``flush()``: longer files are cut back to them.
  init(_ name: String, in folder: URL, count: Int, memory: Int, lengths: [Int]? = nil) throws {
    self.folder = folder
    self.name = name
    bufferByteCount = min(max(memory / count, 1 << 12), 1 << 18)
    buffers = Array(repeating: [], count: count)
    self.lengths = lengths ?? Array(repeating: 0, count: count)
    for index in 0..<count { try Self.cut(url(index), to: self.lengths[index]) }
  }

  /// The file of a partition.
  func url(_ partition: Int) -> URL {
    let digits = String(partition)
    return folder.appending(
      path: name + "-" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits)
  }

  /// Appends what `body` puts into the partition's buffer.
  mutating func append(to partition: Int, _ body: (inout [UInt8]) -> Void) throws {
    let before = buffers[partition].count
    body(&buffers[partition])
    lengths[partition] += buffers[partition].count - before
    if buffers[partition].count >= bufferByteCount { try flush(partition) }
  }

  /// Writes all buffers.
  mutating func flush() throws {
    for partition in buffers.indices { try flush(partition) }
  }

  /// Removes every file.
  func remove() {
    for partition in buffers.indices { unlink(url(partition).path) }
  }

  private mutating func flush(_ partition: Int) throws {
    guard !buffers[partition].isEmpty else { return }
    let path = url(partition).path
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.failure(path, "open") }
    defer { close(descriptor) }
    try Self.write(buffers[partition], to: descriptor, path)
    buffers[partition].removeAll(keepingCapacity: true)
  }

  /// Appends `bytes` to an open file.
  static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws {
    try bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count, let base = bytes.baseAddress {
        let count = Glibc.write(descriptor, base + done, bytes.count - done)
        if count >= 0 {
          done += count
        } else if errno != EINTR {
          throw failure(path, "write")
        }
      }
    }
  }

  /// Cuts a file back to `length` bytes; throws if it is shorter, and removes it for 0.
  static func cut(_ url: URL, to length: Int) throws {
    if length == 0 {
      unlink(url.path)
      return
    }
    var status = stat()
    guard stat(url.path, &status) == 0, Int(status.st_size) >= length else {
      throw DataError(
        .invalidSetting, file: url.path, "the work of the interrupted run is incomplete",
        expected: "\(length) bytes; --overwrite begins anew", found: "fewer")
    }
    guard truncate(url.path, length) == 0 else { throw failure(url.path, "cut") }
  }

  static func failure(_ path: String, _ action: String) -> CheckpointError {
    let reason = String(cString: strerror(errno))
    return CheckpointError(.unwritable, path: path, "cannot \(action): \(reason)")
  }
}
