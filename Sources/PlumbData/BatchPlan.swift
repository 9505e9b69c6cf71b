import PlumbTensors

/// How much goes into one batch.
public enum BatchSize: Codable, Hashable, Sendable {
  /// So many examples.
  case examples(Int)
  /// As many examples as fit into so many tokens, at least one.
  case tokens(Int)
}

/// Which examples form which batch of which epoch.
///
/// A pure function of (seed, epoch): no state, so training resumes at any (epoch, index) exactly.
public struct BatchPlan: Hashable, Sendable {
  /// Tokens of every example.
  public let costs: [Int]
  /// How much goes into one batch.
  public let size: BatchSize
  /// Another seed gives another order.
  public let seed: UInt64
  /// Whether every epoch has its own random order; otherwise the order is that of the data.
  public let shuffles: Bool
  /// Whether the last batch of an epoch is left out when it is smaller (examples only).
  public let dropsRemainder: Bool

  /// A plan for examples that take `costs` tokens; traps unless the size is positive.
  public init(
    costs: [Int], size: BatchSize, seed: UInt64, shuffles: Bool = true,
    dropsRemainder: Bool = false
  ) {
    switch size {
    case .examples(let count), .tokens(let count):
      precondition(count > 0, "BatchPlan: expected a positive batch size, found \(count)")
    }
    self.costs = costs
    self.size = size
    self.seed = seed
    self.shuffles = shuffles
    self.dropsRemainder = dropsRemainder
  }

  /// The examples in the order of an epoch.
  public func order(epoch: Int) -> [Int] {
    guard shuffles else { return Array(costs.indices) }
    var stream = RandomStream(seed: seed, purpose: "batch order", step: epoch)
    return stream.permutation(costs.count)
  }

  /// The batches of an epoch, each a list of examples; every example is in exactly one.
  public func batches(epoch: Int) -> [[Int]] {
    let order = order(epoch: epoch)
    switch size {
    case .examples(let count):
      let batches = stride(from: 0, to: order.count, by: count).map {
        Array(order[$0..<min($0 + count, order.count)])
      }
      let hasRemainder = order.count % count != 0 && order.count > count
      return dropsRemainder && hasRemainder ? batches.dropLast() : batches
    case .tokens(let budget):
      return Self.filled(order, costs: costs, budget: budget)
    }
  }

  /// Cuts `examples` in order into runs of at most `budget` tokens; one over the budget is alone.
  public static func filled(_ examples: [Int], costs: [Int], budget: Int) -> [[Int]] {
    var runs: [[Int]] = []
    var room = 0
    for example in examples {
      if runs.isEmpty || costs[example] > room {
        runs.append([])
        room = budget
      }
      runs[runs.count - 1].append(example)
      room -= costs[example]
    }
    return runs
  }
}
