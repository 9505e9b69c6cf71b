/// How much texts repeat themselves, from their token ids: what a policy that hacks its reward does.
public enum Repetition {
  /// Distinct n-grams as a share of all n-grams: 1 where none occurs twice.
  ///
  /// The distinct-n of Li et al. 2016 (arXiv 1510.03055), over n-grams in place of tokens. Texts are counted together, so that it falls when texts loop and when they become like one another.
  /// It also falls with the number of tokens: compare only rounds of about the same size.
  /// - Parameters:
  ///   - texts: token ids; no n-gram spans two texts.
  ///   - n: tokens in an n-gram, at least 1.
  /// - Returns: 0...1; nil where no text has n tokens.
  public static func distinctShare(_ texts: [[Int32]], n: Int) -> Double? {
    precondition(n > 0, "distinctShare: expected n > 0, found \(n)")
    var seen: Set<ArraySlice<Int32>> = []
    var count = 0
    for text in texts where text.count >= n {
      for start in 0...text.count - n {
        seen.insert(text[start..<start + n])
        count += 1
      }
    }
    return count > 0 ? Double(seen.count) / Double(count) : nil
  }

  /// The longest stretch of a text that is one n-gram said over and over.
  public struct Run: Hashable, Sendable {
    /// Its tokens; 0 where nothing is said twice in a row.
    public let length: Int
    /// Tokens of the n-gram; 0 where there is no run.
    public let period: Int

    /// How often the n-gram is said, whole times only.
    public var repeats: Int { period > 0 ? length / period : 0 }
  }

  /// Finds the longest run of a repeated n-gram; of two as long, that of the shorter n-gram.
  ///
  /// A run begins at the second time the n-gram is said: `a b a b a` is a run of 5 tokens and period 2.
  /// - Parameters:
  ///   - tokens: of one text.
  ///   - maximumPeriod: the longest n-gram looked for; the work is `tokens · maximumPeriod`.
  public static func longestRun(_ tokens: [Int32], maximumPeriod: Int = 8) -> Run {
    var longest = Run(length: 0, period: 0)
    for period in 1...max(1, maximumPeriod) where period < tokens.count {
      var equal = 0
      for index in period..<tokens.count {
        equal = tokens[index] == tokens[index - period] ? equal + 1 : 0
        if equal >= period, equal + period > longest.length {
          longest = Run(length: equal + period, period: period)
        }
      }
    }
    return longest
  }

  /// Whether a text is caught in a loop: half of it or more, and at least `minimumTokens`, are one n-gram
  /// said three times or more in a row.
  public static func isLooping(_ tokens: [Int32], minimumTokens: Int = 8) -> Bool {
    let run = longestRun(tokens)
    return run.repeats >= 3 && run.length >= minimumTokens && 2 * run.length >= tokens.count
  }
}
