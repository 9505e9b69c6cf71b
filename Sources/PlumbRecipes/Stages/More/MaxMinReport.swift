import PlumbEvaluation

/// Tables, plots and claims of a mixture of reward models.
struct MaxMinReport {
  let data: AnnotatorGroups
  /// One record per seed.
  let single: [MaxMinStage.Record]
  /// One record per seed.
  let mixtures: [MaxMinStage.Record]
  let configuration: MaxMinConfiguration
  let stage: String
  let seed: UInt64

  private var held: HeldOutSources { HeldOutSources(data.sources) }

  /// The source with the fewest training pairs; nil where there is only one, or two are smallest.
  private var minority: Int? {
    let counts = data.sources.map(\.train.count)
    guard counts.count > 1, let least = counts.min(), counts.count(where: { $0 == least }) == 1
    else { return nil }
    return counts.firstIndex(of: least)
  }

  var result: StageResult {
    let table = table
    var blocks: [ReportBlock] = [
      .paragraph(
        "\(data.groups.count) groups of people from \(data.sources.count) source(s) in "
          + "\(configuration.clusters) clusters; \(configuration.iterations) rounds, of which the one with "
          + "the best validation likelihood is kept; \(configuration.seeds) seed(s). Accuracy in percent "
          + "with 95 % intervals, prompts and seeds drawn again. The mixture judges a pair by the model "
          + "of its people's cluster; the minimum takes the lowest reward over the clusters, sample by "
          + "sample, which is stricter than the lowest expected reward."),
      .table(table), .table(clusterTable),
    ]
    if mixtures.contains(where: { $0.rounds.count > 1 }) {
      blocks.append(.charts([objectiveChart]))
    }
    blocks.append(.details(summary: "The cluster of every group", text: assignmentTable.text))
    return StageResult(
      figures: figures, claims: claims, tables: [table, clusterTable],
      sections: [ReportSection("\(stage): mixture of reward models", blocks)])
  }

  private typealias Row = (name: String, key: String, logOdds: [[[Double]]])

  private var rows: [Row] {
    [
      ("one model for all", "single", single.map(\.logOdds)),
      ("mixture, own cluster", "mixture", mixtures.map(\.logOdds)),
      ("mixture, minimum over clusters", "minimum", mixtures.map(\.minimum)),
    ]
  }

  private func text(_ logOdds: [[[Double]]], source: Int?) -> String {
    guard let found = held.value(.accuracy, logOdds, source: source, seed: seed) else { return "–" }
    return NumberText.interval(
      found.value * 100, [found.interval.lower * 100, found.interval.upper * 100], decimals: 1)
  }

  private var table: TextTable {
    TextTable(
      title: "Accuracy by source (%)",
      columns: ["model"]
        + data.sources.enumerated().map { index, source in
          "\(source.name) (\(source.train.count) pairs\(index == minority ? ", minority" : ""))"
        } + ["mean"],
      rows: rows.map { row in
        [row.name] + data.sources.indices.map { text(row.logOdds, source: $0) }
          + [text(row.logOdds, source: nil)]
      })
  }

  /// Groups of each source in each cluster, seed by seed.
  private var clusterTable: TextTable {
    TextTable(
      title: "Groups in each cluster",
      columns: ["seed", "source"] + (1..<(configuration.clusters + 1)).map { "cluster \($0)" },
      rows: mixtures.enumerated().flatMap { seed, record in
        data.sources.enumerated().map { index, source in
          ["\(seed + 1)", source.name]
            + (0..<configuration.clusters).map { cluster in
              "\(data.groups.indices.count { data.groups[$0].source == index && record.clusters[$0] == cluster })"
            }
        }
      })
  }

  private var assignmentTable: TextTable {
    TextTable(
      columns: ["group", "training pairs"]
        + mixtures.indices.map { "seed \($0 + 1)" },
      rows: data.groups.enumerated().map { index, group in
        [group.name, "\(group.train.count)"] + mixtures.map { "\($0.clusters[index] + 1)" }
      })
  }

  private var objectiveChart: Chart {
    let pairs = Double(data.groups.reduce(0) { $0 + $1.train.count })
    return Chart(
      "Log-likelihood of the training pairs under their clusters",
      caption: "Per pair. It never falls: a round that made a cluster worse is not taken.",
      x: .init("round"), y: .init("log-likelihood (nats/pair)"),
      .lines(
        mixtures.enumerated().map { seed, record in
          Chart.Series(
            "seed \(seed + 1)",
            ([record.start] + record.rounds.map(\.objective)).enumerated().map {
              Chart.Point(Double($0.offset), $0.element / pairs)
            })
        }))
  }

  /// The share of groups that sit in the cluster where most of their source's groups sit, where every
  /// source has a cluster of its own; the best matching is not needed for two sources.
  private func purity(_ record: MaxMinStage.Record) -> Double {
    var right = 0
    for cluster in 0..<configuration.clusters {
      let members = data.groups.indices.filter { record.clusters[$0] == cluster }
      right +=
        data.sources.indices.map { source in
          members.count { data.groups[$0].source == source }
        }.max() ?? 0
    }
    return Double(right) / Double(max(1, data.groups.count))
  }

  private var figures: [Figure] {
    var figures: [Figure] = []
    for row in rows {
      for source in [nil] + held.measured.map(Optional.some) {
        guard let found = held.value(.accuracy, row.logOdds, source: source, seed: seed) else {
          continue
        }
        figures.append(
          Figure(
            "\(row.key)/accuracy" + (source.map { "/\(data.sources[$0].name)" } ?? ""), found.value,
            interval: found.interval.range, sampleSize: held.pairCount(source)))
      }
    }
    for source in [nil] + held.measured.map(Optional.some) {
      guard let gain = gain(source) else { continue }
      figures.append(
        Figure(
          "mixture_less_single/accuracy" + (source.map { "/\(data.sources[$0].name)" } ?? ""),
          gain.value, interval: gain.interval.range, sampleSize: held.pairCount(source)))
    }
    for (seed, record) in mixtures.enumerated() {
      figures.append(
        Figure("purity/seed\(seed + 1)", purity(record), sampleSize: data.groups.count))
      let path = [record.start] + record.rounds.map(\.objective)
      figures.append(
        Figure(
          "least_rise_of_objective/seed\(seed + 1)",
          zip(path, path.dropFirst()).map { $1 - $0 }.min() ?? 0, unit: "nats",
          sampleSize: record.rounds.count))
    }
    return figures
  }

  private func gain(_ source: Int?) -> HeldOutSources.Measured? {
    held.value(
      .accuracy, mixtures.map(\.logOdds), less: single.map(\.logOdds), source: source, seed: seed)
  }

  private var claims: [Claim] {
    var claims: [Claim] = []
    if let minority, let gain = gain(minority) {
      claims.append(
        Claim(
          "the mixture raises the accuracy on the minority, \(data.sources[minority].name)",
          measured: gain.value, .above, 0,
          paper: "a minority win rate 33 % higher on average, of policies (arXiv 2402.08925)"))
      claims.append(
        Claim(
          "the same beyond chance (lower end of the 95 % interval)", measured: gain.interval.lower,
          .above, 0, paper: "no interval"))
      let others = data.sources.indices.filter { $0 != minority }.compactMap {
        self.gain($0)?.value
      }
      if let worst = others.min() {
        claims.append(
          Claim(
            "and costs the others at most 2 points of accuracy", measured: worst, .atLeast, -0.02,
            paper: "\"without compromising the performance of majority groups\" (arXiv 2402.08925)")
        )
      }
    }
    return claims
  }
}
