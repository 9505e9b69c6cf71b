/// A table of log-odds split into what an order explains and what runs in circles: HodgeRank.
///
/// For log-odds `Y_ij = -Y_ji` with weights `w_ij` (Jiang, Lim, Yao and Ye 2011, "Statistical ranking and
/// combinatorial Hodge theory"), three parts that are orthogonal under `<X, Y> = Σ_{i<j} w_ij X_ij Y_ij`:
///
/// - *gradient*: `r_i - r_j` of the ratings that fit best, `min Σ w_ij (r_i - r_j - Y_ij)²`;
/// - *curl*: what circulates around triangles, `(1 / w_ij) Σ_k Φ_ijk`;
/// - *harmonic*: what circulates around longer holes only; zero where all pairs were compared.
///
/// A pair of weight 0 was not compared and has no part in anything.
public struct HodgeDecomposition: Hashable, Codable, Sendable {
  /// One rating per item, of mean 0 in every connected part.
  public let ratings: [Double]
  /// The transitive part, [n][n].
  public let gradient: [[Double]]
  /// The part around triangles, [n][n].
  public let curl: [[Double]]
  /// The rest, [n][n].
  public let harmonic: [[Double]]
  /// `Σ_{i<j} w_ij Y_ij²` of each part and of the whole.
  public let energy: Energy

  /// Weighted sums of squares.
  public struct Energy: Hashable, Codable, Sendable {
    /// Of the table.
    public var total = 0.0
    /// Of the gradient.
    public var gradient = 0.0
    /// Of the curl.
    public var curl = 0.0
    /// Of the harmonic part.
    public var harmonic = 0.0

    /// Nothing.
    public init() {}

    /// Adds the sums.
    public static func += (left: inout Energy, right: Energy) {
      left.total += right.total
      left.gradient += right.gradient
      left.curl += right.curl
      left.harmonic += right.harmonic
    }

    /// The share of the whole that no order explains: curl and harmonic; 0 for an empty table.
    public var cyclicShare: Double { total > 0 ? (curl + harmonic) / total : 0 }
    /// The share of the curl.
    public var curlShare: Double { total > 0 ? curl / total : 0 }
    /// The share of the harmonic part.
    public var harmonicShare: Double { total > 0 ? harmonic / total : 0 }
    /// The share that ratings explain.
    public var gradientShare: Double { total > 0 ? gradient / total : 1 }
  }

  /// Splits a table.
  ///
  /// - Parameters:
  ///   - flow: [n][n] log-odds of the row against the column; only the part above the diagonal is read.
  ///   - weights: [n][n], not negative; likewise.
  public init(flow: [[Double]], weights: [[Double]]) {
    let count = flow.count
    precondition(
      weights.count == count && (flow + weights).allSatisfy { $0.count == count },
      "HodgeDecomposition: expected two square tables of \(count) items")
    var edges: [Edge] = []
    for i in 0..<count {
      for j in i + 1..<max(count, i + 1) where weights[i][j] > 0 {
        edges.append(Edge(i: i, j: j, weight: weights[i][j], value: flow[i][j]))
      }
    }
    precondition(
      edges.allSatisfy { $0.weight.isFinite && $0.value.isFinite },
      "HodgeDecomposition: expected finite log-odds and weights")
    ratings = Self.ratings(edges, count: count)
    let slopes = edges.map { [ratings] edge in ratings[edge.i] - ratings[edge.j] }
    let residual = zip(edges, slopes).map { $0.value - $1 }
    let circulation = Self.curl(edges, residual, count: count)
    func table(_ values: [Double]) -> [[Double]] {
      var table = [[Double]](repeating: [Double](repeating: 0, count: count), count: count)
      for (edge, value) in zip(edges, values) {
        table[edge.i][edge.j] = value
        table[edge.j][edge.i] = -value
      }
      return table
    }
    let rest = zip(residual, circulation).map { $0 - $1 }
    gradient = table(slopes)
    curl = table(circulation)
    harmonic = table(rest)
    func sum(_ values: [Double]) -> Double {
      zip(edges, values).reduce(0) { $0 + $1.0.weight * $1.1 * $1.1 }
    }
    var energy = Energy()
    energy.total = sum(edges.map(\.value))
    energy.gradient = sum(slopes)
    energy.curl = sum(circulation)
    energy.harmonic = sum(rest)
    self.energy = energy
  }

  private struct Edge {
    let i: Int
    let j: Int
    let weight: Double
    let value: Double
  }

  /// The least-squares ratings: `L r = div Y`, the Laplacian of the weights.
  private static func ratings(_ edges: [Edge], count: Int) -> [Double] {
    var divergence = [Double](repeating: 0, count: count)
    for edge in edges {
      divergence[edge.i] += edge.weight * edge.value
      divergence[edge.j] -= edge.weight * edge.value
    }
    return conjugateGradient(divergence) { x in
      var y = [Double](repeating: 0, count: count)
      for edge in edges {
        let flow = edge.weight * (x[edge.i] - x[edge.j])
        y[edge.i] += flow
        y[edge.j] -= flow
      }
      return y
    }
  }

  /// The projection of what is left onto the triangles: `C W⁻¹ Cᵀ Φ = C R`, then `W⁻¹ Cᵀ Φ`.
  private static func curl(_ edges: [Edge], _ residual: [Double], count: Int) -> [Double] {
    var place = [[Int?]](repeating: [Int?](repeating: nil, count: count), count: count)
    for (index, edge) in edges.enumerated() { place[edge.i][edge.j] = index }
    var triangles: [(ij: Int, jk: Int, ik: Int)] = []
    for (index, edge) in edges.enumerated() {
      for k in edge.j + 1..<max(count, edge.j + 1) {
        if let jk = place[edge.j][k], let ik = place[edge.i][k] {
          triangles.append((index, jk, ik))
        }
      }
    }
    func around(_ values: [Double]) -> [Double] {
      triangles.map { values[$0.ij] + values[$0.jk] - values[$0.ik] }
    }
    func along(_ potentials: [Double]) -> [Double] {
      var values = [Double](repeating: 0, count: edges.count)
      for (triangle, potential) in zip(triangles, potentials) {
        values[triangle.ij] += potential
        values[triangle.jk] += potential
        values[triangle.ik] -= potential
      }
      for index in edges.indices { values[index] /= edges[index].weight }
      return values
    }
    return along(conjugateGradient(around(residual)) { around(along($0)) })
  }
}

/// Solves `A x = b` for a positive semidefinite `A` whose range holds `b`, from x = 0.
///
/// The solution is the one of least length. Stops at a residual of 1e-13 of `b`'s length, or when a
/// step no longer lowers it.
func conjugateGradient(_ b: [Double], _ apply: ([Double]) -> [Double]) -> [Double] {
  func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
  var x = [Double](repeating: 0, count: b.count)
  var residual = b
  var direction = b
  var size = dot(b, b)
  let goal = size * 1e-26
  for _ in 0..<(10 * b.count + 50) where size > goal {
    let image = apply(direction)
    let curvature = dot(direction, image)
    guard curvature > 0 else { break }
    let step = size / curvature
    for index in x.indices {
      x[index] += step * direction[index]
      residual[index] -= step * image[index]
    }
    let next = dot(residual, residual)
    for index in x.indices { direction[index] = residual[index] + next / size * direction[index] }
    size = next
  }
  return x
}
