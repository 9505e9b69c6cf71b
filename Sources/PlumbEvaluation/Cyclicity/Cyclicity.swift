import Foundation

extension HodgeDecomposition {
  /// Decomposes the log-odds of a graph's verdicts.
  ///
  /// `Y_ij = log((p_ij + ½) / (p_ji + ½))` with the points of both orders (Haldane 1956), weighted by the
  /// number of comparisons.
  public init(_ graph: PreferenceGraph) {
    let points = graph.points
    self.init(
      flow: points.indices.map { i in
        points.indices.map { j in
          points[i][j] + points[j][i] > 0 ? log((points[i][j] + 0.5) / (points[j][i] + 0.5)) : 0
        }
      },
      weights: points.indices.map { i in points.indices.map { points[i][$0] + points[$0][i] } })
  }
}

/// How cyclic a collection of preferences is, with what noise alone would show.
public struct Cyclicity: Hashable, Codable, Sendable {
  /// What a null model would show in place of a measured value.
  public struct Null: Hashable, Codable, Sendable {
    /// The mean over the draws.
    public let mean: Double
    /// The middle 95 % of the draws.
    public let interval: Interval
    /// The share of draws at least as large as the measured value, `(1 + #) / (1 + draws)`.
    public let pValue: Double

    init(_ draws: [Double], measured: Double) {
      mean = draws.reduce(0, +) / Double(max(1, draws.count))
      interval = .percentiles(ofSorted: draws.sorted(), level: 0.95)
      pValue = Double(1 + draws.count { $0 >= measured }) / Double(1 + draws.count)
    }
  }

  /// A measured value, its bootstrap interval over prompts, and the null's.
  public struct Measure: Hashable, Codable, Sendable {
    /// What was measured.
    public let value: Double
    /// Over prompts; resampling adds noise, which looks cyclic, so it leans upwards.
    public let interval: Interval
    /// Verdicts with an order and noise only; nil where it was not asked for.
    public let null: Null?
  }

  /// Graphs, one for each prompt.
  public let prompts: Int
  /// Prompts with a loop: more compared pairs than a tree of its items has.
  public let promptsWithLoops: Int
  /// Verdicts.
  public let comparisons: Int
  /// Strict 3-cycles of net verdicts, counted within prompts.
  public let counts: CycleCount
  /// Strict cycles as a share of the decided triples.
  public let cycles: Measure
  /// Energies of the decomposition: of the pooled table, or summed over prompts.
  public let energy: HodgeDecomposition.Energy
  /// The share of the energy that no order explains.
  public let cyclicShare: Measure
  /// The share of the curl alone.
  public let curlShare: Measure
  /// Whether the table is pooled over prompts, because all have the same items.
  public let isPooled: Bool

  /// Whether the simulations of the null all have one cyclic share although there are loops.
  ///
  /// The null then has no noise to hold the measured share against.
  public var hasNullWithoutWidth: Bool {
    guard promptsWithLoops > 0, let null = cyclicShare.null else { return false }
    return null.interval.upper - null.interval.lower < 1e-12
  }

  /// Measures graphs.
  ///
  /// - Parameters:
  ///   - graphs: one for each prompt; at least one comparison in all.
  ///   - pooled: whether the items are the same in all graphs (systems): the table is then that of all
  ///     prompts together, otherwise each prompt has its own and their energies are summed.
  ///   - null: what to simulate; nil for no null.
  ///   - draws: simulations of the null.
  ///   - resamples: of the bootstrap.
  ///   - seed: of both.
  public init(
    _ graphs: [PreferenceGraph], pooled: Bool, null: DavidsonModel? = nil, draws: Int = 200,
    resamples: Int = 500, seed: UInt64 = 0
  ) {
    precondition(
      graphs.contains { !$0.comparisons.isEmpty }, "Cyclicity: expected at least one comparison")
    self.init(
      Statistics(graphs, pooled: pooled),
      null: null.map { model in
        (0..<draws).map {
          Statistics(model.simulate(graphs, seed: seed, draw: $0), pooled: pooled).total
        }
      }, resamples: resamples, seed: seed)
  }

  /// Measures tables of log-odds, such as a model's for the answers to each prompt.
  ///
  /// Every pair has the weight 1 and its sign as verdict; a model's tables have no noise, so no null.
  /// - Parameters:
  ///   - tables: antisymmetric, [K][K], one for each prompt; at least one of two items or more.
  ///   - resamples: of the bootstrap.
  ///   - seed: of the bootstrap.
  public init(tables: [[[Double]]], resamples: Int = 500, seed: UInt64 = 0) {
    precondition(
      tables.contains { $0.count > 1 }, "Cyclicity: expected at least one table of two items")
    let graphs = tables.map { table in
      PreferenceGraph(
        items: table.count,
        comparisons: table.indices.flatMap { i in
          (i + 1..<max(table.count, i + 1)).map { j in
            PreferenceGraph.Comparison(
              first: i, second: j, points: table[i][j] > 0 ? 1 : table[i][j] < 0 ? 0 : 0.5)
          }
        })
    }
    let energies = tables.map { table in
      HodgeDecomposition(flow: table, weights: table.map { $0.map { _ in 1 } }).energy
    }
    self.init(
      Statistics(graphs: graphs, energies: energies), null: nil, resamples: resamples, seed: seed)
  }

  private init(_ measured: Statistics, null simulated: [Total]?, resamples: Int, seed: UInt64) {
    let graphs = measured.graphs
    let total = measured.total
    func measure(_ value: (Total) -> Double) -> Measure {
      let found = value(total)
      return Measure(
        value: found,
        interval: .bootstrap(rows: graphs.count, resamples: resamples, seed: seed) { rows in
          value(measured.total(of: rows))
        },
        null: simulated.map { Null($0.map(value), measured: found) })
    }
    prompts = graphs.count
    promptsWithLoops = graphs.count { $0.hasLoop }
    comparisons = graphs.reduce(0) { $0 + $1.comparisons.count }
    counts = total.counts
    energy = total.energy
    cycles = measure(\.cycleShare)
    cyclicShare = measure(\.energy.cyclicShare)
    curlShare = measure(\.energy.curlShare)
    isPooled = measured.pooled
  }

  private struct Total {
    var counts = CycleCount()
    var energy = HodgeDecomposition.Energy()

    /// Strict cycles as a share of the decided triples.
    var cycleShare: Double {
      counts.decided > 0 ? Double(counts.cycles) / Double(counts.decided) : 0
    }
  }

  /// What is added up over prompts, kept prompt by prompt so that prompts can be drawn again.
  private struct Statistics {
    let pooled: Bool
    let graphs: [PreferenceGraph]
    let counts: [CycleCount]
    /// Per prompt; empty where the table is pooled.
    let energies: [HodgeDecomposition.Energy]

    init(_ graphs: [PreferenceGraph], pooled: Bool) {
      self.pooled = pooled
      self.graphs = graphs
      counts = graphs.map(\.cycleCount)
      energies = pooled ? [] : graphs.map { HodgeDecomposition($0).energy }
    }

    init(graphs: [PreferenceGraph], energies: [HodgeDecomposition.Energy]) {
      pooled = false
      self.graphs = graphs
      counts = graphs.map(\.cycleCount)
      self.energies = energies
    }

    var total: Total { total(of: Array(graphs.indices)) }

    func total(of rows: [Int]) -> Total {
      var total = Total()
      for row in rows { total.counts += counts[row] }
      if pooled {
        total.energy = HodgeDecomposition(.pooled(rows.map { graphs[$0] })).energy
      } else {
        for row in rows { total.energy += energies[row] }
      }
      return total
    }
  }
}

extension PreferenceGraph {
  /// Whether some pairs close a loop, so that cycles could be seen at all.
  public var hasLoop: Bool {
    var parts = Array(0..<items)
    func root(_ item: Int) -> Int {
      var item = item
      while parts[item] != item { item = parts[item] }
      return item
    }
    var seen: Set<[Int]> = []
    for one in comparisons {
      let pair = [min(one.first, one.second), max(one.first, one.second)]
      guard seen.insert(pair).inserted else { continue }
      let (a, b) = (root(pair[0]), root(pair[1]))
      if a == b { return true }
      parts[a] = b
    }
    return false
  }
}
