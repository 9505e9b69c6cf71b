/// A model folder, configuration or token sequence that cannot be used, and why.
///
/// Everything that a user's file or input can get wrong is thrown as one of these cases; the
/// wording for a person is `description`.
public enum ModelError: Error, Hashable, Sendable {
  /// A JSON file whose top level is not an object.
  case notAnObject(path: String, found: String)
  /// A required key of `config.json` is absent.
  case missingKey(path: String, key: String)
  /// A key holds a value of the wrong type or outside its range.
  case invalidValue(path: String, key: String, expected: String, found: String)
  /// A feature of the configuration that Plumb does not implement.
  case unsupported(path: String, feature: String, found: String, supported: String)
  /// The tensors of a checkpoint are not those that the configuration asks for.
  case tensorMismatch(path: String, problems: [TensorProblem])
  /// A sequence longer than the positions the model was built for.
  case contextExceeded(tokens: Int, maximum: Int)
  /// A token id outside the vocabulary.
  case tokenOutOfRange(token: Int, position: Int, vocabularySize: Int)
  /// A sequence without tokens, where at least one is needed.
  case emptySequence
}

/// One difference between a checkpoint's tensors and the configuration's.
public enum TensorProblem: Hashable, Sendable {
  /// A tensor that the configuration needs is not in the file.
  case missing(name: String, expected: [Int])
  /// A tensor of the file that the configuration has no place for.
  case unexpected(name: String, found: [Int])
  /// A tensor with another shape.
  case shape(name: String, expected: [Int], found: [Int])
}

extension TensorProblem: CustomStringConvertible {
  /// The problem in words, with what was expected and what was found.
  public var description: String {
    switch self {
    case .missing(let name, let expected):
      "\(name): expected a tensor of shape \(expected), found none"
    case .unexpected(let name, let found):
      "\(name): expected no such tensor, found one of shape \(found)"
    case .shape(let name, let expected, let found):
      "\(name): expected shape \(expected), found \(found)"
    }
  }
}

extension ModelError: CustomStringConvertible {
  /// The sentence for a person: what, where, expected, found.
  public var description: String {
    switch self {
    case .notAnObject(let path, let found):
      return "\(path): expected a JSON object, found \(found)"
    case .missingKey(let path, let key):
      return "\(path): expected the key \"\(key)\", found none"
    case .invalidValue(let path, let key, let expected, let found):
      return "\(path): \"\(key)\": expected \(expected), found \(found)"
    case .unsupported(let path, let feature, let found, let supported):
      return "\(path): \(feature) is not supported: expected \(supported), found \(found)"
    case .tensorMismatch(let path, let problems):
      let shown = problems.prefix(8).map { "  \($0)" }
      let rest = problems.count > shown.count ? ["  and \(problems.count - shown.count) more"] : []
      return (["\(path): the tensors do not fit the configuration:"] + shown + rest)
        .joined(separator: "\n")
    case .contextExceeded(let tokens, let maximum):
      return "the sequence is too long: expected at most \(maximum) tokens (the model's context), "
        + "found \(tokens)"
    case .tokenOutOfRange(let token, let position, let vocabularySize):
      return "token id out of range at position \(position): expected 0..<\(vocabularySize), "
        + "found \(token)"
    case .emptySequence:
      return "the sequence is empty: expected at least one token, found none"
    }
  }
}
