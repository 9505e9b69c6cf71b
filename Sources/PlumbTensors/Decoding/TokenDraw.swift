import CKernels

/// How tokens are drawn from logits, in the order of transformers' logits processors.
///
/// Nothing sorts the vocabulary: top-k and top-p select.
public struct DrawOptions: Hashable, Sendable {
  /// Divides the logits; 0 takes the first of the largest.
  public var temperature: Float = 1
  /// Keeps the k largest logits and all equal to the k-th; off if nil.
  public var topK: Int?
  /// Keeps the smallest set of most probable tokens whose mass reaches p; off if nil.
  public var topP: Float?
  /// Keeps tokens at least this fraction as probable as the most probable one; off if nil.
  public var minP: Float?
  /// Divides positive and multiplies negative logits of seen tokens; 1 is off.
  public var repetitionPenalty: Float = 1

  /// The model's own distribution.
  public init() {}

  var view: plumb_draw_options {
    plumb_draw_options(
      temperature: temperature, top_k: topK ?? 0, top_p: topP ?? 1, min_p: minP ?? 0,
      repetition_penalty: repetitionPenalty)
  }
}

/// A token and its log-prob in nats under the logits divided by the temperature, before any filter.
public struct TokenDraw: Hashable, Sendable {
  /// The token's id.
  public let token: Int32
  /// Its log-prob; with temperature 0 that of temperature 1.
  public let logprob: Float

  /// Makes a draw.
  public init(token: Int32, logprob: Float) {
    self.token = token
    self.logprob = logprob
  }

  /// Draws from one row of logits.
  /// - Parameters:
  ///   - logits: [V].
  ///   - options: how.
  ///   - uniform: a number in [0, 1): the token is where the running sum of probabilities, in order
  ///     of ids, passes it.
  ///   - seen: what the repetition penalty applies to.
  /// - Returns: nil if the logits hold a NaN or plus infinity or give no distribution.
  public static func draw(
    from logits: [Float], _ options: DrawOptions, uniform: Double, seen: TokenSet? = nil
  ) -> TokenDraw? {
    precondition(
      options.repetitionPenalty == 1 || seen != nil,
      "TokenDraw: expected a set of seen tokens for the repetition penalty")
    seen?.reserve(logits.count)
    let scratch = Storage(count: plumb_draw_scratch(logits.count))
    var view = options.view
    var logprob: Float = 0
    let token = withExtendedLifetime((scratch, seen)) {
      plumb_draw(logits, logits.count, &view, uniform, seen?.words, scratch.base, &logprob)
    }
    return token < 0 ? nil : TokenDraw(token: token, logprob: logprob)
  }
}

/// A set of tokens, one bit for each id up to the largest.
///
/// Written by one owner between the passes that read it, which makes it sendable.
public final class TokenSet: @unchecked Sendable {
  private(set) var words: UnsafeMutablePointer<UInt64>
  private var wordCount = 1

  /// A set with these tokens.
  public init(_ tokens: some Sequence<Int32>) {
    words = .allocate(capacity: 1)
    words.initialize(to: 0)
    for token in tokens { insert(token) }
  }

  deinit { words.deallocate() }

  /// Adds a token; negative ids are left out.
  public func insert(_ token: Int32) {
    guard token >= 0 else { return }
    reserve(Int(token) + 1)
    words[Int(token) / 64] |= 1 << UInt64(Int(token) % 64)
  }

  /// A set of its own with the same tokens.
  public func copy() -> TokenSet {
    let result = TokenSet(EmptyCollection())
    result.reserve(wordCount * 64)
    result.words.update(from: words, count: wordCount)
    return result
  }

  /// Makes room for all ids below `count`.
  func reserve(_ count: Int) {
    let needed = (count + 63) / 64
    guard needed > wordCount else { return }
    let larger = UnsafeMutablePointer<UInt64>.allocate(capacity: needed)
    larger.update(from: words, count: wordCount)
    (larger + wordCount).initialize(repeating: 0, count: needed - wordCount)
    words.deallocate()
    words = larger
    wordCount = needed
  }
}
