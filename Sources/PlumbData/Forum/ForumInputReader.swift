import FoundationEssentials
import PlumbCheckpoints
import PlumbTokenizers

/// Reads one file of a forum post by post, whatever it is cut or spoilt by.
struct ForumInputReader {
  let input: ForumInput
  let options: ForumPairOptions
  /// What was found so far.
  private(set) var report: ForumInputReport
  /// Where posts of this file look for each other.
  private let space: UInt64
  private var stackExchange = StackExchangeRows()
  private var post = ForumPost()
  private var hasEnd = false

  /// Takes a post and its space.
  typealias Sink = (_ post: ForumPost, _ space: UInt64) throws -> Void

  /// - Parameter report: of an interrupted run, to continue.
  init(_ input: ForumInput, options: ForumPairOptions, report: ForumInputReport? = nil) {
    self.input = input
    self.options = options
    self.report = report ?? ForumInputReport(input)
    space = Self.space(of: input)
  }

  /// Posts with equal spaces look for each other: those of a site, or of all of Reddit.
  static func space(of input: ForumInput) -> UInt64 {
    switch input.format {
    case .reddit: 1
    case .threads: 2
    case .stackExchange: StableHash.of(input.site) | 4
    }
  }

  /// Reads from byte `offset` of the content to the end.
  ///
  /// After every piece `pause` learns the place from which another reader could continue, or nil
  /// if there is none just there, and the bytes of the file that were taken. Throws what `sink` and
  /// `pause` throw, and `CheckpointError` for a file that cannot be read at all; a compressed
  /// stream that is cut or corrupt ends the file with a note.
  mutating func read(
    from offset: Int, into sink: Sink,
    pause: (_ reader: ForumInputReader, _ resume: Int?, _ consumed: Int) throws -> Void
  ) throws {
    let reader = try ByteReader(contentsOf: input.url)
    var rest: [UInt8]? = offset > 0 ? try reader.skip(offset) : nil
    var rows = RowElements(limit: options.maximumRowByteCount, offset: offset)
    var lines = LineElements(limit: options.maximumRowByteCount, offset: offset)
    report.bytes = offset
    while let piece = try rest ?? next(reader) {
      rest = nil
      report.bytes += piece.count
      try piece.withUnsafeBufferPointer { bytes in
        if input.format == .stackExchange {
          try rows.consume(bytes) { try take($0, sink) }
        } else {
          try lines.consume(bytes) { try take($0, sink) }
        }
      }
      let resume = input.format == .stackExchange ? rows.resumeOffset : lines.resumeOffset
      try pause(self, resume, reader.consumedByteCount)
    }
    if input.format == .stackExchange {
      try rows.finish { try take($0, sink) }
      if !hasEnd { report.notes.append("the dump is cut: it ends without </posts>") }
    } else {
      try lines.finish { try take($0, sink) }
    }
    if report.counts[.rows] == 0 { report.notes.append("there is no row in this file") }
  }

  /// The next piece; nil at the end, also where a compressed stream breaks off.
  private mutating func next(_ reader: ByteReader) throws -> [UInt8]? {
    do {
      return try reader.next()
    } catch let error as CheckpointError where error.kind == .truncated || error.kind == .malformed
    {
      report.notes.append("\(error.message); what came before it was read")
      return nil
    }
  }

  private mutating func take(_ event: RowElements.Event, _ sink: Sink) throws {
    hasEnd = false
    switch event {
    case .row(let row, let offset):
      report.counts[.rows] += 1
      switch stackExchange.read(row, into: &post) {
      case .post: try deliver(sink)
      case .other: report.counts[.other] += 1
      case .malformed(let fault): report.addFault(at: offset, fault)
      }
    case .unended(let offset, let isLast):
      report.counts[.rows] += 1
      report.addFault(at: offset, isLast ? "the dump ends inside this row" : "the row has no end")
    case .tooLong(let offset):
      report.counts[.rows] += 1
      report.counts[.tooLong] += 1
      note("the row at byte \(offset) has more than \(options.maximumRowByteCount) bytes")
    case .documentType(let offset):
      note("the document type declaration at byte \(offset) was passed over")
    case .end: hasEnd = true
    }
  }

  private mutating func take(_ event: LineElements.Event, _ sink: Sink) throws {
    guard case .line(let line, let offset) = event else {
      report.counts[.rows] += 1
      report.counts[.tooLong] += 1
      return
    }
    if line.allSatisfy({ $0 <= 0x20 }) { return }
    report.counts[.rows] += 1
    if input.format == .threads { return try thread(line, offset, sink) }
    switch RedditRows(skipsAdult: options.skipsAdult).read(line, into: &post) {
    case .post: try deliver(sink)
    case .skipped(let reason): report.counts[reason] += 1
    case .malformed(let fault): report.addFault(at: offset, fault)
    }
  }

  /// A whole thread: its question, then its answers.
  private mutating func thread(_ line: ByteSpan, _ offset: Int, _ sink: Sink) throws {
    let thread: ForumThread
    do {
      let row = try JSONValue(parsing: Array(line))
      let decoder = RowDecoder(input.url)
      guard case .thread(let read) = try decoder.decode(row, line: report.counts[.rows]).row else {
        return report.addFault(at: offset, "no thread: title and answers are missing")
      }
      thread = read
    } catch let error as JSONError {
      return report.addFault(at: offset, error.description)
    } catch let error as DataError {
      let detail = [error.expected.map { "expected \($0)" }, error.found.map { "found \($0)" }]
      let parts = [error.message] + detail.compactMap { $0 }
      return report.addFault(at: offset, parts.joined(separator: ", "))
    }
    let key = StableHash.of(thread.site + "\u{0}" + thread.id)
    fill(key: key, id: thread.id, score: thread.score, created: thread.created, thread: key)
    post.site.append(contentsOf: thread.site.utf8)
    post.title.append(contentsOf: thread.title.utf8)
    post.text.append(contentsOf: thread.body.utf8)
    try deliver(sink)
    for answer in thread.answers {
      fill(
        key: StableHash.of(answer.id), id: answer.id, score: answer.score, created: answer.created,
        thread: key)
      (post.isAnswer, post.isAccepted) = (true, answer.accepted)
      post.text.append(contentsOf: answer.text.utf8)
      try deliver(sink)
    }
  }

  private mutating func fill(key: UInt64, id: String, score: Int, created: String, thread: UInt64) {
    post.reset()
    (post.key, post.thread, post.score, post.markup) = (key, thread, score, .text)
    post.time = ForumTime.milliseconds(Array(created.utf8))
    post.id.append(contentsOf: id.utf8)
  }

  private mutating func deliver(_ sink: Sink) throws {
    report.counts[post.isAnswer ? .answers : .questions] += 1
    try sink(post, space)
  }

  private mutating func note(_ text: String) {
    if report.notes.count < 8 { report.notes.append(text) }
  }
}
