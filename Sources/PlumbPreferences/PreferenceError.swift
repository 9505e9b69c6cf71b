/// What a preference model or judge refuses, with where it was, what was expected and what was found.
public enum PreferenceError: Error, Hashable, Sendable, CustomStringConvertible {
  /// `config.json` names an architecture that is not a preference model of Plumb.
  case unknownArchitecture(path: String, found: String)
  /// A key of `config.json` has a value that the model cannot be built from.
  case invalidConfiguration(path: String, key: String, expected: String, found: String)
  /// Prompt and response are both empty.
  case emptySequence(row: Int)
  /// A sequence does not fit into the model's context.
  case sequenceTooLong(row: Int, tokens: Int, limit: Int)
  /// A token id lies outside of the vocabulary.
  case tokenOutOfRange(row: Int, position: Int, token: Int, vocabularySize: Int)
  /// A response of a packed batch lacks the id at which the model reads.
  case endOfTextMissing(row: Int)
  /// A prompt gate needs to know where the prompt ends.
  case promptNeeded(row: Int)
  /// A pair model was asked about other than two responses.
  case pairNeeded(row: Int, found: Int)
  /// A score, reward or preference came out as NaN or infinite.
  case notFinite(row: Int, what: String, value: String)
  /// A judge answered with a wrong number of scores.
  case wrongCount(judge: String, expected: Int, found: Int)
  /// A judge answered without scores where scores are needed.
  case scoresNeeded(judge: String, row: Int)
  /// A mean preference over the other responses is asked for where there are none.
  case opponentsNeeded(judge: String, row: Int, found: Int)
  /// A rule compares with a known answer, which the prompt lacks.
  case answerNeeded(judge: String, row: Int, prompt: String)
  /// A model reads at another id than the one with which its tokenizer ends a text.
  case endOfTextDiffers(model: Int, tokenizer: Int)
  /// There is nothing to evaluate on.
  case noPairs
  /// Samples that give no normalisation: fewer than two, or all equal.
  case degenerateNormalisation(samples: Int, standardDeviation: Double)

  /// The sentence for a person.
  public var description: String {
    switch self {
    case .unknownArchitecture(let path, let found):
      """
      \(path): architecture '\(found)' is not a preference model; expected \
      <Family>ForRewardModel, <Family>ForSequenceClassification, <Family>ForGeneralPreference or \
      <Family>ForPairPreference
      """
    case .invalidConfiguration(let path, let key, let expected, let found):
      "\(path): key '\(key)': expected \(expected), found \(found)"
    case .emptySequence(let row):
      "row \(row): prompt and response are both empty; expected at least one token"
    case .sequenceTooLong(let row, let tokens, let limit):
      "row \(row): \(tokens) tokens, but the model's context holds \(limit)"
    case .tokenOutOfRange(let row, let position, let token, let vocabularySize):
      """
      row \(row), position \(position): token id \(token) is out of range; \
      expected 0 to \(vocabularySize - 1)
      """
    case .endOfTextMissing(let row):
      "row \(row): a response has no end-of-text token, at which the model reads"
    case .promptNeeded(let row):
      "row \(row): this model's prompt gate needs prompt and response apart, found bare tokens"
    case .pairNeeded(let row, let found):
      "row \(row): a pair model compares two responses, found \(found)"
    case .notFinite(let row, let what, let value):
      "row \(row): \(what) is \(value); expected a finite number"
    case .wrongCount(let judge, let expected, let found):
      "judge '\(judge)': expected \(expected) scores, one for each response, found \(found)"
    case .scoresNeeded(let judge, let row):
      """
      judge '\(judge)', row \(row): expected one score per response, found preferences only; in a \
      recipe, 'preference_reward: opponents' beside the judge makes scores of them
      """
    case .opponentsNeeded(let judge, let row, let found):
      """
      judge '\(judge)', row \(row): a preference over the other responses needs at least 2 responses \
      to a prompt, found \(found)
      """
    case .answerNeeded(let judge, let row, let prompt):
      """
      judge '\(judge)', row \(row): expected a known answer with the prompt\
      \(prompt.isEmpty ? "" : " '\(prompt)'"), found none; a row {"question": …, "answer": …} has one
      """
    case .endOfTextDiffers(let model, let tokenizer):
      "the model reads at token \(model), but its tokenizer ends a text with token \(tokenizer)"
    case .noPairs:
      "evaluation: expected at least one preference pair, found none"
    case .degenerateNormalisation(let samples, let standardDeviation):
      """
      reward normalisation: expected at least two samples that differ, found \(samples) with \
      standard deviation \(standardDeviation); in a recipe, 'normalize_rewards: false' leaves scores \
      as they are
      """
    }
  }
}

extension PreferenceError {
  /// The row at fault, where there is one.
  private var row: Int? {
    switch self {
    case .emptySequence(let row), .endOfTextMissing(let row), .promptNeeded(let row),
      .sequenceTooLong(let row, _, _), .tokenOutOfRange(let row, _, _, _), .pairNeeded(let row, _),
      .scoresNeeded(_, let row), .opponentsNeeded(_, let row, _), .answerNeeded(_, let row, _),
      .notFinite(let row, _, _):
      row
    case .unknownArchitecture, .invalidConfiguration, .wrongCount, .endOfTextDiffers, .noPairs,
      .degenerateNormalisation:
      nil
    }
  }

  /// The same error for the list that these rows were picked from.
  func movedTo(_ rows: [Int]) -> PreferenceError {
    guard let row, rows.indices.contains(row) else { return self }
    return movedDown(by: rows[row] - row)
  }

  /// The same error for a list of rows that begins this many rows further up.
  func movedDown(by rows: Int) -> PreferenceError {
    switch self {
    case .emptySequence(let row): .emptySequence(row: row + rows)
    case .sequenceTooLong(let row, let tokens, let limit):
      .sequenceTooLong(row: row + rows, tokens: tokens, limit: limit)
    case .tokenOutOfRange(let row, let position, let token, let vocabularySize):
      .tokenOutOfRange(
        row: row + rows, position: position, token: token, vocabularySize: vocabularySize)
    case .endOfTextMissing(let row): .endOfTextMissing(row: row + rows)
    case .promptNeeded(let row): .promptNeeded(row: row + rows)
    case .pairNeeded(let row, let found): .pairNeeded(row: row + rows, found: found)
    case .scoresNeeded(let judge, let row): .scoresNeeded(judge: judge, row: row + rows)
    case .opponentsNeeded(let judge, let row, let found):
      .opponentsNeeded(judge: judge, row: row + rows, found: found)
    case .answerNeeded(let judge, let row, let prompt):
      .answerNeeded(judge: judge, row: row + rows, prompt: prompt)
    case .notFinite(let row, let what, let value):
      .notFinite(row: row + rows, what: what, value: value)
    case .unknownArchitecture, .invalidConfiguration, .wrongCount, .endOfTextDiffers, .noPairs,
      .degenerateNormalisation:
      self
    }
  }
}
