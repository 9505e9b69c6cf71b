import PlumbPreferences

/// The log-odds of every scheme, seed and source on the test pairs, and the figures made of them.
struct SchemeResults {
  /// Log-odds of one scheme: [seeds][sources][pairs].
  struct Scores {
    let scheme: MoreConfiguration.Scheme
    let bySeed: [[[Double]]]
  }

  let held: HeldOutSources
  let cells: [MoreStage.Cell]
  let records: [MoreStage.Record]
  /// In the order of the configuration.
  let scores: [Scores]
  private let schemes: [MoreConfiguration.Scheme]

  init(
    held: HeldOutSources, cells: [MoreStage.Cell], records: [MoreStage.Record],
    schemes: [MoreConfiguration.Scheme]
  ) {
    self.held = held
    self.cells = cells
    self.records = records
    self.schemes = schemes
    let seeds = cells.map(\.seed).max() ?? 0
    func tops(_ seed: Int) -> [[[Double]]] {
      zip(cells, records).filter { $0.0.scheme == .top && $0.0.seed == seed }.map(\.1.logOdds)
    }
    scores = schemes.map { scheme in
      Scores(
        scheme: scheme,
        bySeed: (1..<(seeds + 1)).map { seed in
          switch scheme {
          case .top:
            // Every source is judged by its own model.
            let models = tops(seed)
            return held.names.indices.map { models[$0][$0] }
          case .averaging: return Self.mean(tops(seed))
          case .multiTask, .more:
            return zip(cells, records).first { $0.0.scheme == scheme && $0.0.seed == seed }?
              .1.logOdds ?? []
          }
        })
    }
  }

  /// The log-odds of the mean reward: the mean of the models' log-odds.
  static func mean(_ models: [[[Double]]]) -> [[Double]] {
    guard let first = models.first else { return [] }
    return first.indices.map { source in
      first[source].indices.map { pair in
        models.reduce(0) { $0 + $1[source][pair] } / Double(models.count)
      }
    }
  }

  func scores(of scheme: MoreConfiguration.Scheme) -> Scores? {
    scores.first { $0.scheme == scheme }
  }

  /// The trained models, and the average of those of single sources, for later stages.
  var indexEntries: [ModelIndex.Entry] {
    func entry(
      _ name: String, _ scheme: String, _ seed: Int, _ members: [String], _ logOdds: [[Double]]
    ) -> ModelIndex.Entry {
      func mean(_ measure: HeldOutSources.Measure) -> Double? {
        let measured = held.measured
        return measured.isEmpty
          ? nil : measured.reduce(0) { $0 + measure(logOdds[$1]) } / Double(measured.count)
      }
      return ModelIndex.Entry(
        name: name, scheme: scheme, seed: seed, members: members.map { "cells/\($0)" },
        rule: .mean, accuracy: mean(.accuracy), ece: mean(.ece))
    }
    var entries = zip(cells, records).filter { cell, _ in
      cell.scheme != .top || schemes.contains(.top)
    }.map { cell, record in
      let scheme = cell.source.map { "top \(held.names[$0])" } ?? cell.scheme.rawValue
      return entry(
        cell.name, scheme, cell.seed, [cell.name], record.logOdds)
    }
    for (index, logOdds) in (scores(of: .averaging)?.bySeed ?? []).enumerated() {
      let seed = index + 1
      entries.append(
        entry(
          "averaging-seed\(seed)", "averaging", seed,
          cells.filter { $0.scheme == .top && $0.seed == seed }.map(\.name), logOdds))
    }
    return entries
  }
}
