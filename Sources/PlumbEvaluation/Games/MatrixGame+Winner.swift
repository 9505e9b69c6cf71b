extension MatrixGame {
  /// A policy that no policy gains against: the von Neumann winner, by linear programming.
  ///
  /// With `B` = payoffs + c > 0, `x` that maximises `Σ x` under `B x ≤ 1`, `x ≥ 0` is the winner up to its
  /// sum (Dantzig 1951), found by the simplex method with Bland's rule, which cannot cycle. The optimum
  /// is exact up to rounding: `dualityGap(winner)` is its certificate. Where several policies win, one of them.
  public var vonNeumannWinner: [Double] {
    let shift = 1 - (payoffs.joined().min() ?? 0)
    // Rows: constraints with slack variables as basis; the last column is the right-hand side.
    var tableau = payoffs.indices.map { i in
      payoffs[i].map { $0 + shift } + payoffs.indices.map { $0 == i ? 1.0 : 0 } + [1.0]
    }
    var objective = payoffs.map { _ in -1.0 } + payoffs.map { _ in 0.0 } + [0.0]
    var basis = payoffs.indices.map { $0 + count }
    let tolerance = 1e-12
    while let entering = objective.dropLast().firstIndex(where: { $0 < -tolerance }) {
      guard let leaving = leavingRow(tableau, basis, entering, tolerance) else { break }
      pivot(&tableau, &objective, row: leaving, column: entering)
      basis[leaving] = entering
    }
    var x = [Double](repeating: 0, count: count)
    for (row, variable) in basis.enumerated() where variable < count {
      x[variable] = max(0, tableau[row][2 * count])
    }
    let total = x.reduce(0, +)
    return x.map { $0 / total }
  }

  /// The row of the least ratio; of equal ones that of the lowest variable (Bland 1977).
  private func leavingRow(
    _ tableau: [[Double]], _ basis: [Int], _ column: Int, _ tolerance: Double
  ) -> Int? {
    var best: (row: Int, ratio: Double)?
    for row in tableau.indices where tableau[row][column] > tolerance {
      let ratio = tableau[row][2 * count] / tableau[row][column]
      guard let found = best else {
        best = (row, ratio)
        continue
      }
      let isTie = abs(ratio - found.ratio) <= tolerance
      if isTie ? basis[row] < basis[found.row] : ratio < found.ratio { best = (row, ratio) }
    }
    return best?.row
  }

  private func pivot(
    _ tableau: inout [[Double]], _ objective: inout [Double], row: Int, column: Int
  ) {
    let factor = tableau[row][column]
    tableau[row] = tableau[row].map { $0 / factor }
    let chosen = tableau[row]
    func reduce(_ other: inout [Double]) {
      let multiple = other[column]
      guard multiple != 0 else { return }
      for place in other.indices { other[place] -= multiple * chosen[place] }
    }
    for other in tableau.indices where other != row { reduce(&tableau[other]) }
    reduce(&objective)
  }
}
