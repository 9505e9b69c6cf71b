/// A property of an answer's looks that a style-controlled preference takes out.
public enum StyleFeature: String, CaseIterable, Codable, Hashable, Sendable {
  case length
  case lists
  case headers
  case bold

  /// How much of it an answer has.
  public func callAsFunction(_ style: ResponseStyle) -> Int {
    switch self {
    case .length: style.tokens
    case .lists: style.lists
    case .headers: style.headers
    case .bold: style.bold
    }
  }

  /// `(z0 - z1) / (z0 + z1)` of chosen and rejected, in -1...1; 0 where both are 0.
  ///
  /// WorldPM, arXiv 2505.10527, §3.3; what 0/0 is the paper does not say.
  public func contrast(_ chosen: ResponseStyle, _ rejected: ResponseStyle) -> Double {
    let (first, second) = (self(chosen), self(rejected))
    return first + second == 0 ? 0 : Double(first - second) / Double(first + second)
  }
}
