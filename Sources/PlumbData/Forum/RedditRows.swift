/// Turns the lines of Reddit's monthly dumps (`RS_*` submissions, `RC_*` comments) into posts.
///
/// A submission is a question, a comment on the submission itself is an answer; comments on
/// comments are not. Texts are Markdown in which `&`, `<` and `>` are escaped as in HTML.
struct RedditRows {
  /// Leave out submissions that are marked as for adults.
  var skipsAdult = false

  /// What one line is.
  enum Outcome {
    /// A submission or a comment on one, in `post`.
    case post
    /// Well-formed, and left out for this reason.
    case skipped(ForumCount)
    /// What is wrong with the line.
    case malformed(String)
  }

  /// Reads `line` into `post`, whose old content is lost.
  func read(_ line: ByteSpan, into post: inout ForumPost) -> Outcome {
    post.reset()
    post.markup = .text
    var fields = Fields()
    guard JSONLineScanner.scan(line, { key, value in fields.take(key, value) }) else {
      return .malformed("the line is no JSON object")
    }
    guard case .string(let id)? = fields.id, let key = Self.base36(id) else {
      return .malformed("no id, or one that is not in base 36")
    }
    guard let score = fields.score?.integer else { return .malformed("no score") }
    post.id.append(contentsOf: id)
    (post.key, post.thread, post.score) = (key, key, score)
    if let seconds = fields.created?.integer, abs(seconds) < 1 << 40 {
      post.time = Int64(seconds) * 1000
    }
    if fields.isHiddenScore { return .skipped(.hiddenScore) }
    if fields.isBot { return .skipped(.moderator) }
    if case .string(let raw)? = fields.title { return submission(fields, raw, &post) }
    guard case .string(let link)? = fields.link, case .string(let parent)? = fields.parent,
      case .string(let raw)? = fields.body
    else { return .malformed("neither a submission nor a comment") }
    guard link.starts(with: "t3_".utf8), let thread = Self.base36(link.dropFirst(3)) else {
      return .malformed("a link_id that names no submission")
    }
    guard parent.elementsEqual(link) else { return .skipped(.nestedReply) }
    post.isAnswer = true
    post.thread = thread
    if Self.isGone(raw) { return .skipped(.deleted) }
    guard Self.text(raw, into: &post.text) else { return .malformed("a text with wrong escapes") }
    return .post
  }

  private func submission(_ fields: Fields, _ title: ByteSpan, _ post: inout ForumPost) -> Outcome {
    if skipsAdult, fields.isAdult { return .skipped(.adult) }
    guard case .string(let subreddit)? = fields.subreddit else {
      return .malformed("no subreddit")
    }
    post.site.append(contentsOf: "r/".utf8)
    guard JSONLineScanner.decode(subreddit, into: &post.site), Self.text(title, into: &post.title)
    else { return .malformed("a text with wrong escapes") }
    guard case .string(let raw)? = fields.selftext else { return .post }
    if Self.isGone(raw) || Self.isGone(title) { return .skipped(.deleted) }
    guard Self.text(raw, into: &post.text) else { return .malformed("a text with wrong escapes") }
    return .post
  }

  /// The members of a line that are read.
  private struct Fields {
    var id, score, created, title, selftext, subreddit: JSONLineScanner.Value?
    var link, parent, body: JSONLineScanner.Value?
    var isAdult = false
    var isHiddenScore = false
    var isBot = false

    mutating func take(_ key: ByteSpan, _ value: JSONLineScanner.Value) {
      switch key.count {
      case 2 where key.elementsEqual("id".utf8): id = value
      case 4 where key.elementsEqual("body".utf8): body = value
      case 5 where key.elementsEqual("score".utf8): score = value
      case 5 where key.elementsEqual("title".utf8): title = value
      case 6 where key.elementsEqual("author".utf8):
        if case .string(let name) = value, name.elementsEqual("AutoModerator".utf8) { isBot = true }
      case 7 where key.elementsEqual("link_id".utf8): link = value
      case 7 where key.elementsEqual("over_18".utf8): isAdult = value.isTrue
      case 8 where key.elementsEqual("selftext".utf8): selftext = value
      case 8 where key.elementsEqual("stickied".utf8): if value.isTrue { isBot = true }
      case 9 where key.elementsEqual("parent_id".utf8): parent = value
      case 9 where key.elementsEqual("subreddit".utf8): subreddit = value
      case 11 where key.elementsEqual("created_utc".utf8): created = value
      case 12 where key.elementsEqual("score_hidden".utf8): isHiddenScore = value.isTrue
      default: break
      }
    }
  }

  private static func isGone(_ raw: ByteSpan) -> Bool {
    raw.elementsEqual("[deleted]".utf8) || raw.elementsEqual("[removed]".utf8)
  }

  /// The number that an id such as `8xwlg` stands for, plus one so that none is 0.
  static func base36(_ text: some Collection<UInt8>) -> UInt64? {
    guard !text.isEmpty, text.count <= 12 else { return nil }
    var value: UInt64 = 0
    for byte in text {
      switch byte {
      case 0x30...0x39: value = value * 36 + UInt64(byte - 0x30)
      case 0x61...0x7a: value = value * 36 + UInt64(byte - 0x61) + 10
      default: return nil
      }
    }
    return value + 1
  }

  /// Decodes JSON's escapes, then HTML's `&amp;`, `&lt;` and `&gt;`.
  private static func text(_ raw: ByteSpan, into output: inout [UInt8]) -> Bool {
    guard JSONLineScanner.decode(raw, into: &output) else { return false }
    guard output.contains(UInt8(ascii: "&")) else { return true }
    var kept = 0
    var place = 0
    while place < output.count {
      var byte = output[place]
      var length = 1
      if byte == UInt8(ascii: "&") {
        for (name, character) in entities where output[place...].starts(with: name) {
          (byte, length) = (character, name.count)
        }
      }
      output[kept] = byte
      kept += 1
      place += length
    }
    output.removeLast(output.count - kept)
    return true
  }

  private static let entities: [([UInt8], UInt8)] = [
    (Array("&amp;".utf8), UInt8(ascii: "&")), (Array("&lt;".utf8), UInt8(ascii: "<")),
    (Array("&gt;".utf8), UInt8(ascii: ">")),
  ]
}
