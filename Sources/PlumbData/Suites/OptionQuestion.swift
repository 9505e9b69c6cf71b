public import PlumbTensors

/// A question that lists its options, one of which is right, as FLAN writes it.
///
/// ```text
/// What might a person see at the scene of a fire?
/// Options:
/// - smoke
/// - pleasure
/// ```
/// Options also stand as `(A) smoke`, and the answer may be the label alone: `(A)`.
public struct OptionQuestion: Codable, Hashable, Sendable {
  /// Unique in its file.
  public var id: String
  /// The data set it comes from.
  public var source: String
  /// The question with its options.
  public var question: String
  /// The options in their order.
  public var options: [String]
  /// The place of the right one in `options`.
  public var right: Int

  /// Reads a question and its answer; nil where no two options are listed or none is the answer.
  public init?(id: String, source: String, question: String, answer: String) {
    // FLAN writes line breaks as backslash and n.
    let text = trimmed(question.replacing("\\n", with: "\n"))
    guard let head = text.firstRange(of: "Options:") else { return nil }
    let options = text[head.upperBound...].split(separator: "\n").map { line in
      let line = trimmed(String(line))
      return trimmed(line.hasPrefix("- ") ? String(line.dropFirst(2)) : line)
    }.filter { !$0.isEmpty }
    let answer = trimmed(answer)
    guard options.count >= 2, Set(options).count == options.count, !answer.isEmpty,
      let right = Self.place(of: answer, in: options)
    else { return nil }
    self.id = id
    self.source = source
    self.question = text
    self.options = options
    self.right = right
  }

  private static func place(of answer: String, in options: [String]) -> Int? {
    if let exact = options.firstIndex(of: answer) { return exact }
    // A label: "(A)" of "(A) smoke", "Sentence A" of "Sentence A: …".
    let labelled = options.indices.filter { index in
      guard options[index].hasPrefix(answer) else { return false }
      let rest = options[index].dropFirst(answer.count)
      return answer.hasSuffix(")") || rest.first == ":"
    }
    return labelled.count == 1 ? labelled[0] : nil
  }

  /// The right option, and one of the others.
  public func pair(random: inout RandomStream) -> (right: String, wrong: String) {
    let other = (right + 1 + random.uniform(below: options.count - 1)) % options.count
    return (options[right], options[other])
  }
}
