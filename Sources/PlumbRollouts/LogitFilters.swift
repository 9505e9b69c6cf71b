import Foundation

/// Logits of one row, filtered step by step as transformers' logits processors do.
///
/// A token that is filtered out has logit minus infinity. Nothing sorts the whole vocabulary: top-k
/// selects, and top-p sorts only tokens that can be in the nucleus.
public struct LogitFilters: Sendable {
  /// The logits, one per token of the vocabulary.
  public private(set) var logits: [Float]

  /// Starts from a model's logits.
  public init(_ logits: [Float]) { self.logits = logits }

  /// Applies all filters of `options` in transformers' order.
  /// - Parameter seen: ids of prompt and response so far, for the repetition penalty.
  public mutating func apply(_ options: SamplingOptions, seen: Set<Int32>) {
    if options.repetitionPenalty != 1 { penalise(seen, by: options.repetitionPenalty) }
    if !options.isGreedy, options.temperature != 1 { divide(by: options.temperature) }
    if let count = options.topK { keepLargest(count) }
    if let mass = options.topP, mass < 1 { keepNucleus(mass) }
    if let fraction = options.minP, fraction > 0 { keepProbable(fraction) }
  }

  /// Divides positive and multiplies negative logits of `seen` tokens by `penalty`, each once.
  public mutating func penalise(_ seen: Set<Int32>, by penalty: Float) {
    for id in seen where logits.indices.contains(Int(id)) {
      let logit = logits[Int(id)]
      logits[Int(id)] = logit < 0 ? logit * penalty : logit / penalty
    }
  }

  /// Divides all logits by `temperature`.
  public mutating func divide(by temperature: Float) {
    for index in logits.indices { logits[index] /= temperature }
  }

  /// Keeps the `count` largest logits, and ties with the smallest of them.
  public mutating func keepLargest(_ count: Int) {
    guard count < logits.count else { return }
    let threshold = nthLargest(count)
    for index in logits.indices where logits[index] < threshold {
      logits[index] = -.infinity
    }
  }

  /// Keeps the most probable tokens until their mass reaches `mass`, the one that reaches it included.
  public mutating func keepNucleus(_ mass: Float) {
    guard let (weights, total) = softmaxWeights() else { return }
    let tail = (1 - Double(mass)) * total
    // The mass of all tokens no heavier than w is at most w times their number. So a token of at most
    // tail / V lies in the part that is cut off, and need not be sorted.
    let floor = tail / Double(logits.count)
    let heaviest = weights.max() ?? 0
    var light = 0.0
    var candidates: [Int] = []
    for (index, weight) in weights.enumerated() {
      if Double(weight) > floor || weight == heaviest {
        candidates.append(index)
      } else {
        light += Double(weight)
        logits[index] = -.infinity
      }
    }
    candidates.sort { weights[$0] == weights[$1] ? $0 > $1 : weights[$0] < weights[$1] }
    for index in candidates.dropLast() {
      light += Double(weights[index])
      guard light <= tail else { break }
      logits[index] = -.infinity
    }
  }

  /// Keeps tokens whose probability is at least `fraction` of the largest.
  public mutating func keepProbable(_ fraction: Float) {
    guard let (weights, _) = softmaxWeights(), let largest = weights.max() else { return }
    for (index, weight) in weights.enumerated() where weight < fraction * largest {
      logits[index] = -.infinity
    }
  }

  /// Probabilities of the filtered distribution; nil if the logits give none.
  public var probabilities: [Float]? {
    softmaxWeights().map { weights, total in weights.map { Float(Double($0) / total) } }
  }

  /// Log-prob of a token under the filtered distribution; nil if the logits give none.
  func logprob(of token: Int) -> Float? {
    softmaxWeights().map { _, total in
      Float(Double(logits[token]) - Double(largest) - log(total))
    }
  }

  private var largest: Float { logits.reduce(-.infinity) { $1 > $0 ? $1 : $0 } }

  /// `exp(logit - max)` and their sum; nil if a logit is NaN or plus infinity, or none is finite.
  private func softmaxWeights() -> (weights: [Float], total: Double)? {
    let largest = largest
    guard largest.isFinite else { return nil }
    var total = 0.0
    let weights = logits.map { logit in
      let weight = exp(logit - largest)
      total += Double(weight)
      return weight
    }
    // A NaN logit is skipped by the comparison in `largest`, and shows here.
    return total.isFinite ? (weights, total) : nil
  }

  /// The `count`-th largest logit, by selection with a small heap (V log k).
  private func nthLargest(_ count: Int) -> Float {
    var heap = SmallestFirst(capacity: count)
    for logit in logits { heap.insert(logit) }
    return heap.smallest
  }
}

/// The largest `capacity` numbers seen so far, as a binary heap with the smallest on top.
private struct SmallestFirst {
  private var items: [Float] = []
  private let capacity: Int

  init(capacity: Int) {
    self.capacity = capacity
    items.reserveCapacity(capacity)
  }

  var smallest: Float { items.first ?? -.infinity }

  mutating func insert(_ item: Float) {
    if items.count < capacity {
      items.append(item)
      rise(from: items.count - 1)
    } else if item > items[0] {
      items[0] = item
      sink()
    }
  }

  private mutating func rise(from start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard items[child] < items[parent] else { return }
      items.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func sink() {
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < items.count else { return }
      if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
      guard items[child] < items[parent] else { return }
      items.swapAt(child, parent)
      parent = child
    }
  }
}
