import FoundationEssentials
import Glibc

/// A file opened for reading, closed with its last reference.
///
/// Reads use the descriptor (`read`, `pread`) instead of a memory map: a map of a file that another
/// process truncates kills the reader with SIGBUS, and the tensors are copied out either way.
final class InputFile: Sendable {
  let path: String
  /// Bytes of a regular file; nil for pipes and devices, which can only be read in order.
  let size: Int?
  private let descriptor: Int32

  init(_ url: URL) throws {
    path = url.path
    // `/dev/stdin` cannot be opened anew where it is a socket, as some programs start others.
    descriptor =
      url.path == "/dev/stdin" ? dup(STDIN_FILENO) : open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw CheckpointError.system(errno, .unreadable, path: url.path, "open")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let error = CheckpointError.system(errno, .unreadable, path: url.path, "read the size")
      close(descriptor)
      throw error
    }
    let format = status.st_mode & S_IFMT
    guard format != S_IFDIR else {
      close(descriptor)
      throw CheckpointError(
        .unreadable, path: url.path, "cannot read", expected: "a file", found: "a directory")
    }
    size = format == S_IFREG ? Int(status.st_size) : nil
  }

  deinit { close(descriptor) }

  /// Fills `buffer` from the current place; fewer bytes than its count only at the end of the file.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try fill(buffer) { Glibc.read(descriptor, $0, $1) }
  }

  /// Makes `offset` the current place of a regular file.
  func seek(to offset: Int) throws {
    guard lseek(descriptor, offset, SEEK_SET) >= 0 else {
      throw CheckpointError.system(errno, .unreadable, path: path, "seek")
    }
  }

  /// Fills `buffer` from byte `offset` on, independent of the current place.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    var done = 0
    return try fill(buffer) { pointer, count in
      let result = pread(descriptor, pointer, count, offset + done)
      if result > 0 { done += result }
      return result
    }
  }

  private func fill(
    _ buffer: UnsafeMutableRawBufferPointer,
    _ call: (UnsafeMutableRawPointer, Int) -> Int
  ) throws -> Int {
    guard let base = buffer.baseAddress else { return 0 }
    var filled = 0
    while filled < buffer.count {
      let result = call(base + filled, buffer.count - filled)
      if result > 0 {
        filled += result
      } else if result == 0 {
        break
      } else if errno != EINTR {
        throw CheckpointError.system(errno, .unreadable, path: path, "read")
      }
    }
    return filled
  }
}
