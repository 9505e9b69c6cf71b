/// How much a judge of pairs favours a place: what it says of a pair, asked in both orders.
///
/// With `a = z(first, second)` and `b = -z(second, first)`, which are equal for a judge without bias.
public struct OrderBias: Hashable, Codable, Sendable {
  /// Pairs asked.
  public let pairs: Int
  /// The share of pairs whose verdict changes with the order (`a` and `b` of different sign); 0...1.
  ///
  /// A verdict of exactly 0 in one order only counts half.
  public let flips: Double
  /// The mean of `(z(first, second) + z(second, first)) / 2`: log-odds that a place alone is worth.
  ///
  /// Positive where the first place is favoured.
  public let firstPlaceLogit: Double
  /// The mean magnitude of the same, pair by pair: also biases that cancel on the average.
  public let meanMagnitude: Double
  /// The share of flipped verdicts that favour the first place; one half without flips.
  public let flipsToFirst: Double

  /// Measures log-odds of pairs asked in both orders.
  ///
  /// - Parameter logOdds: for each pair the log-odds that its first response is preferred, as given
  ///   and as concluded from the swapped order.
  public init(_ logOdds: [(asGiven: Double, swapped: Double)]) {
    precondition(!logOdds.isEmpty, "OrderBias: expected at least one pair, found none")
    var (flips, toFirst, sum, magnitude) = (0.0, 0.0, 0.0, 0.0)
    for (a, b) in logOdds {
      // z(first, second) = a and z(second, first) = -b.
      let place = (a - b) / 2
      sum += place
      magnitude += abs(place)
      let flip = (a > 0 && b < 0) || (a < 0 && b > 0) ? 1.0 : (a == 0) != (b == 0) ? 0.5 : 0
      flips += flip
      toFirst += place > 0 ? flip : 0
    }
    let count = Double(logOdds.count)
    pairs = logOdds.count
    self.flips = flips / count
    firstPlaceLogit = sum / count
    meanMagnitude = magnitude / count
    flipsToFirst = flips > 0 ? toFirst / flips : 0.5
  }
}
