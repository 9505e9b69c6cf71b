import PlumbTensors

/// Batches over several sources: an equal share of each, or one pool.
///
/// A pure function of (seed, step): no state, so training resumes at any step exactly. The order in which
/// the rows of a source come depends on its name and the seed alone, so that a run on one source and a
/// run on many see its rows in one order.
public struct SourceMixture: Hashable, Sendable {
  /// How rows get into a batch.
  public enum Sampling: String, Codable, Hashable, Sendable, CaseIterable {
    /// Every batch holds equally many rows of every source; a small source is gone through more often
    /// than a large one (MORE, arXiv 2312.07401, §4.3: every set resampled to one size).
    case equal
    /// All rows in one pool, each once an epoch (MORE's "no resampling" variant).
    case pooled
  }

  /// The rows of one source.
  public struct Source: Hashable, Sendable {
    /// The name, part of the key of the order.
    public let name: String
    /// How many rows there are; at least 1.
    public let count: Int

    /// A source of `count` rows.
    public init(_ name: String, count: Int) {
      precondition(count > 0, "SourceMixture: expected rows in '\(name)', found \(count)")
      self.name = name
      self.count = count
    }
  }

  /// The sources, in the order of the lists that batches are.
  public let sources: [Source]
  /// How rows get into a batch.
  public let sampling: Sampling
  /// Rows of every source in a batch; of a pool, a batch has so many times the number of sources.
  public let share: Int
  /// Rows that an epoch draws of every source (`equal`).
  public let rowsPerSource: Int
  /// Another seed gives another order.
  public let seed: UInt64

  /// A mixture of sources.
  ///
  /// - Parameters:
  ///   - sources: at least one, with different names.
  ///   - share: rows of every source in a batch, at least 1.
  ///   - sampling: equal shares or one pool.
  ///   - rowsPerSource: rows that an epoch draws of every source; 0 for the number of the largest.
  ///   - seed: of the order.
  public init(
    _ sources: [Source], share: Int, sampling: Sampling = .equal, rowsPerSource: Int = 0,
    seed: UInt64
  ) {
    precondition(
      !sources.isEmpty && Set(sources.map(\.name)).count == sources.count,
      "SourceMixture: expected sources of different names, found \(sources.map(\.name))")
    precondition(share > 0, "SourceMixture: expected a positive share, found \(share)")
    self.sources = sources
    self.sampling = sampling
    self.share = share
    self.rowsPerSource = rowsPerSource > 0 ? rowsPerSource : sources.map(\.count).max() ?? 0
    self.seed = seed
  }

  /// The batches of one epoch.
  public var batchesPerEpoch: Int {
    switch sampling {
    case .equal: (rowsPerSource + share - 1) / share
    case .pooled:
      (sources.reduce(0) { $0 + $1.count } + pooledBatch - 1) / pooledBatch
    }
  }

  /// The batches of `epochs` passes; a fraction of an epoch is rounded up to a batch.
  public func batches(epochs: Double) -> Int {
    max(1, Int((Double(batchesPerEpoch) * epochs).rounded(.up)))
  }

  /// The rows of a batch, one list per source; from a pool a list may be empty.
  ///
  /// - Parameter index: of the batch since the start of training, from 0.
  public func batch(_ index: Int) -> [[Int]] {
    switch sampling {
    case .equal: sources.map { equalShare($0, from: index * share) }
    case .pooled: pooled(index)
    }
  }

  /// Rows `start`, `start + 1`, … of the endless sequence of a source's shuffled passes.
  private func equalShare(_ source: Source, from start: Int) -> [Int] {
    var orders: [Int: [Int]] = [:]
    return (start..<start + share).map { position in
      let epoch = position / source.count
      if orders[epoch] == nil {
        var stream = RandomStream(seed: seed, purpose: "source \(source.name)", step: epoch)
        orders[epoch] = stream.permutation(source.count)
      }
      return orders[epoch]?[position % source.count] ?? 0
    }
  }

  private var pooledBatch: Int { share * sources.count }

  private func pooled(_ index: Int) -> [[Int]] {
    let total = sources.reduce(0) { $0 + $1.count }
    let epoch = index / batchesPerEpoch
    let start = index % batchesPerEpoch * pooledBatch
    var stream = RandomStream(seed: seed, purpose: "source pool", step: epoch)
    var batch = [[Int]](repeating: [], count: sources.count)
    for row in stream.permutation(total)[start..<min(start + pooledBatch, total)] {
      var rest = row
      var source = 0
      while rest >= sources[source].count {
        rest -= sources[source].count
        source += 1
      }
      batch[source].append(rest)
    }
    return batch
  }
}
