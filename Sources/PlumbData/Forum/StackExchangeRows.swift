import Glibc

/// Turns the attributes of Stack Exchange's `Posts.xml` into posts.
///
/// The schema (Stack Exchange data dump, `Posts`): `Id`, `PostTypeId` (1 question, 2 answer, others
/// wiki pages and nominations), `ParentId`, `AcceptedAnswerId`, `Score`, `CreationDate`, `Title`,
/// `Body` (HTML), `ContentLicense` (since 2021).
struct StackExchangeRows {
  /// What one row is.
  enum Outcome {
    /// A question or an answer, in `post`.
    case post
    /// A page of a tag's wiki, an election's nomination and the like.
    case other
    /// What the row lacks.
    case malformed(String)
  }

  private let parser = RowParser()
  private var plain = PlainRow()

  /// Reads `row` into `post`, whose old content is lost.
  mutating func read(_ row: ByteSpan, into post: inout ForumPost) -> Outcome {
    var fields = Fields()
    post.reset()
    if !plain.read(row, { fields.take($0, $1, into: &post) }) {
      fields = Fields()
      post.reset()
      guard parser.parse(row, { fields.take($0, $1, into: &post) }) else {
        return .malformed(parser.fault)
      }
    }
    return Self.judge(fields, &post)
  }

  /// What is read apart from the texts.
  private struct Fields {
    var type: Int?
    var score: Int?
    var parent: Int?
    var hasBody = false

    mutating func take(_ name: ByteSpan, _ value: ByteSpan, into post: inout ForumPost) {
      // Most attributes of a row are not read; their first letters rule them out.
      switch name.first {
      case UInt8(ascii: "I") where name.isEqual("Id"):
        post.key = UInt64(StackExchangeRows.number(value) ?? 0)
        post.id.append(contentsOf: value)
      case UInt8(ascii: "P") where name.isEqual("PostTypeId"):
        type = StackExchangeRows.number(value)
      case UInt8(ascii: "P") where name.isEqual("ParentId"):
        parent = StackExchangeRows.number(value)
      case UInt8(ascii: "A") where name.isEqual("AcceptedAnswerId"):
        post.acceptedKey = UInt64(StackExchangeRows.number(value) ?? 0)
      case UInt8(ascii: "S") where name.isEqual("Score"):
        score = StackExchangeRows.number(value, signed: true)
      case UInt8(ascii: "C") where name.isEqual("CreationDate"):
        post.time = ForumTime.milliseconds(value)
      case UInt8(ascii: "C") where name.isEqual("ContentLicense"):
        post.license.append(contentsOf: value)
      case UInt8(ascii: "T") where name.isEqual("Title"): post.title.append(contentsOf: value)
      case UInt8(ascii: "B") where name.isEqual("Body"):
        hasBody = true
        post.text.append(contentsOf: value)
      default: break
      }
    }
  }

  private static func judge(_ fields: Fields, _ post: inout ForumPost) -> Outcome {
    guard post.key > 0 else { return .malformed("no Id, or one that is no positive number") }
    guard let type = fields.type else {
      return .malformed("no PostTypeId, or one that is no number")
    }
    guard type == 1 || type == 2 else { return .other }
    guard let score = fields.score else { return .malformed("no Score, or one that is no number") }
    guard fields.hasBody else { return .malformed("no Body") }
    post.score = score
    post.isAnswer = type == 2
    post.thread = post.key
    if post.isAnswer {
      guard let parent = fields.parent, parent > 0 else {
        return .malformed("an answer without ParentId")
      }
      post.thread = UInt64(parent)
      post.acceptedKey = 0
    }
    return .post
  }

  /// The whole number that `text` is, if it is one that fits.
  static func number(_ text: ByteSpan, signed: Bool = false) -> Int? {
    var digits = text[...]
    let isNegative = signed && digits.first == UInt8(ascii: "-")
    if isNegative { digits = digits.dropFirst() }
    guard !digits.isEmpty, digits.count <= 18 else { return nil }
    var value = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { return nil }
      value = value * 10 + Int(digit) - 0x30
    }
    return isNegative ? -value : value
  }
}

extension ByteSpan {
  /// Whether the bytes are `text`.
  fileprivate func isEqual(_ text: StaticString) -> Bool {
    guard let baseAddress else { return text.utf8CodeUnitCount == 0 }
    return count == text.utf8CodeUnitCount && memcmp(baseAddress, text.utf8Start, count) == 0
  }
}
