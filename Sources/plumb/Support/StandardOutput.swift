import Glibc
import PlumbCheckpoints

/// Where results go.
///
/// Every write reaches the reader at once, and a write that fails is an error.
struct StandardOutput {
  /// Writes text as it is.
  /// - Throws: `OutputClosed` where the reader has gone, `CommandFailure` for a full disk.
  func write(_ text: String) throws {
    let failure = writeAll(text, to: STDOUT_FILENO)
    guard failure != 0 else { return }
    if failure == EPIPE { throw OutputClosed() }
    throw CommandFailure("standard output: cannot write: \(String(cString: strerror(failure)))")
  }

  /// Writes each value as one line of JSON.
  func write(lines: [JSONValue]) throws {
    try write(lines.map { $0.serialized() + "\n" }.joined())
  }
}

/// Where messages and progress go.
///
/// Nobody listening is no reason to stop.
enum StandardError {
  static func write(_ text: String) { _ = writeAll(text, to: STDERR_FILENO) }

  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}

/// Writes all of `text`; returns 0 or the `errno` of the write that failed.
private func writeAll(_ text: String, to descriptor: Int32) -> Int32 {
  var text = text
  return text.withUTF8 { bytes in
    guard let base = bytes.baseAddress else { return 0 }
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, base + done, bytes.count - done)
      if count >= 0 {
        done += count
      } else if errno == EAGAIN {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&state, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }
}
