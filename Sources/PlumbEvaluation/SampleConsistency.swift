import Foundation

/// How sure a judge is that gives answers and no probabilities: how far its samples agree.
///
/// Sample-consistency confidence (Lyu et al., arXiv 2402.13904, and its code): the judge is asked n
/// times, the commonest answer counts, and one of three measures of agreement is its confidence.
/// Samples without a usable answer are `"[invalid]"`; they leave the count of answers if there is any
/// other, but n stays the number of samples.
public struct SampleConsistency: Codable, Hashable, Sendable {
  /// The mark of a sample without a usable answer.
  public static let invalid = "[invalid]"

  /// The commonest answer; of equally common ones, that which came first.
  public let answer: String
  /// Samples in all, invalid ones included.
  public let samples: Int
  /// Invalid samples.
  public let invalidSamples: Int
  /// The share of samples that give the commonest answer, `f₁/n`.
  public let agreement: Double
  /// `1 - H/log₂ u`: entropy of the u different answers against that of equal shares; 1 if u = 1.
  public let entropyConfidence: Double
  /// First-second distance, `(f₁ - f₂)/n`; 1 if there is one answer only.
  public let firstSecondDistance: Double

  /// Measures the agreement of samples; nil without samples.
  public init?(_ samples: [String]) {
    guard !samples.isEmpty else { return nil }
    var order: [String] = []
    var counts: [String: Int] = [:]
    for sample in samples {
      if counts[sample] == nil { order.append(sample) }
      counts[sample, default: 0] += 1
    }
    invalidSamples = counts[Self.invalid] ?? 0
    if order.count > 1 { order.removeAll { $0 == Self.invalid } }
    // Stable: of equal counts the first seen stays first.
    let ranked = order.enumerated().map { (answer: $1, count: counts[$1] ?? 0, place: $0) }
      .sorted { ($1.count, $0.place) < ($0.count, $1.place) }
    let total = Double(samples.count)
    let valid = Double(ranked.reduce(0) { $0 + $1.count })
    answer = ranked[0].answer
    self.samples = samples.count
    agreement = Double(ranked[0].count) / total
    guard ranked.count > 1 else {
      entropyConfidence = 1
      firstSecondDistance = 1
      return
    }
    let entropy = ranked.reduce(0.0) { sum, entry in
      let share = Double(entry.count) / valid
      return sum - share * log2(share)
    }
    // Equal shares give 1 up to rounding.
    entropyConfidence = max(0, 1 - entropy / log2(Double(ranked.count)))
    firstSecondDistance = Double(ranked[0].count - ranked[1].count) / total
  }

  /// The confidence by one of the measures.
  public func confidence(_ measure: Measure) -> Double {
    switch measure {
    case .agreement: agreement
    case .entropy: entropyConfidence
    case .fsd: firstSecondDistance
    }
  }

  /// The measures of agreement.
  public enum Measure: String, CaseIterable, Codable, Hashable, Sendable {
    case agreement
    case entropy
    case fsd
  }
}
