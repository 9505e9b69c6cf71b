import PlumbTensors

/// The rows that are being decoded, and those that wait for a place.
///
/// One pass computes the next token of every active row and the prompts of rows that join, so that a
/// row that has ended is replaced at once.
struct DecodingBatch {
  /// One response in the making.
  struct Row {
    /// Which response.
    let place: ResponsePlace
    /// Draws its tokens.
    var sampler: TokenSampler
    /// Tokens that may still be drawn, at least 1 while the row lives.
    var room: Int
    /// The token drawn last, not yet seen by the model.
    var pending: Int32 = 0
    /// Its tokens so far, prompt included.
    var sequence = -1
  }

  /// Told of every drawn token, and why the row ended if it did.
  typealias Report = (ResponsePlace, TokenDraw, FinishReason?) -> Void

  /// A prompt that has been computed and still has rows waiting.
  private struct StartedPrompt {
    let group: Int
    let sequence: Int
    let logits: [Float]
  }

  private var session: DecodingSession
  private var active: [Row] = []
  private var waiting: ArraySlice<Row>
  private var started: StartedPrompt?
  private let prompts: [[Int32]]
  private let options: SamplingOptions
  private let stopTokens: Set<Int>
  private let maximumRows: Int
  /// Prompt tokens that may join in one pass, beside the first prompt; bounds memory.
  private let prefillBudget = 4096

  init(
    decoder: PackedDecoder, prompts: [[Int32]], rows: [Row], options: SamplingOptions,
    stopTokens: Set<Int>, maximumRows: Int
  ) {
    session = DecodingSession(decoder)
    waiting = rows[...]
    self.prompts = prompts
    self.options = options
    self.stopTokens = stopTokens
    self.maximumRows = maximumRows
  }

  /// Whether every row has ended.
  var isDone: Bool { active.isEmpty && waiting.isEmpty }

  /// Draws one token for every active row, and the first one for rows that join.
  mutating func advance(_ report: Report) throws {
    try joinStarted(report)
    for index in active.indices {
      let row = session.feed(
        CollectionOfOne(active[index].pending), to: active[index].sequence, readsLogits: true)
      requestDraw(index, from: row)
    }
    let joined = joinPrompts()
    guard !active.isEmpty else { return }
    session.run(options.draws)
    if let joined, waiting.first?.place.group == joined.group {
      started = StartedPrompt(
        group: joined.group, sequence: session.fork(joined.sequence),
        logits: session.logits(row: joined.logitRow))
    }
    for index in active.indices { try take(session.drawn(index), at: index, report) }
    dropEnded()
  }

  /// Starts rows whose prompt was computed before, for as many as there is room.
  private mutating func joinStarted(_ report: Report) throws {
    guard let prompt = started else { return }
    while active.count < maximumRows, var row = waiting.first, row.place.group == prompt.group {
      waiting.removeFirst()
      row.sequence = session.fork(prompt.sequence)
      active.append(row)
      let index = active.count - 1
      let uniform = active[index].sampler.uniform()
      try take(
        TokenDraw.draw(
          from: prompt.logits, options.draws, uniform: uniform, seen: row.sampler.seen),
        at: index, report)
      dropEnded()
    }
    if waiting.first?.place.group != prompt.group {
      session.remove(prompt.sequence)
      started = nil
    }
  }

  /// Feeds the prompts of waiting rows, as many as fit, each once for all of its rows.
  /// - Returns: the last of them, its sequence and its row of logits.
  private mutating func joinPrompts() -> (group: Int, sequence: Int, logitRow: Int)? {
    var tokens = 0
    var last: (group: Int, sequence: Int, logitRow: Int)?
    while active.count < maximumRows, var row = waiting.first {
      if let last, last.group == row.place.group {
        row.sequence = session.fork(last.sequence)
      } else {
        let prompt = prompts[row.place.group]
        if last != nil, tokens + prompt.count > prefillBudget { break }
        tokens += prompt.count
        row.sequence = session.addSequence()
        last = (
          row.place.group, row.sequence,
          session.feed(prompt, to: row.sequence, readsLogits: true)
        )
      }
      waiting.removeFirst()
      active.append(row)
      requestDraw(active.count - 1, from: last?.logitRow ?? 0)
    }
    return last
  }

  private mutating func requestDraw(_ index: Int, from row: Int) {
    let uniform = active[index].sampler.uniform()
    session.draw(from: row, uniform: uniform, seen: active[index].sampler.seen)
  }

  /// Gives a row its token; a row that ends has no room left afterwards.
  private mutating func take(_ draw: TokenDraw?, at index: Int, _ report: Report) throws {
    let place = active[index].place
    guard let draw else {
      throw RolloutError.logitsNotFinite(row: place.group, response: place.response)
    }
    active[index].pending = draw.token
    active[index].sampler.note(draw.token)
    active[index].room -= 1
    var reason: FinishReason?
    if stopTokens.contains(Int(draw.token)) {
      active[index].room = 0
      reason = .stop
    } else if active[index].room == 0 {
      reason = .length
    }
    report(place, draw, reason)
  }

  /// Removes rows that have ended, and gives back their pages.
  private mutating func dropEnded() {
    var kept = 0
    for index in active.indices {
      if active[index].room == 0 {
        session.remove(active[index].sequence)
      } else {
        if kept < index { active.swapAt(kept, index) }
        kept += 1
      }
    }
    active.removeLast(active.count - kept)
  }
}
