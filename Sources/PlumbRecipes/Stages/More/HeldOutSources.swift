import Foundation
import PlumbEvaluation
import PlumbPreferences
import PlumbTensors

/// The test pairs of several sources, and the figures of models of several seeds on them.
struct HeldOutSources {
  /// The sources, [K].
  let names: [String]
  /// The prompt of every test pair, [K] lists: pairs of one prompt are drawn together.
  let prompts: [[[Int32]]]

  init(_ sources: [PreferenceSource]) {
    names = sources.map(\.name)
    prompts = sources.map { $0.test.map(\.group.prompt) }
  }

  /// The places of the sources that have test pairs.
  var measured: [Int] { names.indices.filter { !prompts[$0].isEmpty } }

  /// The test pairs of one source, or of all.
  func pairCount(_ source: Int? = nil) -> Int {
    source.map { prompts[$0].count } ?? prompts.reduce(0) { $0 + $1.count }
  }

  /// A figure of a list of log-odds that the chosen response wins.
  enum Measure {
    case accuracy
    case ece
    case nll
    /// The mean size of the difference of rewards: "over-rewarding" makes it large.
    case spread

    /// The same figures as `Calibration`'s, one at a time: a bootstrap asks for them thousands of times.
    func callAsFunction(_ logOdds: [Double]) -> Double {
      let count = Double(max(1, logOdds.count))
      switch self {
      case .accuracy:
        return logOdds.reduce(0) { $0 + ($1 > 0 ? 1 : $1 == 0 ? 0.5 : 0) } / count
      case .ece:
        var bins = ReliabilityBins(10)
        for difference in logOdds {
          bins.add(1 / (1 + exp(-difference)), 1)
          bins.add(1 / (1 + exp(difference)), 0)
        }
        return bins.expectedError
      case .nll:
        return logOdds.reduce(0) { $0 + max(-$1, 0) + log1p(exp(-abs($1))) } / count
      case .spread: return logOdds.reduce(0) { $0 + abs($1) } / count
      }
    }
  }

  /// A measure with its 95 % interval.
  typealias Measured = (value: Double, interval: Interval)

  /// The mean over seeds (and over sources, where none is named) of a measure.
  ///
  /// The interval is a bootstrap on two levels: prompts are drawn again, and so are the seeds.
  /// - Parameters:
  ///   - first: log-odds, [seeds][K][pairs].
  ///   - second: of another model on the same pairs and seeds, whose value is subtracted; both are drawn
  ///     together.
  /// - Returns: nil where there is no test pair.
  func value(
    _ measure: Measure, _ first: [[[Double]]], less second: [[[Double]]]? = nil,
    source: Int? = nil, seed: UInt64
  ) -> Measured? {
    let chosen = (source.map { [$0] } ?? measured).filter { !prompts[$0].isEmpty }
    guard !chosen.isEmpty, !first.isEmpty else { return nil }
    let pairs = chosen.flatMap { source in
      prompts[source].indices.map { (source: source, pair: $0) }
    }
    func statistic(_ rows: [Int], _ seeds: [Int]) -> Double {
      var bySource: [Int: [Int]] = [:]
      for row in rows { bySource[pairs[row].source, default: []].append(pairs[row].pair) }
      var sum = 0.0
      for seed in seeds {
        for (source, rows) in bySource.sorted(by: { $0.key < $1.key }) {
          sum += measure(rows.map { first[seed][source][$0] })
          if let second { sum -= measure(rows.map { second[seed][source][$0] }) }
        }
      }
      return sum / Double(seeds.count * max(1, bySource.count))
    }
    let seeds = Array(first.indices)
    var resample = 0
    let interval = Interval.bootstrap(
      groups: promptGroups(pairs), resamples: 400, seed: seed
    ) { rows in
      var stream = RandomStream(seed: seed, purpose: "seeds of a bootstrap", step: resample)
      resample += 1
      return statistic(rows, seeds.map { _ in seeds[stream.uniform(below: seeds.count)] })
    }
    return (statistic(Array(pairs.indices), seeds), interval)
  }

  /// The rows that share a source and a prompt.
  private func promptGroups(_ pairs: [(source: Int, pair: Int)]) -> [[Int]] {
    var groups: [[Int]] = []
    var places: [Int: [[Int32]: Int]] = [:]
    for (index, place) in pairs.enumerated() {
      let prompt = prompts[place.source][place.pair]
      if let group = places[place.source]?[prompt] {
        groups[group].append(index)
      } else {
        places[place.source, default: [:]][prompt] = groups.count
        groups.append([index])
      }
    }
    return groups
  }
}
