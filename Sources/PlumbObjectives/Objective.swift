public import PlumbTensors

/// A loss to minimise, and the numbers worth logging about it.
///
/// Every loss of this module is a pure function that returns one of these.
public struct Objective: Sendable {
  /// The loss, one scalar that carries the graph back to the inputs.
  public let loss: Tensor

  /// Named means over the `count` rows of the call; no entry carries a gradient.
  public let statistics: [String: Double]

  /// How many rows (pairs, responses or tokens) the statistics are means over.
  public let count: Int

  /// Bundles a loss with its statistics.
  ///
  /// - Parameters:
  ///   - loss: one scalar.
  ///   - statistics: named means over `count` rows.
  ///   - count: rows (pairs, responses or tokens) behind the means.
  public init(loss: Tensor, statistics: [String: Double], count: Int) {
    precondition(loss.count == 1, "Objective: expected a scalar loss, found shape \(loss.shape)")
    self.loss = loss
    self.statistics = statistics
    self.count = count
  }
}

/// The running mean of statistics over the parts of a batch, each part weighted by its rows.
///
/// The order of the parts does not matter beyond rounding, and cutting a batch into more parts
/// leaves the means as they were.
public struct StatisticsMean: Sendable {
  private var sums: [String: (total: Double, count: Int)] = [:]

  /// An empty mean.
  public init() {}

  /// Adds the statistics of one part.
  ///
  /// - Parameter objective: the part; its loss is not read.
  public mutating func add(_ objective: Objective) {
    add(objective.statistics, count: objective.count)
  }

  /// Adds named means over `count` rows.
  ///
  /// - Parameters:
  ///   - statistics: means over the rows of one part.
  ///   - count: the rows of the part.
  public mutating func add(_ statistics: [String: Double], count: Int) {
    for (name, value) in statistics {
      let old = sums[name] ?? (0, 0)
      sums[name] = (old.total + value * Double(count), old.count + count)
    }
  }

  /// The means over all rows added; a name absent from a part does not count that part's rows.
  public var means: [String: Double] {
    sums.mapValues { $0.count == 0 ? 0 : $0.total / Double($0.count) }
  }
}

extension Tensor {
  /// The share of these row losses in the mean over a batch of `batchCount` rows.
  ///
  /// Without a `batchCount` the rows are the whole batch and this is their mean. The shares of a
  /// batch cut into parts add up to its mean, whatever the cut.
  func share(of batchCount: Int?) -> Tensor {
    sum() * (1 / Float(batchCount ?? count))
  }
}

extension Tensor {
  /// The sum of row losses by their weights, or their share in the mean over a batch.
  ///
  /// - Parameters:
  ///   - weights: one for each row of the call, masked or not; none means the mean.
  ///   - rows: which rows of the call these losses belong to.
  func reduced(
    _ operation: String, weights: [Float]?, rows: [Int], batchCount: Int?
  ) -> Tensor {
    guard let weights else { return share(of: batchCount) }
    precondition(
      batchCount == nil, "\(operation): expected weights or batchCount, found both")
    precondition(
      (rows.last ?? -1) < weights.count,
      "\(operation): expected a weight for every row, found \(weights.count)")
    return (self * Tensor(rows.map { weights[$0] })).sum()
  }
}

/// The mean in double precision; 0 for no values.
func mean(_ values: some Collection<Float>) -> Double {
  values.isEmpty ? 0 : values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
}

/// Traps unless the two tensors are columns `[P]` of one length, at least one row.
func requirePairs(_ operation: String, _ first: Tensor, _ second: Tensor) {
  precondition(
    first.shape.rank == 1 && first.shape == second.shape,
    "\(operation): expected two tensors of one shape [P], found \(first.shape) and \(second.shape)")
  precondition(first.count > 0, "\(operation): expected at least one pair, found none")
}

/// Traps unless the tensor is a column `[N]` with at least one row.
func requireColumn(_ operation: String, _ tensor: Tensor) {
  precondition(
    tensor.shape.rank == 1 && tensor.count > 0,
    "\(operation): expected a tensor [N] with N > 0, found shape \(tensor.shape)")
}

/// Traps unless an array of constants has one entry per row.
func requireCount(_ operation: String, _ name: String, _ found: Int, rows: Int) {
  precondition(
    found == rows, "\(operation): expected \(rows) \(name), one per row, found \(found)")
}
