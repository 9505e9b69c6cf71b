/// Why a tokenizer or a conversation template could not be read, written or used.
///
/// Every case names the place (a path, with the key inside the file), what was expected and what
/// was found; `description` is the sentence for a person.
public enum TokenizerError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A file is missing or the system refused to read or write it.
  case file(path: String, reason: String)
  /// The text of a file is not JSON; `offset` is in bytes from its start.
  case json(path: String, offset: Int, expected: String, found: String)
  /// A field is missing or holds something else than its format allows.
  case field(path: String, key: String, expected: String, found: String)
  /// A well-formed file asks for something that this library does not do.
  case unsupported(path: String, key: String, found: String, supported: String)
  /// The tokenizer lacks a token that the caller needs.
  case missingToken(path: String, token: String, reason: String)
  /// Two models that must share a tokenizer and a template do not.
  case mismatch(first: String, second: String, difference: String)
  /// Training was asked for something that cannot be done.
  case training(expected: String, found: String)

  /// The sentence for a person.
  public var description: String {
    switch self {
    case .file(let path, let reason):
      "\(path): \(reason)"
    case .json(let path, let offset, let expected, let found):
      "\(path): not valid JSON at byte \(offset): expected \(expected), found \(found)"
    case .field(let path, let key, let expected, let found):
      "\(path): \(key): expected \(expected), found \(found)"
    case .unsupported(let path, let key, let found, let supported):
      "\(path): \(key): \(found) is not supported; supported: \(supported)"
    case .missingToken(let path, let token, let reason):
      "\(path): the vocabulary has no token \(token), \(reason)"
    case .mismatch(let first, let second, let difference):
      "the models do not share one tokenizer and template: \(difference) "
        + "(fingerprints \(first) and \(second))"
    case .training(let expected, let found):
      "tokenizer training: expected \(expected), found \(found)"
    }
  }
}
