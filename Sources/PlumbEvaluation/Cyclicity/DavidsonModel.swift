import Foundation
import PlumbTensors

/// Ratings with ties and a first-place term, to simulate verdicts that have an order and noise only.
///
/// Davidson (1970): with `z = r_i - r_j + b`, the first wins, the second wins or they tie in the
/// proportions `e^(z/2) : e^(-z/2) : ν`.
public struct DavidsonModel: Hashable, Codable, Sendable {
  /// Ratings of the items of each graph.
  public let ratings: [[Double]]
  /// The log-odds of the first place, `b`.
  public let place: Double
  /// The logarithm of `ν`; minus infinity where nothing was a tie.
  public let logTie: Double

  /// Fits ratings, place and ties by penalised maximum likelihood.
  ///
  /// - Parameters:
  ///   - graphs: what was compared.
  ///   - sharesRatings: whether the items are the same in every graph (systems of a tournament).
  ///   - sharedPenalty: weight of the squared shared ratings, halved.
  ///   - localPenalty: the same of each graph's own ratings; infinite for none.
  ///   - fitsPlace: whether the first place may be worth something; false where the file does not say
  ///     which of two stood first. With the chosen one always first, the place would explain every
  ///     verdict, and every simulation would repeat the file.
  public init(
    fitting graphs: [PreferenceGraph], sharesRatings: Bool, sharedPenalty: Double = 0.01,
    localPenalty: Double = 1, fitsPlace: Bool = true
  ) {
    let items = sharesRatings ? graphs.map(\.items).max() ?? 0 : 0
    let hasLocal = localPenalty.isFinite
    var starts: [Int] = []
    var size = 2 + items
    for graph in graphs {
      starts.append(size)
      if hasLocal { size += graph.items }
    }
    let hasTies = graphs.contains { $0.comparisons.contains { $0.points == 0.5 } }
    func value(_ x: [Double]) -> (value: Double, gradient: [Double]) {
      var gradient = [Double](repeating: 0, count: x.count)
      var loss = 0.0
      for index in 2..<max(2, x.count) {
        let weight = index < 2 + items ? sharedPenalty : localPenalty
        loss += 0.5 * weight * x[index] * x[index]
        gradient[index] = weight * x[index]
      }
      for (graph, start) in zip(graphs, starts) {
        for one in graph.comparisons {
          func rating(_ item: Int) -> Double {
            (items > 0 ? x[2 + item] : 0) + (hasLocal ? x[start + item] : 0)
          }
          let z = rating(one.first) - rating(one.second) + x[0]
          let shares = Self.shares(z: z, logTie: hasTies ? x[1] : -.infinity)
          let isTie = one.points == 0.5
          let share = isTie ? shares.tie : one.points > 0.5 ? shares.first : shares.second
          loss -= log(max(share, 1e-300))
          let slope = (shares.first - shares.second) / 2 - (one.points - 0.5)
          gradient[0] += slope
          if hasTies { gradient[1] += shares.tie - (isTie ? 1 : 0) }
          if items > 0 {
            gradient[2 + one.first] += slope
            gradient[2 + one.second] -= slope
          }
          if hasLocal {
            gradient[start + one.first] += slope
            gradient[start + one.second] -= slope
          }
        }
      }
      if !fitsPlace { gradient[0] = 0 }
      return (loss, gradient)
    }
    let x = limitedMemoryBFGS(
      from: [Double](repeating: 0, count: size), tolerance: 1e-6, value
    ).point
    place = x[0]
    logTie = hasTies ? x[1] : -.infinity
    ratings = zip(graphs, starts).map { graph, start in
      (0..<graph.items).map {
        (items > 0 ? x[2 + $0] : 0) + (hasLocal ? x[start + $0] : 0)
      }
    }
  }

  /// Shares of the three verdicts.
  static func shares(
    z: Double, logTie: Double
  ) -> (first: Double, second: Double, tie: Double) {
    let top = max(abs(z) / 2, logTie)
    let (a, b, c) = (exp(z / 2 - top), exp(-z / 2 - top), exp(logTie - top))
    let sum = a + b + c
    return (a / sum, b / sum, c / sum)
  }

  /// The same comparisons with verdicts drawn from the model.
  public func simulate(_ graphs: [PreferenceGraph], seed: UInt64, draw: Int) -> [PreferenceGraph] {
    var stream = RandomStream(seed: seed, purpose: "cyclicity null", step: draw)
    return zip(graphs, ratings).map { graph, ratings in
      var simulated = graph
      for index in graph.comparisons.indices {
        let one = graph.comparisons[index]
        let shares = Self.shares(
          z: ratings[one.first] - ratings[one.second] + place, logTie: logTie)
        let u = Double(stream.uniform())
        simulated.comparisons[index].points =
          u < shares.first ? 1 : u < shares.first + shares.second ? 0 : 0.5
      }
      return simulated
    }
  }
}
