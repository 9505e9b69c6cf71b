import Foundation

/// The temperature that makes log-odds as likely as possible, `p = σ(z / T)`.
///
/// Temperature scaling of Guo and others 2017 (arXiv 1706.04599, §4.2).
/// The mean negative log-likelihood `mean log(1 + exp(-β m))` of the log-odds m of what was chosen is
/// convex in `β = 1/T`, so there is one best β, or none that is positive and finite.
public enum TemperatureFit: Hashable, Sendable {
  /// The best temperature; above 1 for a model that is too sure of itself.
  case fitted(Double)
  /// No pair was predicted wrongly, so the likelihood grows without end as T goes to 0.
  case separable
  /// The log-odds point the wrong way, or nowhere, on average: no positive β is better than a coin.
  case noSignal

  /// The temperature; nil in the cases that have none.
  public var temperature: Double? {
    if case .fitted(let temperature) = self { temperature } else { nil }
  }

  /// The outcome in one word, for files.
  public var status: String {
    switch self {
    case .fitted: "fitted"
    case .separable: "separable"
    case .noSignal: "no signal"
    }
  }

  /// Fits log-odds of the chosen answers (for a pair whose second answer was chosen, with the sign
  /// turned): Newton's method on β, kept inside a bracket.
  ///
  /// - Parameter logOdds: finite; none is no signal.
  public init(logOdds: [Double]) {
    precondition(
      logOdds.allSatisfy(\.isFinite), "TemperatureFit: expected finite log-odds, found others")
    guard let largest = logOdds.map(abs).max(), largest > 0, logOdds.reduce(0, +) > 0 else {
      self = .noSignal
      return
    }
    // In units of the largest, so that neither tiny nor huge log-odds leave the range of doubles.
    let margins = logOdds.map { $0 / largest }
    guard margins.contains(where: { $0 < 0 }) else {
      self = .separable
      return
    }
    var (low, high) = (0.0, 1.0)
    while Self.slope(margins, high).first < 0 {
      low = high
      high *= 2
      // What is predicted wrongly is so by less than rounding.
      if high > 0x1p50 {
        self = .separable
        return
      }
    }
    var beta = (low + high) / 2
    for _ in 0..<200 {
      let slope = Self.slope(margins, beta)
      if slope.first < 0 { low = beta } else { high = beta }
      let newton = beta - slope.first / slope.second
      let next = newton > low && newton < high ? newton : (low + high) / 2
      let change = abs(next - beta)
      beta = next
      if change <= 1e-14 * beta || slope.first == 0 { break }
    }
    self = .fitted(largest / beta)
  }

  /// First and second derivative by β of the mean negative log-likelihood.
  private static func slope(_ margins: [Double], _ beta: Double) -> (first: Double, second: Double)
  {
    var (first, second) = (0.0, 0.0)
    for margin in margins {
      let miss = 1 / (1 + exp(beta * margin))
      first -= margin * miss
      second += margin * margin * miss * (1 - miss)
    }
    return (first / Double(margins.count), second / Double(margins.count))
  }
}
