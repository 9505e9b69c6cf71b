/// What sampling or a rollout buffer refuses, with where it was, what was expected and what was found.
public enum RolloutError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A sampling option is out of its range.
  case invalidOption(name: String, expected: String, found: String)
  /// A prompt has no tokens.
  case emptyPrompt(row: Int)
  /// A prompt leaves no room for a response.
  case promptTooLong(row: Int, tokens: Int, limit: Int)
  /// A token id lies outside of the vocabulary.
  case tokenOutOfRange(row: Int, position: Int, token: Int, vocabularySize: Int)
  /// The model's logits hold a NaN, or nothing but minus infinity.
  case logitsNotFinite(row: Int, response: Int)
  /// A number of a buffer is NaN or infinite.
  case notFinite(group: Int, response: Int, what: String)
  /// A field of a response has another length than its tokens.
  case wrongLength(group: Int, response: Int, field: String, expected: Int, found: Int)
  /// A preference table is not K x K, or not antisymmetric.
  case wrongTable(group: Int, reason: String)
  /// A response has no tokens, so that nothing can be learnt from it.
  case emptyResponse(group: Int, response: Int)
  /// A field that a view needs was never filled.
  case missing(group: Int, response: Int, field: String, remedy: String)
  /// The padding id is one of the ids that end a response.
  case padIsEnd(id: Int)
  /// Log-probs under the unchanged policy differ from the recorded ones.
  case ratioNotOne(response: Int, token: Int, recorded: Float, recomputed: Float, tolerance: Float)
  /// A stored buffer does not read back.
  case corrupt(path: String, reason: String)

  /// The sentence for a person.
  public var description: String {
    switch self {
    case .invalidOption(let name, let expected, let found):
      "sampling option '\(name)': expected \(expected), found \(found)"
    case .emptyPrompt(let row):
      "prompt \(row) is empty; expected at least one token"
    case .promptTooLong(let row, let tokens, let limit):
      """
      prompt \(row) has \(tokens) tokens, but the model's context holds \(limit), \
      of which the response needs at least one
      """
    case .tokenOutOfRange(let row, let position, let token, let vocabularySize):
      """
      prompt \(row), position \(position): token id \(token) is out of range; \
      expected 0 to \(vocabularySize - 1)
      """
    case .logitsNotFinite(let row, let response):
      "prompt \(row), response \(response): the logits are NaN or give no distribution"
    case .notFinite(let group, let response, let what):
      "group \(group), response \(response): \(what) is NaN or infinite; expected a finite number"
    case .wrongLength(let group, let response, let field, let expected, let found):
      """
      group \(group), response \(response): '\(field)' has \(found) values; \
      expected one for each of the \(expected) tokens
      """
    case .wrongTable(let group, let reason):
      "group \(group): the preference table \(reason)"
    case .emptyResponse(let group, let response):
      "group \(group), response \(response) has no tokens; expected at least one"
    case .missing(let group, let response, let field, let remedy):
      "group \(group), response \(response): '\(field)' is not filled; \(remedy)"
    case .padIsEnd(let id):
      """
      token \(id) is both the padding and the end of a response: a policy trained with it never \
      learns to stop; expected another pad_token_id, or null, in the model folder's config.json and \
      generation_config.json
      """
    case .ratioNotOne(let response, let token, let recorded, let recomputed, let tolerance):
      """
      response \(response), token \(token): log-prob \(recomputed) under the unchanged policy, but \
      \(recorded) was recorded; expected a ratio of 1 within \(tolerance)
      """
    case .corrupt(let path, let reason):
      "\(path): \(reason)"
    }
  }
}
