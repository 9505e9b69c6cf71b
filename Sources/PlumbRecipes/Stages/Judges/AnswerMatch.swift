import Foundation

/// Whether a response ends in a known answer, as GSM8K is scored (arXiv 2110.14168).
///
/// The answer in a text is what a pattern finds last. Without a pattern it is the number behind `####`, or
/// the last number of the text. Numbers are compared by value, so that `1,000.0`, `$1000` and `1000` are
/// one answer, and so are `.5` and `0.50`; other answers as text, without outer spaces, full stop and
/// letter case. A known answer without a number is compared with the whole response where no pattern is
/// given.
struct AnswerMatch: Sendable {
  private let pattern: TextPattern?

  private static let marked = try? TextPattern(#"####\s*([^\n]*)"#)
  /// A minus behind a letter, digit, point or bracket is a subtraction or a hyphen, not a sign.
  ///
  /// Nor does a point behind one of these begin a decimal: it ends a word or parts a version.
  private static let number = try? TextPattern(
    #"(?:(?<![\p{L}\p{N}.)\]])[-−])?\$?(?:\d[\d,]*(?:\.\d+)?|(?<![\p{L}\p{N}.)\]])\.\d+)"#)

  /// - Throws: where the pattern is not a regular expression.
  init(pattern: String) throws {
    self.pattern = pattern.isEmpty ? nil : try TextPattern(pattern)
  }

  /// Whether the answer in a response is the known one; a known answer may be a whole solution.
  func isSame(_ response: String, as known: String) -> Bool {
    if let pattern {
      guard let found = pattern.last(in: response) else { return false }
      return Self.areEqual(found, pattern.last(in: known) ?? known)
    }
    guard let number = Self.ending(known).number else {
      return Self.areEqual(response, Self.ending(known).text)
    }
    guard let found = Self.ending(response).number else { return false }
    return Self.areEqual(found, number)
  }

  /// What stands behind the last `####` with its first number, or the whole text with its last.
  private static func ending(_ text: String) -> (text: String, number: String?) {
    if let marked = marked?.last(in: text) { return (marked, number?.first(in: marked)) }
    return (text, number?.last(in: text))
  }

  private static func areEqual(_ first: String, _ second: String) -> Bool {
    if let a = value(first), let b = value(second) {
      return abs(a - b) <= 1e-9 * max(1, abs(a), abs(b))
    }
    return plain(first) == plain(second)
  }

  /// The value of a text that is a number and nothing else.
  private static func value(_ text: String) -> Double? {
    var digits = plain(text).replacing("−", with: "-")
    digits.removeAll { $0 == "," || $0 == "$" }
    guard digits.allSatisfy({ $0.isASCII && ($0.isNumber || "+-.".contains($0)) }) else {
      return nil
    }
    return Double(digits)
  }

  private static func plain(_ text: String) -> String {
    var text = text.trimmingCharacters(in: .whitespacesAndNewlines)
    while text.last == "." { text.removeLast() }
    return text.lowercased()
  }
}
