/// The weights on the simplex that make the sum of gradients as short as possible.
///
/// `argmin_w |Σ_k w_k g_k|²` with `w ≥ 0`, `Σ w = 1` (MGDA: Désidéri 2012; used by MORE to balance the
/// losses of several preference sets). At the optimum the sum is a common descent direction of all
/// losses, or 0.
/// - Parameter gradients: K gradients of one length, at least one.
/// - Returns: K weights.
public func minimumNormWeights(gradients: [[Float]]) -> [Double] {
  precondition(!gradients.isEmpty, "minimumNormWeights: expected at least one gradient, found none")
  return minimumNormWeights(gram: gramMatrix(gradients))
}

/// The weights on the simplex that make `wᵀ G w` smallest, given the inner products of the gradients.
///
/// Exact up to rounding, in a finite number of steps: Wolfe's algorithm (Wolfe 1976, "Finding the
/// nearest point in a polytope"), which keeps an active set of gradients and moves to the nearest
/// point of their affine hull.
/// - Parameter gram: K rows of K inner products `⟨g_i, g_j⟩`; symmetric, positive semidefinite.
/// - Returns: K weights.
public func minimumNormWeights(gram: [[Double]]) -> [Double] {
  let count = gram.count
  precondition(count > 0, "minimumNormWeights: expected at least one gradient, found none")
  for row in gram {
    precondition(
      row.count == count && row.allSatisfy { $0.isFinite },
      "minimumNormWeights: expected \(count) finite inner products in each row, found \(row)")
  }
  let scale = gram.indices.map { gram[$0][$0] }.max() ?? 0
  var weights = [Double](repeating: 0, count: count)
  let start = gram.indices.min { gram[$0][$0] < gram[$1][$1] } ?? 0
  weights[start] = 1
  var active = [start]

  // Each round strictly shortens the sum, so no active set comes back and the loop ends; the bound
  // only guards against cycling by rounding.
  for _ in 0..<(100 * count) {
    let products = gram.map { row in zip(row, weights).reduce(0) { $0 + $1.0 * $1.1 } }
    let squaredNorm = zip(products, weights).reduce(0) { $0 + $1.0 * $1.1 }
    guard let steepest = products.indices.min(by: { products[$0] < products[$1] }),
      products[steepest] < squaredNorm - 1e-14 * scale, !active.contains(steepest)
    else { break }
    active.append(steepest)
    reduceToFace(&weights, &active, gram: gram)
  }
  return weights
}

/// Moves the weights to the nearest point of the hull of the active gradients, dropping those on whose
/// far side that point lies.
private func reduceToFace(_ weights: inout [Double], _ active: inout [Int], gram: [[Double]]) {
  while true {
    guard let target = affineMinimizer(active, gram: gram) else {
      // The newest gradient lies in the affine hull of the others: it can add nothing.
      active.removeLast()
      return
    }
    if target.allSatisfy({ $0 > 1e-13 }) {
      for (index, value) in zip(active, target) { weights[index] = value }
      return
    }
    // Go towards the target until the first weight reaches 0.
    var step = 1.0
    for (index, value) in zip(active, target) where value <= 1e-13 {
      step = min(step, weights[index] / max(weights[index] - value, .leastNormalMagnitude))
    }
    for (index, value) in zip(active, target) {
      weights[index] = (1 - step) * weights[index] + step * value
    }
    let kept = zip(active, target).filter { index, value in
      value > 1e-13 || weights[index] > 1e-13
    }
    .map { $0.0 }
    for index in active where !kept.contains(index) { weights[index] = 0 }
    if kept.count == active.count || kept.isEmpty { return }
    active = kept
  }
}

/// Weights with sum 1, of either sign, that make the sum of the active gradients shortest.
///
/// Solves `[0 1ᵀ; 1 G] [−μ; v] = [1; 0]` by elimination with pivoting; nil where it is singular.
private func affineMinimizer(_ active: [Int], gram: [[Double]]) -> [Double]? {
  let size = active.count + 1
  let scale = active.map { gram[$0][$0] }.max() ?? 0
  let unit = scale > 0 ? scale : 1
  var rows = [[Double]](repeating: [Double](repeating: 0, count: size + 1), count: size)
  rows[0][size] = 1
  for (i, a) in active.enumerated() {
    rows[0][i + 1] = 1
    rows[i + 1][0] = 1
    for (j, b) in active.enumerated() { rows[i + 1][j + 1] = gram[a][b] / unit }
  }
  for column in 0..<size {
    guard
      let pivot = (column..<size).max(by: { abs(rows[$0][column]) < abs(rows[$1][column]) }),
      abs(rows[pivot][column]) > 1e-13
    else { return nil }
    rows.swapAt(column, pivot)
    for row in 0..<size where row != column {
      let factor = rows[row][column] / rows[column][column]
      if factor == 0 { continue }
      for k in column...size { rows[row][k] -= factor * rows[column][k] }
    }
  }
  return (1..<size).map { rows[$0][size] / rows[$0][$0] }
}
