import Glibc

/// What went wrong with a file: where, what, what was expected and what was found.
public struct CheckpointError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The classes of failure, for callers that react to them.
  public enum Kind: String, Hashable, Sendable {
    /// The file or the tensor is not there.
    case missing
    /// The system refused to read.
    case unreadable
    /// The bytes break the rules of their format.
    case malformed
    /// The file ends before its content does.
    case truncated
    /// Well formed, but of a kind that is not implemented.
    case unsupported
    /// Well formed, but not what the caller asked for.
    case mismatch
    /// The system refused to write.
    case unwritable
  }

  /// The class of failure.
  public let kind: Kind
  /// The file, as the user named it.
  public let path: String
  /// What happened, and at which tensor, line or byte.
  public let message: String
  /// What should have been there, where that can be said.
  public let expected: String?
  /// What was there instead.
  public let found: String?

  /// An error about the file at `path`.
  public init(
    _ kind: Kind, path: String, _ message: String, expected: String? = nil, found: String? = nil
  ) {
    self.kind = kind
    self.path = path
    self.message = message
    self.expected = expected
    self.found = found
  }

  /// The sentence for a person: `path: what happened; expected …, found …`.
  public var description: String {
    var sentence = "\(path): \(message)"
    let details = [expected.map { "expected \($0)" }, found.map { "found \($0)" }].compactMap { $0 }
    if !details.isEmpty { sentence += "; " + details.joined(separator: ", ") }
    return sentence
  }
}

extension CheckpointError {
  /// The failure of a system call, in the system's words ("No space left on device").
  ///
  /// `code` stands first so that `errno` is read before anything else can change it.
  static func system(
    _ code: Int32, _ kind: Kind, path: String, _ action: String
  ) -> CheckpointError {
    CheckpointError(
      code == ENOENT && kind == .unreadable ? .missing : kind, path: path,
      "cannot \(action): \(String(cString: strerror(code)))")
  }
}
