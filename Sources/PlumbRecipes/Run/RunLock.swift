import Foundation

/// Keeps a second process out of a run directory, for as long as the value lives.
///
/// The system drops the lock when the process ends, however it ends.
final class RunLock {
  private let descriptor: Int32

  /// - Throws: `RunError.locked`, or `RunError.file` where the directory cannot be written to.
  init(directory: URL) throws {
    let url = directory.appending(path: RunLayout.lockName)
    descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw RunError.file(
        path: url.relativePath, action: "write", reason: FileFault.text(of: errno))
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let holder = (try? String(contentsOf: url, encoding: .utf8))?.oneLine ?? ""
      close(descriptor)
      throw RunError.locked(directory: directory.relativePath, process: holder)
    }
    let text = Array("process \(getpid())\n".utf8)
    ftruncate(descriptor, 0)
    _ = write(descriptor, text, text.count)
  }

  deinit { close(descriptor) }
}
