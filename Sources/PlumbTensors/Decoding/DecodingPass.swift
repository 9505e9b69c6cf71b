import CKernels

/// The tokens of one pass and the memory it runs through, which is kept for the next.
///
/// Written only through the one session that holds it, which makes it sendable.
final class DecodingPass: @unchecked Sendable {
  /// Tokens that go through the layers together.
  ///
  /// With more of them the activations of a layer would no longer fit the second cache beside a panel
  /// of weights.
  static let mostRows = 256

  private var isDone = false
  private var tokens = GrowingList<Int32>()
  private var positions = GrowingList<Int32>()
  /// Runs of tokens: the sequence and the first row of each.
  private var partSequences = GrowingList<Int>()
  private var partRows = GrowingList<Int>()
  private var logitRows = GrowingList<Int32>()
  private var drawRows = GrowingList<Int32>()
  private var uniforms = GrowingList<Double>()
  private var seen: [TokenSet?] = []
  private var seenWords = GrowingList<UnsafePointer<UInt64>?>()
  private var drawnTokens = GrowingList<Int32>()
  private var drawnLogprobs = GrowingList<Float>()

  // For the kernel: pages of each part, where they begin, and the same for each row.
  private var pages = GrowingList<UnsafeMutablePointer<Float>?>()
  private var firstPages = GrowingList<Int>()
  private var rowPages = GrowingList<UnsafePointer<UnsafeMutablePointer<Float>?>?>()
  private var localLogitRows = GrowingList<Int32>()
  private var buffers = PassBuffers()

  init() {}

  deinit {
    tokens.free()
    positions.free()
    partSequences.free()
    partRows.free()
    logitRows.free()
    drawRows.free()
    uniforms.free()
    seenWords.free()
    drawnTokens.free()
    drawnLogprobs.free()
    pages.free()
    firstPages.free()
    rowPages.free()
    localLogitRows.free()
  }

  /// What was fed, asked for and computed, in memory of its own.
  func copy() -> DecodingPass {
    let result = DecodingPass()
    result.isDone = isDone
    Self.replace(&result.tokens, by: tokens)
    Self.replace(&result.positions, by: positions)
    Self.replace(&result.partSequences, by: partSequences)
    Self.replace(&result.partRows, by: partRows)
    Self.replace(&result.logitRows, by: logitRows)
    Self.replace(&result.drawRows, by: drawRows)
    Self.replace(&result.uniforms, by: uniforms)
    Self.replace(&result.drawnTokens, by: drawnTokens)
    Self.replace(&result.drawnLogprobs, by: drawnLogprobs)
    result.seen = seen
    result.buffers.logits = buffers.logits.map { $0.copy(count: $0.count) }
    return result
  }

  private static func replace<T>(_ list: inout GrowingList<T>, by other: GrowingList<T>) {
    list.free()
    list = other.copy()
  }

  /// Tokens that wait to be computed.
  var waitingCount: Int { isDone ? 0 : tokens.count }

  /// Starts a run of tokens of a sequence.
  func begin(_ sequence: Int) {
    if isDone { reset() }
    partSequences.append(sequence)
    partRows.append(tokens.count)
  }

  private func reset() {
    isDone = false
    tokens.removeAll()
    positions.removeAll()
    partSequences.removeAll()
    partRows.removeAll()
    logitRows.removeAll()
    drawRows.removeAll()
    uniforms.removeAll()
    seen.removeAll(keepingCapacity: true)
    drawnTokens.removeAll()
    drawnLogprobs.removeAll()
  }

  func append(token: Int32, position: Int) {
    tokens.append(token)
    positions.append(Int32(position))
  }

  /// The number of the row of logits after the token appended last.
  func readLogits() -> Int {
    logitRows.append(Int32(tokens.count - 1))
    return logitRows.count - 1
  }

  func draw(from row: Int, uniform: Double, seen set: TokenSet?) {
    precondition(
      !isDone && row >= 0 && row < logitRows.count,
      "DecodingSession.draw: expected a row of logits below \(logitRows.count), found \(row)")
    drawRows.append(Int32(row))
    uniforms.append(uniform)
    seen.append(set)
  }

  var drawCount: Int { drawnTokens.count }

  func drawn(_ index: Int) -> TokenDraw? {
    let token = drawnTokens[index]
    return token < 0 ? nil : TokenDraw(token: token, logprob: drawnLogprobs[index])
  }

  func logits(row: Int, vocabularySize: Int) -> [Float] {
    precondition(
      isDone && row >= 0 && row < logitRows.count,
      "DecodingSession.logits: expected a row below \(logitRows.count), found \(row)")
    guard let logits = buffers.logits else { return [] }
    let start = logits.base + row * vocabularySize
    return Array(UnsafeBufferPointer(start: start, count: vocabularySize))
  }

  func logits(vocabularySize: Int) -> Tensor {
    precondition(isDone, "DecodingSession.logits: expected a pass before")
    return Tensor.make([logitRows.count, vocabularySize]) { result in
      guard let logits = buffers.logits else { return }
      result.withBase { $0.update(from: logits.base, count: logitRows.count * vocabularySize) }
    }
  }

  /// Runs the layers over all rows, `mostRows` at a time, and makes the draws after the last.
  /// - Parameter listPages: appends the addresses of a sequence's pages.
  func run(
    _ decoder: PackedDecoder, _ options: DrawOptions,
    listPages: (Int, inout GrowingList<UnsafeMutablePointer<Float>?>) -> Void
  ) {
    precondition(!isDone && tokens.count > 0, "DecodingSession.run: expected tokens to compute")
    if options.repetitionPenalty != 1 { listSeen(decoder.vocabularySize) }
    pages.removeAll()
    firstPages.removeAll()
    for part in 0..<partSequences.count {
      firstPages.append(pages.count)
      listPages(partSequences[part], &pages)
    }
    drawnTokens.append(repeating: -1, count: drawRows.count)
    drawnLogprobs.append(repeating: 0, count: drawRows.count)
    var longest: Int32 = 0
    for row in 0..<tokens.count { longest = max(longest, positions[row]) }
    buffers.prepare(
      for: decoder, rows: min(tokens.count, Self.mostRows), logitRows: logitRows.count,
      longest: Int(longest) + 1)
    var (first, part, logitRow) = (0, 0, 0)
    while first < tokens.count {
      let rows = first..<min(tokens.count, first + Self.mostRows)
      var view = view(of: rows, decoder, options, part: &part, logitRow: &logitRow)
      var decoderView = decoder.view
      EngineTrace.note(decoderView, view)
      withExtendedLifetime((decoder, seen)) { plumb_decode(&decoderView, &view) }
      first = rows.upperBound
    }
    // Their owners write to the sets next, and would copy what somebody else holds.
    seen.removeAll(keepingCapacity: true)
    isDone = true
  }

  private func listSeen(_ vocabularySize: Int) {
    seenWords.removeAll()
    for set in seen {
      guard let set else {
        preconditionFailure("DecodingSession.run: expected a set of seen tokens for each draw")
      }
      set.reserve(vocabularySize)
      seenWords.append(set.words)
    }
  }

  /// What the kernel needs for some of the rows; `part` and `logitRow` go along.
  private func view(
    of rows: Range<Int>, _ decoder: PackedDecoder, _ options: DrawOptions, part: inout Int,
    logitRow: inout Int
  ) -> plumb_decoding_pass {
    rowPages.removeAll()
    for row in rows {
      while part + 1 < partRows.count, partRows[part + 1] <= row { part += 1 }
      rowPages.append(pages.base + firstPages[part])
    }
    let firstLogits = logitRow
    localLogitRows.removeAll()
    while logitRow < logitRows.count, logitRows[logitRow] < rows.upperBound {
      localLogitRows.append(logitRows[logitRow] - Int32(rows.lowerBound))
      logitRow += 1
    }
    var view = plumb_decoding_pass()
    view.rows = rows.count
    view.tokens = UnsafePointer(tokens.base + rows.lowerBound)
    view.positions = UnsafePointer(positions.base + rows.lowerBound)
    view.pages = UnsafePointer(rowPages.base)
    view.is_one_per_sequence = partRows.count == tokens.count
    view.logit_rows = localLogitRows.count
    view.logit_row = UnsafePointer(localLogitRows.base)
    buffers.fill(&view, firstLogits: firstLogits, decoder)
    if rows.upperBound == tokens.count { fill(&view.draws, options) }
    return view
  }

  private func fill(_ draws: inout plumb_draws, _ options: DrawOptions) {
    draws.count = drawRows.count
    draws.options = options.view
    draws.logits = buffers.logits.map { UnsafePointer($0.base) }
    draws.rows = UnsafePointer(drawRows.base)
    draws.uniforms = UnsafePointer(uniforms.base)
    draws.seen = options.repetitionPenalty == 1 ? nil : UnsafePointer(seenWords.base)
    draws.tokens = drawnTokens.base
    draws.logprobs = drawnLogprobs.base
  }
}
