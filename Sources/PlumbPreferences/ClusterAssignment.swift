/// Which cluster of a mixture of preference models every group of people belongs to.
///
/// The E-step of MaxMin-RLHF (arXiv 2402.08925, §5, algorithm 2): group h goes to
/// `argmax_u Σ log σ(r_u(chosen) − r_u(rejected))` over its pairs. A group is an annotator, or a source
/// where annotators are not known.
public struct ClusterAssignment: Codable, Hashable, Sendable {
  /// The number of clusters, K.
  public let clusterCount: Int
  /// The cluster of every group, [H].
  public private(set) var clusters: [Int]

  /// Group h in cluster h mod K, as the published code begins.
  ///
  /// - Parameters:
  ///   - groups: H, at least 1.
  ///   - clusters: K, at least 1.
  public init(groups: Int, clusters: Int) {
    precondition(
      groups > 0 && clusters > 0,
      "ClusterAssignment: expected groups and clusters, found \(groups) and \(clusters)")
    clusterCount = clusters
    self.clusters = (0..<groups).map { $0 % clusters }
  }

  /// The groups of a cluster, in order.
  public func groups(in cluster: Int) -> [Int] {
    clusters.indices.filter { clusters[$0] == cluster }
  }

  /// The clusters without a group.
  public var emptyClusters: [Int] {
    let used = Set(clusters)
    return (0..<clusterCount).filter { !used.contains($0) }
  }

  /// Moves every group to the cluster under which its choices are likeliest (E-step).
  ///
  /// A group stays where it is unless another cluster is strictly better.
  /// - Parameter logLikelihoods: [H][K], nats: the sum over the pairs of each group under each cluster's
  ///   model.
  /// - Returns: how many groups moved.
  @discardableResult
  public mutating func assign(_ logLikelihoods: [[Double]]) -> Int {
    check(logLikelihoods)
    var moved = 0
    for (group, row) in logLikelihoods.enumerated() {
      var best = clusters[group]
      for cluster in row.indices where row[cluster] > row[best] { best = cluster }
      if best != clusters[group] { moved += 1 }
      clusters[group] = best
    }
    return moved
  }

  /// What EM raises: `Σ_h ll[h][u(h)]`, nats, at most 0.
  public func objective(_ logLikelihoods: [[Double]]) -> Double {
    check(logLikelihoods)
    return zip(clusters, logLikelihoods).reduce(0) { $0 + $1.1[$1.0] }
  }

  /// An empty cluster that was given a group.
  public struct Refill: Codable, Hashable, Sendable {
    /// The cluster that was empty.
    public let cluster: Int
    /// The cluster that gave a group away; the empty one must take over its weights.
    public let donor: Int
    /// The group.
    public let group: Int
  }

  /// Gives every empty cluster the group that is served worst, out of a cluster with others left.
  ///
  /// The empty cluster must then start from the donor's weights: the objective stays what it was, and
  /// the next M-step can only raise it.
  /// - Parameters:
  ///   - logLikelihoods: [H][K], nats.
  ///   - pairs: [H], the pairs of each group.
  /// - Returns: what was moved; a cluster stays empty where there are fewer groups than clusters.
  public mutating func refillEmptyClusters(
    _ logLikelihoods: [[Double]], pairs: [Int]
  ) -> [Refill] {
    check(logLikelihoods)
    precondition(
      pairs.count == clusters.count,
      "ClusterAssignment: expected \(clusters.count) counts of pairs, found \(pairs.count)")
    var made: [Refill] = []
    for cluster in emptyClusters {
      let movable = clusters.indices.filter { groups(in: clusters[$0]).count > 1 }
      func meanFit(_ group: Int) -> Double {
        logLikelihoods[group][clusters[group]] / Double(max(1, pairs[group]))
      }
      // A group that has just filled another empty cluster sits alone in it and is not movable.
      guard let worst = movable.min(by: { meanFit($0) < meanFit($1) }) else { continue }
      made.append(Refill(cluster: cluster, donor: clusters[worst], group: worst))
      clusters[worst] = cluster
    }
    return made
  }

  private func check(_ logLikelihoods: [[Double]]) {
    precondition(
      logLikelihoods.count == clusters.count
        && logLikelihoods.allSatisfy { $0.count == clusterCount && $0.allSatisfy { !$0.isNaN } },
      "ClusterAssignment: expected \(clusters.count) × \(clusterCount) log-likelihoods without NaN, "
        + "found \(logLikelihoods.count) × \(logLikelihoods.map(\.count))")
  }
}
