public import PlumbCheckpoints

/// What was read, what was left out and why, and what was written.
public struct ForumPairsReport: Codable, Hashable, Sendable {
  /// A test set and what it shared.
  public struct TestSet: Codable, Hashable, Sendable {
    /// Its name.
    public let name: String
    /// Texts that were read from it.
    public let texts: Int
    /// What was dropped because of it.
    public let dropped: ContaminationCounts
  }

  /// A file that was written.
  public struct Output: Codable, Hashable, Sendable {
    /// The part: `train`, `validation`, `test` or `held-out`.
    public let part: String
    /// The name of the file.
    public let file: String
    /// Pairs in it.
    public let pairs: Int
  }

  /// The options that made it.
  public let options: ForumPairOptions
  /// The files that were read.
  public let inputs: [ForumInputReport]
  /// Everything that was counted.
  public let counts: ForumCounts
  /// The test sets.
  public let testSets: [TestSet]
  /// The files that were written.
  public let outputs: [Output]
  /// What the reader should know.
  public let notes: [String]

  /// The report as one JSON object; counts that are zero are there too.
  public var json: JSONValue {
    func fields(_ pairs: KeyValuePairs<String, JSONValue>) -> JSONValue {
      .object(pairs.map { JSONField(key: $0.key, value: $0.value) })
    }
    func object(_ kinds: [ForumCount], _ counts: ForumCounts) -> JSONValue {
      .object(kinds.map { JSONField(key: $0.rawValue, value: .integer(counts[$0])) })
    }
    return fields([
      "inputs": .array(
        inputs.map { input in
          fields([
            "file": .string(input.file), "format": .string(input.format.rawValue),
            "site": input.site.map { .string($0) } ?? .null, "bytes": .integer(input.bytes),
            "counts": object(ForumCount.ofRows, input.counts),
            "malformed_examples": .array(
              input.examples.map {
                fields(["offset": .integer($0.offset), "fault": .string($0.fault)])
              }),
            "notes": .array(input.notes.map { .string($0) }),
          ])
        }),
      "rows": object(ForumCount.ofRows, counts), "posts": object(ForumCount.ofPosts, counts),
      "pairs": object(ForumCount.ofPairs, counts),
      "test_sets": .array(
        testSets.map {
          fields([
            "name": .string($0.name), "texts": .integer($0.texts),
            "contaminated_questions": .integer($0.dropped.questions),
            "contaminated_answers": .integer($0.dropped.answers),
          ])
        }),
      "outputs": .array(
        outputs.map {
          fields([
            "part": .string($0.part), "file": .string($0.file), "pairs": .integer($0.pairs),
          ])
        }),
      "notes": .array(notes.map { .string($0) }),
    ])
  }

  /// The report as a few lines of plain text.
  public var table: String {
    var lines: [String] = []
    for input in inputs {
      lines.append(
        "\(input.file): \(input.format.rawValue), \(input.bytes) bytes, "
          + "\(input.counts[.rows]) rows, \(input.counts[.malformed]) malformed")
      for example in input.examples {
        lines.append("  malformed at byte \(example.offset): \(example.fault)")
      }
      lines += input.notes.map { "  note: \($0)" }
    }
    func section(_ title: String, _ kinds: [ForumCount]) {
      lines.append(title)
      for kind in kinds where counts[kind] > 0 {
        let name = kind.rawValue.split(separator: "_").joined(separator: " ")
        lines.append("  \(name): \(counts[kind])")
      }
    }
    section("rows", ForumCount.ofRows)
    section("posts", ForumCount.ofPosts)
    section("pairs", ForumCount.ofPairs)
    for set in testSets {
      lines.append(
        "test set \(set.name): \(set.texts) texts, dropped \(set.dropped.questions) questions "
          + "and \(set.dropped.answers) answers")
    }
    for output in outputs { lines.append("\(output.file): \(output.pairs) pairs") }
    lines += notes.map { "note: \($0)" }
    return lines.joined(separator: "\n")
  }
}

extension ForumCount {
  /// What is counted while rows are read.
  static let ofRows: [ForumCount] = [
    .rows, .questions, .answers, .other, .malformed, .tooLong, .nestedReply, .deleted, .moderator,
    .hiddenScore, .adult,
  ]
  /// What becomes of questions and answers.
  static let ofPosts: [ForumCount] = [
    .repeated, .orphan, .unanswered, .duplicate, .emptyPrompt, .promptTooLong, .contaminatedPrompt,
    .answersOverLimit, .emptyAnswer, .answerTooShort, .answerTooLong, .contaminatedAnswer, .tooDeep,
    .used,
  ]
  /// What becomes of pairs: the first is the sum of the others.
  static let ofPairs: [ForumCount] = [
    .candidates, .tie, .marginTooSmall, .ratioTooSmall, .earlierWon, .noTime, .questionDropped,
    .unusable, .identical, .overLimit, .pairs,
  ]
}
