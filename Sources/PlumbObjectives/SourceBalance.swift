/// The weights that MORE gives to the losses of several preference sources, step by step.
///
/// `λ = argmin |Σ_k λ_k m_k|²` over the simplex (arXiv 2312.07401, §4.3), where `m_k` is a running mean
/// of the gradient of source k's ranking loss in the reward head. The head alone is read: it is where
/// the sources' losses meet, and its gradient costs nothing beyond the forward pass.
///
/// Where the published code differs (github.com/dunzeng/MORE): it solves λ for every micro-batch of
/// every rank from *one pair* per source, so that after `l2` normalisation λ depends on the directions
/// of single embedding differences only; here the gradients are those of all pairs of the batch. Its
/// running means start from random numbers; here from the first gradient.
public struct SourceBalance: Codable, Hashable, Sendable {
  /// What each gradient is divided by before the weights are solved for.
  public enum Normalisation: String, Codable, Hashable, Sendable, CaseIterable {
    /// Its length.
    case l2
    /// The source's share of the losses: `(loss_k + 1) / Σ_j (loss_j + 1)`.
    case loss
    /// Its length times the loss.
    case lossTimesLength = "loss+"
    /// Nothing.
    case none
  }

  /// How the weights are solved for.
  public enum Solver: String, Codable, Hashable, Sendable, CaseIterable {
    /// Wolfe's algorithm, exact.
    case wolfe
    /// Frank and Wolfe's iteration, as published.
    case frankWolfe = "frank-wolfe"
  }

  /// The share of the newest gradient in the running mean: `m = (1 − alpha)·m + alpha·g`.
  public let alpha: Double
  /// What each gradient is divided by.
  public let normalisation: Normalisation
  /// How the weights are solved for.
  public let solver: Solver
  /// The running mean of every source's gradient; empty until the source has been seen.
  public private(set) var means: [[Float]]

  /// A balance of sources that have not been seen yet.
  ///
  /// - Parameters:
  ///   - sources: K, at least 1.
  ///   - alpha: above 0, at most 1; the published 0.99 keeps almost no memory.
  ///   - normalisation: as published, `l2`.
  ///   - solver: the exact one unless the iteration is asked for.
  public init(
    sources: Int, alpha: Double = 0.99, normalisation: Normalisation = .l2, solver: Solver = .wolfe
  ) {
    precondition(sources > 0, "SourceBalance: expected at least one source, found \(sources)")
    precondition(alpha > 0 && alpha <= 1, "SourceBalance: expected alpha in (0, 1], found \(alpha)")
    self.alpha = alpha
    self.normalisation = normalisation
    self.solver = solver
    means = [[Float]](repeating: [], count: sources)
  }

  /// Takes in the gradients of a batch and gives the weights of its sources.
  ///
  /// - Parameters:
  ///   - gradients: of the mean ranking loss of each source in the head's weights, [H]; nil for a
  ///     source that has no pair in the batch.
  ///   - losses: the mean ranking losses, nats; read for the sources that are present.
  /// - Returns: K weights with sum 1. Absent sources have 0. So have those whose running mean is
  ///   zero: they ask for nothing, and as the shortest of all they would otherwise take all the
  ///   weight. Where all are zero the present sources share alike.
  public mutating func weights(gradients: [[Float]?], losses: [Double]) -> [Double] {
    precondition(
      gradients.count == means.count && losses.count == means.count,
      "SourceBalance: expected \(means.count) gradients and losses, found \(gradients.count) and "
        + "\(losses.count)")
    var present: [Int] = []
    for (source, gradient) in gradients.enumerated() {
      guard let gradient else { continue }
      present.append(source)
      means[source] =
        means[source].isEmpty
        ? gradient
        : zip(means[source], gradient).map {
          Float((1 - alpha) * Double($0) + alpha * Double($1))
        }
    }
    var weights = [Double](repeating: 0, count: means.count)
    let lengths = means.map { Self.length($0) }
    let active = present.filter { lengths[$0] > 0 }
    guard !active.isEmpty else {
      for source in present { weights[source] = 1 / Double(present.count) }
      return weights
    }
    let total = active.reduce(0) { $0 + losses[$1] + 1 }
    let scaled = active.map { source in
      let divisor =
        switch normalisation {
        case .l2: lengths[source]
        case .loss: (losses[source] + 1) / total
        case .lossTimesLength: lengths[source] * losses[source]
        case .none: 1.0
        }
      return means[source].map { divisor > 0 ? Float(Double($0) / divisor) : $0 }
    }
    let gram = gramMatrix(scaled)
    let solved =
      switch solver {
      case .wolfe: minimumNormWeights(gram: gram)
      case .frankWolfe: frankWolfeWeights(gram: gram)
      }
    for (source, weight) in zip(active, solved) { weights[source] = weight }
    return weights
  }

  private static func length(_ values: [Float]) -> Double {
    values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }
}
