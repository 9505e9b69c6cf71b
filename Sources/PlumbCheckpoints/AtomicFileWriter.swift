public import FoundationEssentials
import Glibc
import Synchronization

/// A file that appears under its name only when it is complete.
///
/// Bytes go to a hidden file in the same folder; ``commit()`` flushes it to the disk, renames it
/// over the target and flushes the folder. Dropping a writer that was not committed removes the
/// hidden file, so a failure leaves the old content, or nothing.
public final class AtomicFileWriter {
  /// Where the file will be.
  public let url: URL
  private let temporaryPath: String
  private var descriptor: Int32
  private var pending: [UInt8] = []

  private static let bufferSize = 1 << 18

  /// Opens the hidden file beside `url`; throws ``CheckpointError`` where the folder refuses.
  public init(to url: URL) throws {
    self.url = url
    var status = stat()
    if stat(url.path, &status) == 0, (status.st_mode & S_IFMT) == S_IFDIR {
      throw CheckpointError(
        .unwritable, path: url.path, "cannot write", expected: "a file", found: "a directory")
    }
    (temporaryPath, descriptor) = try Partial.claim(beside: url) { path in
      open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporaryPath)
  }

  /// Appends `bytes`.
  public func append(_ bytes: some Sequence<UInt8>) throws {
    precondition(descriptor >= 0, "append: expected an open file, found a committed one")
    pending.append(contentsOf: bytes)
    if pending.count >= Self.bufferSize { try flush() }
  }

  /// Appends raw memory.
  func append(_ bytes: UnsafeRawBufferPointer) throws {
    if bytes.count < Self.bufferSize {
      pending.append(contentsOf: bytes)
      if pending.count >= Self.bufferSize { try flush() }
    } else {
      try flush()
      try writeAll(bytes, to: descriptor, path: url.path)
    }
  }

  /// Makes the file appear under its name, complete and on the disk.
  public func commit() throws {
    precondition(descriptor >= 0, "commit: expected an open file, found a committed one")
    try flush()
    guard fsync(descriptor) == 0 else {
      throw CheckpointError.system(errno, .unwritable, path: url.path, "flush to disk")
    }
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0, rename(temporaryPath, url.path) == 0 else {
      let error = CheckpointError.system(errno, .unwritable, path: url.path, "write")
      unlink(temporaryPath)
      throw error
    }
    try Partial.flushFolder(of: url)
  }

  private func flush() throws {
    guard !pending.isEmpty else { return }
    try pending.withUnsafeBytes { try writeAll($0, to: descriptor, path: url.path) }
    pending.removeAll(keepingCapacity: true)
  }
}

/// Writes every byte, however many calls the system needs.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws {
  guard let base = bytes.baseAddress else { return }
  var done = 0
  while done < bytes.count {
    let result = write(descriptor, base + done, bytes.count - done)
    if result >= 0 {
      done += result
    } else if errno != EINTR {
      throw CheckpointError.system(errno, .unwritable, path: path, "write")
    }
  }
}

/// The hidden names under which unfinished files and folders live: `.NAME.PID-COUNT.partial`.
enum Partial {
  private static let counter = Atomic<Int>(0)
  static let suffix = ".partial"

  /// A fresh name beside `url` for which `create` succeeds, with what `create` gave back.
  static func claim(
    beside url: URL, _ create: (String) -> Int32
  ) throws -> (path: String, result: Int32) {
    let folder = folder(of: url)
    // The longest file name is 255 bytes; the rest is room for the process and the count.
    let stem = String(decoding: url.lastPathComponent.utf8.prefix(200), as: UTF8.self)
    while true {
      let count = counter.add(1, ordering: .relaxed).newValue
      let path = "\(folder)/.\(stem).\(getpid())-\(count)\(suffix)"
      let result = create(path)
      if result >= 0 { return (path, result) }
      guard errno == EEXIST || errno == EINTR else {
        throw CheckpointError.system(errno, .unwritable, path: url.path, "write")
      }
    }
  }

  static func folder(of url: URL) -> String {
    let folder = url.deletingLastPathComponent().path
    return folder.isEmpty ? "." : folder
  }

  /// Flushes the folder of `url`, so that a rename in it survives a power cut.
  static func flushFolder(of url: URL) throws {
    let descriptor = open(folder(of: url), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw CheckpointError.system(errno, .unwritable, path: url.path, "flush the folder")
    }
    defer { close(descriptor) }
    // Some file systems cannot flush folders and say EINVAL; there is nothing more to be done then.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw CheckpointError.system(errno, .unwritable, path: url.path, "flush the folder")
    }
  }

  /// True for the name of an unfinished file whose process is gone.
  static func isLeftover(_ name: String) -> Bool {
    guard name.hasPrefix("."), name.hasSuffix(suffix) else { return false }
    let parts = name.dropLast(suffix.count).split(separator: ".")
    guard let last = parts.last, let pid = pid_t(last.prefix { $0 != "-" }), pid > 0 else {
      return false
    }
    return kill(pid, 0) != 0 && errno == ESRCH
  }
}
