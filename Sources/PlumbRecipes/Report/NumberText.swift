import Foundation

/// Numbers for people: few digits, no locale.
public enum NumberText {
  /// A few significant digits: `0.6931`, `12.35`, `1.2e-05`, `12 350`.
  public static func short(_ value: Double, digits: Int = 4) -> String {
    guard value.isFinite else { return value.isNaN ? "–" : value > 0 ? "∞" : "−∞" }
    let size = abs(value)
    if size == 0 { return "0" }
    if size >= 1e6 || size < 1e-3 { return minus(String(format: "%.3g", value)) }
    if size >= 1000 { return grouped(Int(value.rounded())) }
    let before = size >= 100 ? 3 : size >= 10 ? 2 : size >= 1 ? 1 : 0
    return fixed(value, max(0, digits - before))
  }

  /// A fixed number of decimals.
  public static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return short(value) }
    return minus(String(format: "%.\(decimals)f", value))
  }

  /// A share as a percentage: 0.6234 → `62.3 %`.
  public static func percent(_ share: Double, decimals: Int = 1) -> String {
    fixed(share * 100, decimals) + " %"
  }

  /// A value with the ends of its interval: `0.62 [0.58, 0.66]`.
  public static func interval(_ value: Double, _ interval: [Double]?, decimals: Int = 3) -> String {
    let ends = interval.map { ends in
      " [\(ends.map { fixed($0, decimals) }.joined(separator: ", "))]"
    }
    return fixed(value, decimals) + (ends ?? "")
  }

  /// Whole numbers with thin groups of three: 1234567 → `1 234 567`.
  public static func grouped(_ value: Int) -> String {
    var digits = String(value.magnitude)
    var groups: [String] = []
    while digits.count > 3 {
      groups.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    let text = ([digits] + groups).joined(separator: "\u{2009}")
    return value < 0 ? "−" + text : text
  }

  /// A duration: `0.4 s`, `42 s`, `3 min 20 s`, `2 h 5 min`.
  public static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite else { return "–" }
    if seconds < 9.95 { return String(format: "%.1f s", max(0, seconds)) }
    let whole = Int(seconds.rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  /// The typographic minus sign.
  private static func minus(_ text: String) -> String {
    text.hasPrefix("-") ? "−" + text.dropFirst() : text
  }
}
