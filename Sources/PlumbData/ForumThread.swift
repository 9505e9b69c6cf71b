import PlumbCheckpoints
public import PlumbTokenizers

/// A question of a forum with its answers and their votes.
public struct ForumThread: PromptRecord {
  /// One answer.
  public struct Answer: Codable, Hashable, Sendable {
    /// Unique on its site.
    public var id: String
    /// Votes for minus votes against.
    public var score: Int
    /// True if the person who asked accepted it.
    public var accepted: Bool
    /// When it was written, ISO 8601, empty if unknown.
    public var created: String
    /// The answer.
    public var text: String

    /// An answer from its parts.
    public init(id: String, score: Int, accepted: Bool, created: String = "", text: String) {
      self.id = id
      self.score = score
      self.accepted = accepted
      self.created = created
      self.text = text
    }

    /// The votes that WorldPM compares: acceptance counts as one more (arXiv 2505.10527, §3.1.1).
    public var netVotes: Int { accepted && score < .max ? score + 1 : score }
  }

  /// The site, such as `beer`.
  public var site: String
  /// Unique on its site.
  public var id: String
  /// The question in one line.
  public var title: String
  /// The question in full.
  public var body: String
  /// The subjects.
  public var tags: [String]
  /// Votes for minus votes against the question.
  public var score: Int
  /// When it was asked, ISO 8601, empty if unknown.
  public var created: String
  /// The answers, in the order of the file.
  public var answers: [Answer]

  /// A thread from its parts.
  public init(
    site: String, id: String, title: String, body: String, tags: [String] = [], score: Int = 0,
    created: String = "", answers: [Answer]
  ) {
    self.site = site
    self.id = id
    self.title = title
    self.body = body
    self.tags = tags
    self.score = score
    self.created = created
    self.answers = answers
  }

  /// The question as one user turn: title, empty line, body.
  public var prompt: [Message] {
    let parts = [title, body].filter { !trimmed($0).isEmpty }
    return [Message(role: "user", content: parts.joined(separator: "\n\n"))]
  }

  /// All text of the thread: the question, then the answers.
  public var text: String {
    ([title, body] + answers.map(\.text)).filter { !$0.isEmpty }.joined(separator: "\n\n")
  }
}

extension ForumThread {
  /// Reads the fields `site, id, title, body, tags, score, created, answers`.
  init(_ fields: RowFields) throws {
    guard let list = fields["answers"]?.array else {
      throw fields.fault("answers", expected: "a list of answers", found: fields["answers"])
    }
    self.init(
      site: fields["site"]?.string ?? fields.source, id: fields.id,
      title: try fields.content(fields["title"] ?? .null, "title"),
      body: try fields.content(fields["body"] ?? .null, "body"),
      tags: (fields["tags"]?.array ?? []).compactMap(\.string),
      score: fields["score"]?.integer ?? 0, created: fields["created"]?.string ?? "",
      answers: try list.enumerated().map { index, answer in
        guard let score = answer["score"]?.integer else {
          throw fields.fault("answers[\(index)].score", expected: "votes", found: answer["score"])
        }
        guard let text = answer["text"]?.string ?? answer["body"]?.string else {
          throw fields.fault("answers[\(index)].text", expected: "a string", found: answer["text"])
        }
        return Answer(
          id: answer["id"]?.string ?? answer["id"]?.integer.map(String.init) ?? "\(index)",
          score: score, accepted: answer["accepted"]?.bool ?? false,
          created: answer["created"]?.string ?? "", text: text)
      })
  }
}
