/// The weights on the simplex that make `wᵀ G w` small, by Frank and Wolfe's iteration.
///
/// The solver that MORE (arXiv 2312.07401, §4.3) names and takes from multi-task learning (Sener and
/// Koltun 2018, arXiv 1810.04650, algorithm 2): it starts at the best mixture of two gradients, then
/// moves towards the gradient with the least product by an exact line search, until the weights stand
/// still. It approaches the optimum like 1/iterations; `minimumNormWeights` reaches it exactly, and is
/// what Plumb uses unless it is told otherwise.
/// - Parameters:
///   - gram: K rows of K inner products `⟨g_i, g_j⟩`; symmetric, positive semidefinite.
///   - iterations: the most moves.
///   - tolerance: stops when the sum of the absolute changes of the weights is below it.
///   - edge: the least share that either end of a line search keeps. 0 allows both ends; the published
///     code has 0.001, with which the weights never stand still at a corner.
/// - Returns: K weights.
public func frankWolfeWeights(
  gram: [[Double]], iterations: Int = 1000, tolerance: Double = 1e-5, edge: Double = 0
) -> [Double] {
  let count = gram.count
  precondition(count > 0, "frankWolfeWeights: expected at least one gradient, found none")
  for row in gram {
    precondition(
      row.count == count && row.allSatisfy { $0.isFinite },
      "frankWolfeWeights: expected \(count) finite inner products in each row, found \(row)")
  }
  precondition(
    (0..<0.5).contains(edge), "frankWolfeWeights: expected an edge in 0..<0.5, found \(edge)")
  guard count > 1 else { return [1] }
  var weights = bestOfTwo(gram, edge: edge)
  for _ in 0..<max(0, iterations) {
    let products = gram.map { row in zip(row, weights).reduce(0) { $0 + $1.0 * $1.1 } }
    guard let target = products.indices.min(by: { products[$0] < products[$1] }) else { break }
    let own = zip(products, weights).reduce(0) { $0 + $1.0 * $1.1 }
    let kept = shareOfFirst(own, products[target], gram[target][target], edge: edge)
    var change = 0.0
    for index in weights.indices {
      let moved = kept * weights[index] + (index == target ? 1 - kept : 0)
      change += abs(moved - weights[index])
      weights[index] = moved
    }
    if change < tolerance { break }
  }
  return weights
}

/// The inner products of K gradients of one length, in double precision: K rows of K.
public func gramMatrix(_ gradients: [[Float]]) -> [[Double]] {
  var gram = gradients.map { _ in [Double](repeating: 0, count: gradients.count) }
  for i in gradients.indices {
    for j in i..<gradients.count {
      precondition(
        gradients[i].count == gradients[j].count,
        "gramMatrix: expected gradients of one length, found \(gradients[i].count) and "
          + "\(gradients[j].count) entries")
      gram[i][j] = zip(gradients[i], gradients[j]).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      gram[j][i] = gram[i][j]
    }
  }
  return gram
}

/// The two gradients whose best mixture is shortest, with their shares.
private func bestOfTwo(_ gram: [[Double]], edge: Double) -> [Double] {
  var best = (norm: Double.infinity, first: 0, second: 1, share: 1.0)
  for i in gram.indices {
    for j in (i + 1)..<max(i + 1, gram.count) {
      let share = shareOfFirst(gram[i][i], gram[i][j], gram[j][j], edge: edge)
      let rest = 1 - share
      let norm =
        share * share * gram[i][i] + 2 * share * rest * gram[i][j] + rest * rest * gram[j][j]
      if norm < best.norm { best = (norm, i, j, share) }
    }
  }
  var weights = [Double](repeating: 0, count: gram.count)
  weights[best.first] = best.share
  weights[best.second] += 1 - best.share
  return weights
}

/// `argmin_s |s·a + (1 − s)·b|²` for s from `edge` to `1 − edge`, from the products a·a, a·b, b·b.
private func shareOfFirst(_ aa: Double, _ ab: Double, _ bb: Double, edge: Double) -> Double {
  if ab >= aa { return 1 - edge }
  if ab >= bb { return edge }
  return (bb - ab) / (aa + bb - 2 * ab)
}
