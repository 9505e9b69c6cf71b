import Foundation
public import PlumbTensors

/// The distribution that filters leave, by their definitions and with sorting: the plain twin of
/// drawing.
/// - Parameters:
///   - logits: [V].
///   - options: with a temperature above 0.
///   - seen: what the repetition penalty applies to.
/// - Returns: probabilities, 0 for tokens that are filtered out; nil if the logits give none.
public func plainDistribution(
  _ logits: [Float], _ options: DrawOptions, seen: Set<Int32> = []
) -> [Double]? {
  var logits = logits
  for id in seen where options.repetitionPenalty != 1 && logits.indices.contains(Int(id)) {
    let logit = logits[Int(id)]
    logits[Int(id)] =
      logit < 0 ? logit * options.repetitionPenalty : logit / options.repetitionPenalty
  }
  logits = logits.map { $0 / options.temperature }
  if let count = options.topK, count < logits.count {
    let threshold = logits.sorted(by: >)[count - 1]
    logits = logits.map { $0 < threshold ? -.infinity : $0 }
  }
  let largest = logits.max() ?? -.infinity
  guard largest.isFinite else { return nil }
  var weights = logits.map { exp(Double($0 - largest)) }
  let total = weights.reduce(0, +)
  guard total.isFinite else { return nil }
  if let mass = options.topP, mass < 1 {
    // Ascending, of equals the one of higher id first: the tail of at most 1 - p goes.
    let order = weights.indices.sorted {
      weights[$0] == weights[$1] ? $0 > $1 : weights[$0] < weights[$1]
    }
    var sum = 0.0
    for index in order.dropLast() {
      sum += weights[index]
      guard sum <= (1 - Double(mass)) * total else { break }
      weights[index] = 0
    }
  }
  if let fraction = options.minP, let most = weights.max() {
    weights = weights.map { $0 < Double(fraction) * most ? 0 : $0 }
  }
  let rest = weights.reduce(0, +)
  return weights.map { $0 / rest }
}
