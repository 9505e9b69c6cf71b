import Foundation

/// Why a scaling law could not be fitted.
public enum ScalingLawError: Error, Hashable, CustomStringConvertible {
  /// Sizes and losses differ in number.
  case unequalCounts(sizes: Int, losses: Int)
  /// Three parameters need at least three different sizes.
  case tooFewSizes(found: Int)
  /// A size is not a positive number, or a loss is not a number.
  case invalidPoint(index: Int, size: Double, loss: Double)
  /// The points have no bend that fixes the exponent: all equal, on a straight line in `log x`, or a
  /// jump.
  case undeterminedExponent

  /// The sentence for a person.
  public var description: String {
    switch self {
    case .unequalCounts(let sizes, let losses):
      "scaling law: expected as many losses as sizes, found \(losses) losses and \(sizes) sizes"
    case .tooFewSizes(let found):
      "scaling law: expected at least 3 different sizes, found \(found)"
    case .invalidPoint(let index, let size, let loss):
      "scaling law, point \(index): expected a size > 0 and a finite loss, found size \(size) and "
        + "loss \(loss)"
    case .undeterminedExponent:
      "scaling law: expected losses that bend towards a limit, found none that fix the exponent"
    }
  }
}

/// A power law with an offset, `loss(x) = a·x^{−b} + c` with `b > 0`, fitted by least squares.
public struct ScalingLaw: Hashable, Codable, Sendable {
  /// The factor, in loss units.
  public let a: Double
  /// The exponent, greater than 0.
  public let b: Double
  /// The loss that no size gets below.
  public let c: Double
  /// The root of the mean squared residual, in loss units.
  public let residual: Double
  /// The share of the variance of the losses that the law explains.
  public let rSquared: Double

  /// The loss that the law predicts.
  ///
  /// - Parameter size: model size, data or compute, in the units of the fit.
  public func loss(at size: Double) -> Double { a * pow(size, -b) + c }

  /// Fits the law to points, each with the same weight.
  ///
  /// Variable projection (Golub and Pereyra 1973): for a given `b` the best `a` and `c` are a linear
  /// fit, so that only `b` is searched: on a grid first, since the error may have several valleys,
  /// then by golden section. No starting point is needed, and the best valley of the grid is found.
  /// - Parameters:
  ///   - sizes: positive, at least three different ones.
  ///   - losses: one per size.
  public init(sizes: [Double], losses: [Double]) throws(ScalingLawError) {
    guard sizes.count == losses.count else {
      throw .unequalCounts(sizes: sizes.count, losses: losses.count)
    }
    for (index, (size, loss)) in zip(sizes, losses).enumerated() {
      guard size > 0, size.isFinite, loss.isFinite else {
        throw .invalidPoint(index: index, size: size, loss: loss)
      }
    }
    let different = Set(sizes).count
    guard different >= 3 else { throw .tooFewSizes(found: different) }

    // Centred logarithms keep x^{−b} near 1 whatever the unit of x.
    let logs = sizes.map { log($0) }
    let center = logs.reduce(0, +) / Double(logs.count)
    let centered = logs.map { $0 - center }
    let spread = (centered.max() ?? 0) - (centered.min() ?? 0)
    let grid = (0...200).map { exp(log(1e-3) + Double($0) / 200 * log(1e5)) / spread }
    let errors = grid.map { LinearFit(centered, losses, exponent: $0).error }
    guard let best = errors.indices.min(by: { errors[$0] < errors[$1] }),
      best > 0, best < grid.count - 1,
      errors[best] < errors[0], errors[best] < errors[grid.count - 1]
    else { throw .undeterminedExponent }

    let exponent = Self.goldenSection(from: grid[best - 1], to: grid[best + 1]) {
      LinearFit(centered, losses, exponent: $0).error
    }
    let fit = LinearFit(centered, losses, exponent: exponent)
    a = fit.slope * exp(exponent * center)
    b = exponent
    c = fit.offset
    let count = Double(losses.count)
    let mean = losses.reduce(0, +) / count
    let total = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    residual = (fit.error / count).squareRoot()
    rSquared = 1 - fit.error / total
  }

  /// The lowest point of a function with one valley, to about half the digits of a double.
  private static func goldenSection(
    from: Double, to: Double, _ function: (Double) -> Double
  ) -> Double {
    let ratio = (5.0.squareRoot() - 1) / 2
    var (low, high) = (from, to)
    var (left, right) = (high - ratio * (high - low), low + ratio * (high - low))
    var (leftValue, rightValue) = (function(left), function(right))
    while high - low > 1e-10 * high {
      if leftValue < rightValue {
        (high, right, rightValue) = (right, left, leftValue)
        left = high - ratio * (high - low)
        leftValue = function(left)
      } else {
        (low, left, leftValue) = (left, right, rightValue)
        right = low + ratio * (high - low)
        rightValue = function(right)
      }
    }
    return (low + high) / 2
  }
}

/// The least-squares line of losses over `exp(−exponent · log)`.
private struct LinearFit {
  let slope: Double
  let offset: Double
  /// The sum of squared residuals.
  let error: Double

  init(_ logs: [Double], _ losses: [Double], exponent: Double) {
    let count = Double(logs.count)
    let terms = logs.map { exp(-exponent * $0) }
    let termMean = terms.reduce(0, +) / count
    let lossMean = losses.reduce(0, +) / count
    var (covariance, variance) = (0.0, 0.0)
    for (term, loss) in zip(terms, losses) {
      covariance += (term - termMean) * (loss - lossMean)
      variance += (term - termMean) * (term - termMean)
    }
    let slope = covariance / variance
    let offset = lossMean - slope * termMean
    error = zip(terms, losses).reduce(0) { sum, point in
      let residual = point.1 - (slope * point.0 + offset)
      return sum + residual * residual
    }
    self.slope = slope
    self.offset = offset
  }
}
