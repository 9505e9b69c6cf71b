import CKernels

/// Sequences that grow together: their pages of keys and values, and the pass that computes tokens.
///
/// A pass takes any mixture of tokens: the next one of many sequences, and whole prompts of new ones.
/// Every product then reads its weights once for all of them. A sequence's numbers depend neither on
/// the others in a pass nor on the number of threads. Nothing is recorded for gradients, and nothing
/// is allocated per pass once the buffers have grown. A value: a copy goes its own way.
///
/// ```swift
/// var session = DecodingSession(decoder)
/// let story = session.addSequence()
/// let row = session.feed([1, 5, 3], to: story, readsLogits: true)
/// session.draw(from: row, uniform: 0.3)
/// session.run(DrawOptions())
/// let next = session.drawn(0)
/// ```
public struct DecodingSession: Sendable {
  /// The weights.
  public let decoder: PackedDecoder

  private struct Sequence: Sendable {
    var pages: [Int] = []
    var length = 0
  }

  private var sequences: [Sequence?] = []
  private var unused: [Int] = []
  private var pages: KeyValuePages
  private var pass = DecodingPass()

  /// A session without sequences.
  public init(_ decoder: PackedDecoder) {
    self.decoder = decoder
    var view = decoder.view
    pages = KeyValuePages(size: plumb_page_size(&view))
  }

  // MARK: Sequences

  /// Pages that hold keys and values now, 16 tokens each; shared ones count once.
  public var pageCount: Int { pages.usedCount }

  /// A new, empty sequence; its number is valid until `remove`.
  public mutating func addSequence() -> Int { place(Sequence()) }

  /// A new sequence that starts as another is now.
  ///
  /// They share pages, and a page is copied when one of them writes to it.
  public mutating func fork(_ sequence: Int) -> Int {
    let copy = existing(sequence)
    ownMemory()
    for page in copy.pages { pages.retain(page) }
    return place(copy)
  }

  /// Ends a sequence; its pages are free at once where no other reads them.
  public mutating func remove(_ sequence: Int) {
    ownMemory()
    for page in existing(sequence).pages { pages.release(page) }
    sequences[sequence] = nil
    unused.append(sequence)
  }

  /// Tokens of a sequence, those fed and not yet computed included.
  public func length(of sequence: Int) -> Int { existing(sequence).length }

  private func existing(_ sequence: Int) -> Sequence {
    guard sequences.indices.contains(sequence), let found = sequences[sequence] else {
      preconditionFailure("DecodingSession: expected a living sequence, found \(sequence)")
    }
    return found
  }

  private mutating func place(_ sequence: Sequence) -> Int {
    if let free = unused.popLast() {
      sequences[free] = sequence
      return free
    }
    sequences.append(sequence)
    return sequences.count - 1
  }

  /// Copies pages and buffers if another value shares them.
  private mutating func ownMemory() {
    if !isKnownUniquelyReferenced(&pages) { pages = pages.copy() }
    if !isKnownUniquelyReferenced(&pass) { pass = pass.copy() }
  }

  // MARK: Passes

  /// Tokens that the next pass will compute.
  public var waitingTokens: Int { pass.waitingCount }

  /// Adds tokens to a sequence, to be computed in the next pass.
  /// - Parameters:
  ///   - tokens: below the vocabulary size; traps otherwise.
  ///   - sequence: where they go.
  ///   - readsLogits: whether the logits after the last of them are wanted.
  /// - Returns: the row of these logits, to read or to draw from; -1 without them.
  @discardableResult
  public mutating func feed(
    _ tokens: some Collection<Int32>, to sequence: Int, readsLogits: Bool
  ) -> Int {
    precondition(!tokens.isEmpty, "DecodingSession.feed: expected at least one token")
    ownMemory()
    var position = existing(sequence).length
    pass.begin(sequence)
    for token in tokens {
      precondition(
        token >= 0 && Int(token) < decoder.vocabularySize,
        "DecodingSession.feed: expected a token below \(decoder.vocabularySize), found \(token)")
      makeRoom(at: position, in: sequence)
      pass.append(token: token, position: position)
      position += 1
    }
    sequences[sequence]?.length = position
    return readsLogits ? pass.readLogits() : -1
  }

  /// Makes the page of a position exist and belong to this sequence alone.
  private mutating func makeRoom(at position: Int, in sequence: Int) {
    let index = position / KeyValuePages.tokens
    if index == sequences[sequence]?.pages.count {
      sequences[sequence]?.pages.append(pages.take())
    } else if let page = sequences[sequence]?.pages[index] {
      let own = pages.writable(page)
      if own != page { sequences[sequence]?.pages[index] = own }
    }
  }

  /// Asks for a draw from a row of logits of the next pass.
  /// - Parameters:
  ///   - row: what `feed` returned; several draws may share it.
  ///   - uniform: a number in [0, 1).
  ///   - seen: what the repetition penalty applies to.
  public mutating func draw(from row: Int, uniform: Double, seen: TokenSet? = nil) {
    ownMemory()
    pass.draw(from: row, uniform: uniform, seen: seen)
  }

  /// Computes the tokens that were fed, and makes the draws that were asked for.
  public mutating func run(_ options: DrawOptions = DrawOptions()) {
    ownMemory()
    pass.run(decoder, options) { sequence, list in
      for page in existing(sequence).pages { list.append(pages.addresses[page]) }
    }
  }

  /// The draws of the last pass.
  public var drawCount: Int { pass.drawCount }

  /// A draw of the last pass, in the order in which they were asked for; nil if the logits gave no
  /// distribution.
  public func drawn(_ index: Int) -> TokenDraw? { pass.drawn(index) }

  /// One row of logits of the last pass, [V].
  public func logits(row: Int) -> [Float] {
    pass.logits(row: row, vocabularySize: decoder.vocabularySize)
  }

  /// Logits of the last pass, in the order in which they were asked for, [rows, V].
  public var logits: Tensor { pass.logits(vocabularySize: decoder.vocabularySize) }
}
