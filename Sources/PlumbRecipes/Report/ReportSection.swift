/// A part of the report: a title and blocks in order.
public struct ReportSection: Codable, Hashable, Sendable {
  /// The heading.
  public var title: String
  /// The content.
  public var blocks: [ReportBlock]

  /// A section.
  public init(_ title: String, _ blocks: [ReportBlock] = []) {
    self.title = title
    self.blocks = blocks
  }
}

/// A piece of a section.
///
/// All texts are plain text and are escaped.
public enum ReportBlock: Codable, Hashable, Sendable {
  /// A heading inside the section.
  case heading(String)
  /// Running text.
  case paragraph(String)
  /// A table; numbers are set flush right.
  case table(TextTable)
  /// Plots, side by side where the page is wide enough.
  case charts([Chart])
  /// Answers of several models to the same prompts.
  case samples([SampleRow])
  /// Statements with measured value, bound and whether they held.
  case claims([Claim])
  /// Text in fixed width behind a fold, such as a configuration.
  case details(summary: String, text: String)
}

/// One prompt and what each model answered.
public struct SampleRow: Codable, Hashable, Sendable {
  /// One model's answer.
  public struct Answer: Codable, Hashable, Sendable {
    /// The model.
    public var model: String
    /// Its text.
    public var text: String
    /// What is known about it, such as "reward 1.24"; may be empty.
    public var note: String

    /// An answer.
    public init(model: String, text: String, note: String = "") {
      self.model = model
      self.text = text
      self.note = note
    }
  }

  /// The prompt.
  public var prompt: String
  /// The answers, in the same order of models in every row.
  public var answers: [Answer]

  /// A row.
  public init(prompt: String, answers: [Answer]) {
    self.prompt = prompt
    self.answers = answers
  }
}
