/// How text is cut into pre-tokens, within which byte pairs are merged.
///
/// A chain of steps; each cuts the pieces of the one before. The patterns are hand-written scanners
/// that cut exactly as the regular expressions do.
public struct PreTokenizer: Hashable, Sendable {
  /// One step of the chain.
  public enum Step: Hashable, Sendable {
    /// GPT-2's regular expression (Radford 2019).
    case gpt2
    /// Qwen2's and Llama 3's regular expression; their runs of digits are at most 1 and 3 long.
    case qwen2(digits: Int)
    /// Every number character alone, or runs of them, apart from the rest.
    case digits(individual: Bool)
  }

  /// The steps in the order of their use; none: each text is one pre-token.
  public var steps: [Step]
  /// Whether a text that does not begin with a space gets one.
  public var addsPrefixSpace: Bool

  /// Creates a chain of steps.
  public init(steps: [Step], addsPrefixSpace: Bool = false) {
    self.steps = steps
    self.addsPrefixSpace = addsPrefixSpace
  }

  /// GPT-2's pattern.
  public static let gpt2 = PreTokenizer(steps: [.gpt2])
  /// Qwen2's pattern, digits one by one.
  public static let qwen2 = PreTokenizer(steps: [.qwen2(digits: 1)])
  /// Llama 3's pattern, digits in threes from the left.
  public static let llama3 = PreTokenizer(steps: [.qwen2(digits: 3)])
  /// SmolLM's chain: digits one by one, then GPT-2's pattern.
  public static let smolLM = PreTokenizer(steps: [.digits(individual: true), .gpt2])

  /// Calls `body` with the bounds of each pre-token of `text[start..<end]`, from left to right.
  func split(
    _ text: ClassifiedText, from start: Int, to end: Int, step: Int = 0,
    _ body: (_ start: Int, _ end: Int) -> Void
  ) {
    guard step < steps.count else { return body(start, end) }
    let isLast = step + 1 == steps.count
    var position = start
    while position < end {
      let next = steps[step].end(in: text, from: position, to: end)
      if isLast {
        body(position, next)
      } else {
        split(text, from: position, to: next, step: step + 1, body)
      }
      position = next
    }
  }
}

extension PreTokenizer.Step {
  /// The end of the piece that starts at `position`; always behind it.
  @inline(__always)
  func end(in text: ClassifiedText, from position: Int, to end: Int) -> Int {
    switch self {
    case .gpt2: text.gpt2End(from: position, to: end)
    case .qwen2(let digits): text.qwen2End(from: position, to: end, digits: digits)
    case .digits(let individual): text.digitsEnd(from: position, to: end, individual: individual)
    }
  }
}
