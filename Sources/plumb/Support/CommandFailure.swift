import Glibc

/// A failure of a command that no library could word: what, where, what to do.
struct CommandFailure: Error, CustomStringConvertible {
  /// The sentence for a person.
  let description: String
  /// The status that the process ends with.
  var exitCode = EXIT_FAILURE

  init(_ description: String, exitCode: Int32 = EXIT_FAILURE) {
    self.description = description
    self.exitCode = exitCode
  }
}

/// Whoever read our output has gone; there is nobody to tell.
struct OutputClosed: Error {
  /// What a shell reports for a program that SIGPIPE ended.
  static let exitCode: Int32 = 128 + SIGPIPE
}
