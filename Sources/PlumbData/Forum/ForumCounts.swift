/// What is counted while pairs are made; the raw value is the name in the report.
public enum ForumCount: String, CaseIterable, Codable, Sendable, CodingKeyRepresentable {
  // Rows.
  /// Rows, lines or threads of the inputs.
  case rows
  /// Questions among them.
  case questions
  /// Answers among them.
  case answers
  /// Rows that are neither, such as pages of a tag's wiki.
  case other = "other_rows"
  /// Rows that could not be read.
  case malformed = "malformed_rows"
  /// Rows above the limit of bytes.
  case tooLong = "rows_too_large"
  /// Comments on comments.
  case nestedReply = "nested_replies"
  /// Texts that their authors or moderators took away.
  case deleted = "deleted_texts"
  /// Comments of moderators' programs, and those pinned to the top.
  case moderator = "moderators_comments"
  /// Posts whose votes are not shown.
  case hiddenScore = "hidden_scores"
  /// Submissions for adults.
  case adult = "adult_submissions"

  // Posts.
  /// Posts that were read twice.
  case repeated = "repeated_posts"
  /// Answers whose question is not in the inputs.
  case orphan = "answers_without_question"
  /// Questions with fewer than two answers.
  case unanswered = "questions_with_fewer_than_two_answers"
  /// Questions whose text was seen before.
  case duplicate = "duplicate_questions"
  /// Questions without text.
  case emptyPrompt = "questions_without_text"
  /// Questions above the limit.
  case promptTooLong = "questions_too_long"
  /// Questions that are in a test set.
  case contaminatedPrompt = "contaminated_questions"
  /// Answers without text.
  case emptyAnswer = "empty_answers"
  /// Answers above the limit.
  case answerTooLong = "answers_too_long"
  /// Answers below the limit.
  case answerTooShort = "answers_too_short"
  /// Answers beyond the number that is compared for one question.
  case answersOverLimit = "answers_over_limit"
  /// Answers that are in a test set.
  case contaminatedAnswer = "contaminated_answers"
  /// Posts whose elements are nested too deeply to be text.
  case tooDeep = "posts_nested_too_deeply"
  /// Questions that gave a pair.
  case used = "questions_used"

  // Pairs.
  /// Two answers to one question.
  case candidates = "candidate_pairs"
  /// Answers with equal votes.
  case tie = "ties"
  /// The lead is below the minimum.
  case marginTooSmall = "margin_too_small"
  /// The ratio is below the minimum.
  case ratioTooSmall = "ratio_too_small"
  /// SHP's rule: the better answer is not the later one.
  case earlierWon = "earlier_answer_scored_higher"
  /// SHP's rule: a time is missing.
  case noTime = "time_unknown"
  /// The question cannot be used.
  case questionDropped = "question_not_usable"
  /// An answer of the pair cannot be used.
  case unusable = "answer_not_usable"
  /// Both answers say the same.
  case identical = "identical_answers"
  /// More pairs than are taken from one question.
  case overLimit = "over_pairs_per_post"
  /// Pairs that were written.
  case pairs
}

/// Counters of everything in ``ForumCount``.
public struct ForumCounts: Codable, Hashable, Sendable {
  private var values: [ForumCount: Int] = [:]

  /// Nothing counted yet.
  public init() {}

  /// The count of `kind`.
  public subscript(_ kind: ForumCount) -> Int {
    get { values[kind] ?? 0 }
    set { values[kind] = newValue }
  }

  /// Adds the counts of `other`.
  mutating func add(_ other: ForumCounts) {
    for (kind, count) in other.values { self[kind] += count }
  }
}
