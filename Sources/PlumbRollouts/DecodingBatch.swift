import PlumbModels
import PlumbTensors

/// The rows that are being decoded, and those that wait for a place.
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
  }

  /// Told of every drawn token, and why the row ended if it did.
  typealias Report = (ResponsePlace, TokenSampler.Draw, FinishReason?) -> Void

  private var state: DecodingState
  private var active: [Row] = []
  private var waiting: ArraySlice<Row>
  private let prompts: [[Int32]]
  private let options: SamplingOptions
  private let stopTokens: Set<Int>
  private let maximumRows: Int
  private let vocabularySize: Int
  /// Prompt tokens computed in one pass; bounds memory.
  private let prefillBudget = 4096

  init(
    model: CausalLM, prompts: [[Int32]], rows: [Row], options: SamplingOptions,
    stopTokens: Set<Int>, maximumRows: Int
  ) {
    state = DecodingState(model)
    vocabularySize = model.configuration.vocabularySize
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
    if !active.isEmpty {
      let logits = state.step(tokens: active.map(\.pending))
      var rows = active
      try draw(&rows, logits, report)
      let kept = rows.indices.filter { rows[$0].room > 0 }
      if kept.count < rows.count { state.keep(rows: kept) }
      active = kept.map { rows[$0] }
    }
    // Joining in fours keeps the first passes over prompts from becoming single rows.
    if active.isEmpty || active.count <= maximumRows - max(1, maximumRows / 4) {
      while !waiting.isEmpty, active.count < maximumRows { try join(report) }
    }
  }

  /// Computes the prompts of waiting rows, as many as fit, and draws their first tokens.
  private mutating func join(_ report: Report) throws {
    var started: [[Int32]] = []
    var copies: [Int] = []
    var tokens = 0
    var last: Int?
    var count = 0
    for row in waiting.prefix(maximumRows - active.count) {
      let group = row.place.group
      if group == last {
        copies[copies.count - 1] += 1
      } else {
        if count > 0, tokens + prompts[group].count > prefillBudget { break }
        tokens += prompts[group].count
        started.append(prompts[group])
        copies.append(1)
        last = group
      }
      count += 1
    }
    var rows = Array(waiting.prefix(count))
    waiting = waiting.dropFirst(count)
    let logits = try state.append(prompts: started, copies: copies)
    try draw(&rows, logits, report)
    let kept = rows.indices.filter { rows[$0].room > 0 }
    if kept.count < rows.count {
      state.keep(rows: Array(active.indices) + kept.map { active.count + $0 })
    }
    active += kept.map { rows[$0] }
  }

  /// Draws a token for each row; a row that ends has no room left afterwards.
  private func draw(_ rows: inout [Row], _ logits: Tensor, _ report: Report) throws {
    // Without filters one vectorised softmax serves all rows.
    let isUnfiltered = options.isUnfiltered
    let values =
      isUnfiltered ? softmax(logits / options.temperature).scalars : logits.scalars
    for index in rows.indices {
      let row = values[index * vocabularySize..<(index + 1) * vocabularySize]
      let draw =
        isUnfiltered
        ? rows[index].sampler.next(probabilities: row) : rows[index].sampler.next(Array(row))
      guard let draw else {
        throw RolloutError.logitsNotFinite(
          row: rows[index].place.group, response: rows[index].place.response)
      }
      rows[index].pending = draw.token
      rows[index].room -= 1
      var reason: FinishReason?
      if stopTokens.contains(Int(draw.token)) {
        rows[index].room = 0
        reason = .stop
      } else if rows[index].room == 0 {
        reason = .length
      }
      report(rows[index].place, draw, reason)
    }
  }
}
