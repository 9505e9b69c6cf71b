import Foundation

/// Logistic regression without intercept, `P(y = 1) = σ(xᵀw)`, with a small ridge.
///
/// Minimises `mean log(1 + exp(-s xᵀw)) + ridge/2 · |w|²`, s = ±1 the outcome, by Newton's method with
/// step halving. The objective is strictly convex, so the result does not depend on a starting point,
/// and the ridge keeps it finite where the outcomes can be separated.
public struct LogisticRegression: Hashable, Sendable {
  /// The weights, in the order of the features.
  public let weights: [Double]
  /// Whether every row of the fit is on its right side: without the ridge the weights would grow
  /// without end, so their size says nothing.
  public let isSeparated: Bool

  /// Fits rows.
  ///
  /// Without intercept, a row x with outcome false is the row -x with outcome true. So preference
  /// pairs may all be given as chosen minus rejected, outcome true.
  /// - Parameters:
  ///   - rows: features, finite, equally many in each, at least one row.
  ///   - outcomes: one per row; all true if nil.
  ///   - ridge: above 0.
  public init(_ rows: [[Double]], outcomes: [Bool]? = nil, ridge: Double = 1e-4) {
    precondition(!rows.isEmpty, "LogisticRegression: expected at least one row, found none")
    precondition(ridge > 0, "LogisticRegression: expected a ridge above 0, found \(ridge)")
    let width = rows[0].count
    for row in rows {
      precondition(
        row.count == width && row.allSatisfy(\.isFinite),
        "LogisticRegression: expected \(width) finite features, found \(row)")
    }
    precondition(
      outcomes == nil || outcomes?.count == rows.count,
      "LogisticRegression: expected \(rows.count) outcomes, found \(outcomes?.count ?? 0)")
    let signed = rows.enumerated().map { index, row in
      outcomes?[index] ?? true ? row : row.map { -$0 }
    }
    var weights = [Double](repeating: 0, count: width)
    var value = Self.objective(signed, weights, ridge)
    for _ in 0..<100 {
      let (gradient, hessian) = Self.derivatives(signed, weights, ridge)
      guard let step = solve(hessian, gradient) else { break }
      // Newton's decrement: the step gains half of it, which the objective's rounding hides from here on. The
      // error after the step is the square of that before.
      if dot(gradient, step) < 1e-14 * (1 + value) {
        weights = zip(weights, step).map { $0 - $1 }
        break
      }
      var scale = 1.0
      var next = zip(weights, step).map { $0 - scale * $1 }
      var nextValue = Self.objective(signed, next, ridge)
      while nextValue > value, scale > 1e-10 {
        scale /= 2
        next = zip(weights, step).map { $0 - scale * $1 }
        nextValue = Self.objective(signed, next, ridge)
      }
      guard nextValue <= value else { break }
      (weights, value) = (next, nextValue)
    }
    self.weights = weights
    isSeparated = signed.allSatisfy { dot($0, weights) > 0 }
  }

  /// The log-odds of a row, `xᵀw`.
  public func logOdds(_ row: [Double]) -> Double { dot(row, weights) }

  private static func objective(_ rows: [[Double]], _ weights: [Double], _ ridge: Double) -> Double
  {
    let losses = rows.reduce(0.0) { sum, row in
      let z = dot(row, weights)
      return sum + max(-z, 0) + log1p(exp(-abs(z)))
    }
    return losses / Double(rows.count) + ridge / 2 * dot(weights, weights)
  }

  private static func derivatives(
    _ rows: [[Double]], _ weights: [Double], _ ridge: Double
  ) -> (gradient: [Double], hessian: [[Double]]) {
    let width = weights.count
    let count = Double(rows.count)
    var gradient = weights.map { ridge * $0 }
    // The part up to the diagonal, row after row in one array: with hundreds of features all the time is here.
    var lower = [Double](repeating: 0, count: width * (width + 1) / 2)
    for row in rows {
      let miss = 1 / (1 + exp(dot(row, weights)))
      let curvature = miss * (1 - miss) / count
      var place = 0
      for i in 0..<width {
        gradient[i] -= row[i] * miss / count
        let scale = row[i] * curvature
        for j in 0...i { lower[place + j] += scale * row[j] }
        place += i + 1
      }
    }
    var hessian = [[Double]](repeating: [Double](repeating: 0, count: width), count: width)
    for i in 0..<width {
      for j in 0...i {
        let value = lower[i * (i + 1) / 2 + j]
        (hessian[i][j], hessian[j][i]) = (value, value)
      }
      hessian[i][i] += ridge
    }
    return (gradient, hessian)
  }
}

private func dot(_ a: [Double], _ b: [Double]) -> Double {
  var sum = 0.0
  for (x, y) in zip(a, b) { sum += x * y }
  return sum
}

/// The solution of a symmetric positive definite system by Cholesky's method; nil if it is not one.
private func solve(_ matrix: [[Double]], _ right: [Double]) -> [Double]? {
  let count = right.count
  var factor = matrix
  for i in 0..<count {
    for j in 0...i {
      var sum = matrix[i][j]
      for k in 0..<j { sum -= factor[i][k] * factor[j][k] }
      if i == j {
        guard sum > 0 else { return nil }
        factor[i][i] = sum.squareRoot()
      } else {
        factor[i][j] = sum / factor[j][j]
      }
    }
  }
  var solution = right
  for i in 0..<count {
    for k in 0..<i { solution[i] -= factor[i][k] * solution[k] }
    solution[i] /= factor[i][i]
  }
  for i in (0..<count).reversed() {
    for k in i + 1..<max(count, i + 1) { solution[i] -= factor[k][i] * solution[k] }
    solution[i] /= factor[i][i]
  }
  return solution
}
